"""Check that no component has shrunk to a point or a plane, for estimates and for draws."""

from collections.abc import Iterator

import jax
import numpy as np

from ..posterior.partition import evenly
from ..result import Fit
from .check import Check, at_least

# Smallest eigenvalue of a component in units of the columns' own variances.
NEAR_SINGULAR = 1e-8
# A component that shrinks stays small, so that some draws of each chain, the last among them, will do.
MOST_DRAWS = 250

ADVICE = {
    "point": "A component is nearly singular: raise reg_covar, lower n_components, or use a prior.",
    "posterior": "A cluster has shrunk to equal rows or to a plane, and its draws mean nothing: drop or merge "
    "such rows or columns, or state the scale of the covariances in squared units of the data (scale= of the "
    "prior; covariance_prior= of the estimator).",
}


def check_singularity(fit: Fit) -> Iterator[Check]:
    """Compare the narrowest direction of any component with the variances of the columns."""
    yield at_least(
        "narrowest variance over the data's",
        narrowest_variance(fit),
        NEAR_SINGULAR,
        "No component is near to singular.",
        ADVICE[fit.kind],
    )


def narrowest_variance(fit: Fit) -> float:
    """Return the smallest eigenvalue of any component, in draws of those with rows; 0 if one is not finite."""
    spread = np.nanstd(fit.data.sample.scaled(), 0)
    factors = factors_of(fit) / np.where(spread > 0, spread, 1.0)[:, None]
    return smallest_eigenvalue(factors) if np.isfinite(factors).all() else 0.0


def factors_of(fit: Fit) -> np.ndarray:
    """Return Cholesky factors in engine units, (n, D, D): of a point, or of filled components in some draws."""
    if fit.counts is None:
        return np.asarray(fit.model.family.factors(fit.scaled))
    kept = evenly(fit.counts.shape[1], MOST_DRAWS)
    some = jax.tree.map(lambda leaf: leaf[:, kept], fit.scaled)
    return np.asarray(fit.model.family.factors(some))[fit.counts[:, kept] > 0]


def smallest_eigenvalue(factors: np.ndarray) -> float:
    """Return the smallest eigenvalue of any of the matrices L L^T, from their factors (..., D, D)."""
    return float(np.linalg.svd(factors, compute_uv=False).min() ** 2)
