"""What a sweep found: ``Selection``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..estimators.gaussian_mixture import GaussianMixture, estimator_of
from ..result import Fit
from .table import COLUMN

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Selection:
    """The models of a sweep.

    Attributes:
        table: a row per model: ``covariance_type``, ``n_components``, ``delta`` (how far its criterion
            is behind the best), ``aic``, ``bic``, ``icl`` (lower is better, minus mclust's), with
            cross-validation ``cv_log_likelihood`` and ``cv_error``, then ``log_likelihood``,
            ``n_parameters``, ``n_iter``, ``remaining_gain`` (what EM could still gain, in nats),
            ``n_collapsed`` restarts, ``status``, ``reason`` and ``seconds``.
        criterion: what decides: "aic", "bic", "icl" or "cv".
        fits: the best restart of each model by (covariance_type, n_components); models that have
            none are missing here and have a reason in the table.
        settings: parameters for the estimator of a fit.
    """

    table: pd.DataFrame
    criterion: str
    fits: Mapping[tuple[str, int], Fit]
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def best(self) -> tuple[str, int]:
        """Covariance structure and number of components of the best model.

        Raises:
            ValueError: no model has a fit that can be compared.
        """
        delta = self.table["delta"]
        if not delta.notna().any():
            reasons = "; ".join(sorted(set(self.table["reason"].dropna())))
            raise ValueError(
                f"Expected a model with a fit, got none out of {len(self.table)}: {reasons} The table has "
                "the reason for each."
            )
        row = self.table.iloc[int(np.nanargmin(delta))]
        return str(row["covariance_type"]), int(row["n_components"])

    @cached_property
    def best_(self) -> GaussianMixture:
        """The best model as a fitted estimator."""
        return self.estimator(*self.best)

    def estimator(self, covariance_type: str, n_components: int) -> GaussianMixture:
        """Return a model as a fitted estimator.

        Raises:
            KeyError: a model that has no fit.
        """
        key = (covariance_type, int(n_components))
        if key not in self.fits:
            raise KeyError(f"Expected a model with a fit, got {key}. See the table for its reason.")
        return estimator_of(self.fits[key], covariance_type=covariance_type, **self.settings)

    @property
    def ranked(self) -> pd.DataFrame:
        """The table, best first."""
        return self.table.sort_values("delta", kind="stable", na_position="last")

    def pivot(self, column: str | None = None) -> pd.DataFrame:
        """Return one column as a table with a row per K and a column per structure."""
        values = column or COLUMN[self.criterion]
        wide = self.table.pivot(index="n_components", columns="covariance_type", values=values)
        return wide[list(dict.fromkeys(self.table["covariance_type"]))]

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the criterion against the number of components, a line per structure."""
        from ..plots import selection

        return selection(self, ax)

    def __repr__(self) -> str:
        """Say what won."""
        head = f"Selection({len(self.fits)} of {len(self.table)} models fitted, by {self.criterion}"
        if not self.table["delta"].notna().any():
            return head + "; none can be compared)"
        structure, size = self.best
        return f"{head}: {structure}, {size} component{'' if size == 1 else 's'})"
