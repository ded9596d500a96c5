"""Several fits of the same rows side by side."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..result import Fit
from .criteria import information_criteria
from .loo import smoothed_loo

if TYPE_CHECKING:
    import pandas as pd


def compare(fits: Mapping[str, Fit]) -> "pd.DataFrame":
    """Rank fits of the same rows, the best first.

    Posteriors are compared by leave-one-out predictive density (``loo``) through ``az.compare``,
    with the weights of stacking (Yao, Vehtari, Simpson & Gelman 2018) and, in ``diag_elpd``, the
    number of rows whose Pareto k is too large. Points are compared by BIC.

    Args:
        fits: fits by name, two at least, all posteriors or all points.

    Returns:
        A row per fit. For posteriors the columns of ``az.compare``: rank, elpd_diff, dse, p_worse,
        diag_diff, diag_elpd, p, elpd, se, weight. For points log_likelihood, n_parameters, aic, bic
        and icl, sorted by bic.

    Raises:
        TypeError: something that is not a fit.
        ValueError: fewer than two fits, other rows, or points beside posteriors.
    """
    check_fits(fits)
    if all(fit.is_point for fit in fits.values()):
        return table_of_points(fits)
    return table_of_posteriors(fits)


def check_fits(fits: Mapping[str, Fit]) -> None:
    """Raise unless the fits can be compared."""
    if not isinstance(fits, Mapping):
        raise TypeError(
            f"Expected fits by name, got a {type(fits).__name__}. Pass a dictionary of fits."
        )
    for name, fit in fits.items():
        if not isinstance(fit, Fit):
            raise TypeError(
                f"Expected fits, got a {type(fit).__name__} as {name!r}. Of an estimator pass "
                "model.fit_."
            )
    if len(fits) < 2:
        raise ValueError(f"Expected at least two fits, got {len(fits)}. Add one to compare with.")
    kinds = {name: fit.kind for name, fit in fits.items()}
    if len(set(kinds.values())) > 1:
        raise ValueError(
            f"Expected fits of one kind, got {kinds}. Fit all of them by EM, or all by Gibbs or NUTS."
        )
    check_same_rows(fits)


def check_same_rows(fits: Mapping[str, Fit]) -> None:
    """Raise unless all fits have seen the same rows in the same units and order."""
    first, *others = fits
    expected = fits[first].data.values
    for name in others:
        found = fits[name].data.values
        if np.array_equal(expected, found):
            continue
        difference = f"{expected.shape} in {first!r} and {found.shape} in {name!r}"
        if expected.shape == found.shape:
            row = int((expected != found).any(1).argmax())
            difference = f"{first!r} and {name!r} that differ from row {row} on"
        raise ValueError(
            f"Expected fits of the same rows, got {difference}. Fit all of them to one table, its "
            "rows and columns in the same order and units."
        )


def table_of_points(fits: Mapping[str, Fit]) -> "pd.DataFrame":
    """Return the criteria of points, the lowest BIC first."""
    import pandas as pd

    records = {name: information_criteria(fit)._asdict() for name, fit in fits.items()}
    return pd.DataFrame.from_dict(records, orient="index").sort_values("bic")


def table_of_posteriors(fits: Mapping[str, Fit]) -> "pd.DataFrame":
    """Return ArviZ's comparison of posteriors."""
    import arviz as az

    results = {name: smoothed_loo(fit) for name, fit in fits.items()}
    # ArviZ exponentiates elpd_i, which vanishes or overflows where rows have many columns or small
    # units. What is common to all fits leaves the weights and differences as they are.
    best = np.max([result.elpd_i for result in results.values()], axis=0)
    relative = {name: replace(one, elpd_i=one.elpd_i - best) for name, one in results.items()}
    return az.compare(relative, round_to="none")
