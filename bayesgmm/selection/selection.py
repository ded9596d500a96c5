"""What a sweep found: ``Selection``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from ..model.families import family_named
from ..result import Fit
from .table import COLUMN, Record

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from ..estimators.gaussian_mixture import GaussianMixture

# Models that a notebook shows.
MOST_SHOWN = 10


@dataclass(frozen=True)
class Selection:
    """The models of a sweep.

    Attributes:
        records: the rows of ``table``.
        criterion: what decides: "aic", "bic", "icl" or "cv".
        fits: the best restart of each model by (covariance_type, n_components); models that have
            none are missing here and have a reason in the table.
        settings: parameters for the estimator of a fit.
    """

    records: Sequence[Record] = field(repr=False)
    criterion: str
    fits: Mapping[tuple[str, int], Fit]
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def table(self) -> "pd.DataFrame":
        """A row per model.

        Columns ``covariance_type``, ``n_components``, ``delta`` (how far its criterion is behind the
        best), ``aic``, ``bic``, ``icl`` (lower is better, minus mclust's), ``log_likelihood``, with
        cross-validation ``cv_log_likelihood`` and ``cv_error``, then ``n_parameters``, ``n_iter``,
        ``remaining_gain`` (what EM could still gain, in nats), ``n_collapsed`` restarts, ``seconds``,
        ``status`` and ``reason``.
        """
        # Imported on use: a sweep in a fresh process need not wait for it.
        import pandas as pd

        return pd.DataFrame(list(self.records))

    @property
    def deltas(self) -> np.ndarray:
        """How far each model is behind the best, NaN where it cannot be compared."""
        return np.array([row["delta"] for row in self.records], float)

    @property
    def best(self) -> tuple[str, int]:
        """Covariance structure and number of components of the best model.

        Raises:
            ValueError: no model has a fit that can be compared.
        """
        deltas = self.deltas
        if np.isnan(deltas).all():
            reasons = "; ".join(sorted({row["reason"] for row in self.records}))
            raise ValueError(
                f"Expected a model that can be compared, got none out of {len(self.records)}: {reasons} The table has "
                "the reason for each."
            )
        row = self.records[int(np.nanargmin(deltas))]
        return str(row["covariance_type"]), int(row["n_components"])

    @cached_property
    def best_(self) -> "GaussianMixture":
        """The best model as a fitted estimator."""
        return self.estimator(*self.best)

    def estimator(self, covariance_type: str, n_components: int) -> "GaussianMixture":
        """Return a model as a fitted estimator.

        Raises:
            KeyError: a model that has no fit.
        """
        # Imported on use: scikit-learn takes seconds, which a sweep by itself need not wait.
        from ..estimators.gaussian_mixture import estimator_of

        family = family_named(covariance_type)
        for (name, size), fit in self.fits.items():
            if size == n_components and family_named(name) == family:
                return estimator_of(fit, covariance_type=covariance_type, **self.settings)
        key = (covariance_type, n_components)
        raise KeyError(f"Expected a model with a fit, got {key}. See the table for its reason.")

    @property
    def ranked(self) -> "pd.DataFrame":
        """The table, best first."""
        return self.table.sort_values("delta", kind="stable", na_position="last")

    def pivot(self, column: str | None = None) -> "pd.DataFrame":
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
        head = (
            f"Selection({len(self.fits)} of {len(self.records)} models fitted, by {self.criterion}"
        )
        if np.isnan(self.deltas).all():
            return head + "; none can be compared)"
        structure, size = self.best
        return f"{head}: {structure}, {size} component{'' if size == 1 else 's'})"

    def _repr_html_(self) -> str:
        """Show a notebook who won, above the best models."""
        shown = self.ranked.head(MOST_SHOWN).drop(columns=["seconds", "n_collapsed"])
        more = len(self.records) - len(shown)
        rest = f"<p>and {more} more in .table</p>" if more > 0 else ""
        table = shown.to_html(index=False, notebook=True, float_format="{:.6g}".format, na_rep="")
        return f"<p><b>{escape(repr(self))}</b></p>{table}{rest}"
