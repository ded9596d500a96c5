"""Checks of a point estimate: did EM climb, arrive, and arrive somewhere regular?

The history holds log-likelihoods, so what is read from it is checked for maximum likelihood only:
with a prior EM climbs the posterior density, of which the likelihood is a part.
"""

import warnings
from collections.abc import Iterator

import numpy as np

from ..engines.aitken import remaining_gain
from ..result import Fit
from .check import Check, at_least, at_most
from .singularity import smallest_eigenvalue

# A fall per row that is neither rounding (1e-15) nor the pull of a usual reg_covar.
FALL_PER_ROW = 1e-6
# The optimum is believed once a second restart has found it, as in latent class analysis.
REPLICATED = 2
# Restarts cannot be told apart by less than this per row, however small tol is.
SAME_PER_ROW = 1e-6
# Above a half, reg_covar and not the rows makes the variance.
RIDGE_SHARE = 0.5
# One nat: half the price that AIC puts on a parameter's two.
GAIN_LEFT = 1.0


def check_monotone(fit: Fit) -> Iterator[Check]:
    """Look for a fall of the log-likelihood, which maximum likelihood by EM excludes."""
    if not fit.model.spec.is_maximum_likelihood:
        return
    steps = np.diff(fit.history["log_likelihood"])
    yield at_most(
        "largest fall of the log-likelihood",
        float(max(0.0, (-steps).max(initial=0.0))),
        FALL_PER_ROW * fit.data.total_weight,
        "The log-likelihood never fell.",
        "EM cannot lower the likelihood but through reg_covar: lower reg_covar and fit again.",
    )


def check_restarts(fit: Fit) -> Iterator[Check]:
    """Say how many restarts reached the best optimum."""
    reached = np.asarray(fit.history["restart_log_likelihood"])
    if len(reached) == 1:
        return
    tol = float(fit.history.get("restart_tol", fit.engine.tol))
    margin = max(tol, SAME_PER_ROW) * fit.data.total_weight
    best = reached[int(fit.history["best_restart"])]
    yield at_least(
        "share of restarts at the best optimum",
        float(np.mean(np.abs(reached - best) <= margin)),
        REPLICATED / len(reached),
        "More than one restart found the best optimum.",
        "No other restart came as far, a better optimum may exist: raise n_init, or lower tol.",
    )


def check_ridge(fit: Fit) -> Iterator[Check]:
    """See whether a component owes its variance to reg_covar rather than to rows."""
    ridge = quiet_ridge(fit)
    if not fit.model.spec.is_maximum_likelihood or ridge == 0:
        return
    smallest = smallest_eigenvalue(np.asarray(fit.model.family.factors(fit.scaled)))
    yield at_most(
        "share of reg_covar in a variance",
        ridge / smallest,
        RIDGE_SHARE,
        "The rows, not reg_covar, make the variances.",
        "reg_covar alone keeps a component from collapsing: lower n_components, use a prior, or, "
        "if the data are this narrow, lower reg_covar.",
    )


def quiet_ridge(fit: Fit) -> float:
    """Return the regularisation in engine units; the run has warned already if it was replaced."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(fit.engine.ridge(fit.model))


def check_empty(fit: Fit) -> Iterator[Check]:
    """Count components that hold less than one row."""
    yield at_most(
        "components with less than one row",
        int((np.exp(fit.scaled.log_weights) * fit.data.total_weight < 1).sum()),
        0,
        "Every component holds at least one row.",
        "A component holds less than one row: lower n_components.",
    )


def check_remaining_gain(fit: Fit) -> Iterator[Check]:
    """Extrapolate the log-likelihood (Aitken; McLachlan & Krishnan 2008, section 4.9)."""
    values = np.asarray(fit.history["log_likelihood"])
    if not fit.model.spec.is_maximum_likelihood or len(values) < 3:
        return
    yield at_most(
        "log-likelihood still to be gained",
        remaining_gain(values),
        GAIN_LEFT,
        "EM has arrived: more updates would change next to nothing.",
        "EM stopped while still climbing: lower tol and raise max_iter.",
    )
