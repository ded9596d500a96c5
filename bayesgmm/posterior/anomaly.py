"""How unusual a row is: the share of predictive mass that is less dense than the row.

For a new row X of the predictive density p the score of x is P(p(X) < p(x)), one minus the probability
of the smallest highest-density region that holds x (Hyndman 1996, The American Statistician 50,
120-126). It is uniform on rows of the model whatever their number of columns, does not depend on
units, and is near zero for an anomaly.
"""

from typing import Any

import numpy as np

from ..result import Fit
from .density import draw_rows, log_density, scaled_rows

# A score is known to at most half the inverse root of this, 0.008.
N_REFERENCE = 4_000


def anomaly_score(fit: Fit, X: Any, *, n_reference: int = N_REFERENCE, seed: int = 0) -> np.ndarray:
    """Return the share of predictive mass that is less dense than each row.

    Args:
        fit: any fit; for a posterior densities are averaged over draws.
        X: rows (M, D) with the columns of the fit. A row with missing cells is compared by the
            cells it has.
        n_reference: number of rows drawn from the fit to compare with; the Monte Carlo error of a
            score p is the root of p (1 - p) / n_reference.
        seed: seed of these rows.

    Returns:
        Scores in (0, 1), near zero for an anomaly, (M,).

    Raises:
        ValueError: n_reference below one, or other columns.
    """
    if n_reference < 1:
        raise ValueError(f"Expected n_reference >= 1, got {n_reference}. Pass for instance 4000.")
    values = log_density(fit, X)
    rows, _ = draw_rows(fit, n_reference, np.random.RandomState(seed))
    missing = np.isnan(scaled_rows(fit, X))
    patterns, pattern_of = np.unique(missing, axis=0, return_inverse=True)
    n_below = np.empty(len(values))
    for index, absent in enumerate(patterns):
        mine = pattern_of.ravel() == index
        reference = np.sort(log_density(fit, np.where(absent, np.nan, rows)))
        n_below[mine] = np.searchsorted(reference, values[mine])
    # The row counts as one of the reference, so that no score is zero (Davison & Hinkley 1997).
    return (n_below + 1) / (n_reference + 2)
