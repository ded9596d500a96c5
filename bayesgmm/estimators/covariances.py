"""Covariances of a point fit in scikit-learn's shapes, in the data's units and type.

A covariance record holds lower Cholesky factors (full, tied) or standard deviations (diagonal,
spherical), whose leading axes are scikit-learn's already.
"""

import numpy as np
from scipy.linalg import solve_triangular

from ..model.mixture import Diagonal, Spherical
from ..result import Fit


def covariances(fit: Fit) -> np.ndarray:
    """Return Sigma, (K, D, D), (D, D), (K, D) or (K,)."""
    factor = _factor(fit)
    squared = factor**2 if _is_scales(fit) else factor @ np.swapaxes(factor, -1, -2)
    return squared.astype(fit.model.dtype)


def precisions(fit: Fit) -> np.ndarray:
    """Return the inverses of the covariances, in their shape."""
    factor = _upper_factor(fit)
    squared = factor**2 if _is_scales(fit) else factor @ np.swapaxes(factor, -1, -2)
    return squared.astype(fit.model.dtype)


def precisions_cholesky(fit: Fit) -> np.ndarray:
    """Return the upper factor U of each precision U U^T; inverse scales if there is no matrix."""
    return _upper_factor(fit).astype(fit.model.dtype)


def _factor(fit: Fit) -> np.ndarray:
    (factor,) = fit.model.family.scale_by(fit.scaled.covariance, float(fit.model.affine.scale))
    return np.asarray(factor, float)


def _upper_factor(fit: Fit) -> np.ndarray:
    factor = _factor(fit)
    if _is_scales(fit):
        return 1 / factor
    identity = np.eye(factor.shape[-1])
    return np.swapaxes(solve_triangular(factor, identity, lower=True), -1, -2)


def _is_scales(fit: Fit) -> bool:
    return isinstance(fit.scaled.covariance, Diagonal | Spherical)
