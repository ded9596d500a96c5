"""The start a user gives to ``GaussianMixture``: weights, means and precisions, checked.

Messages begin as scikit-learn's do and go on with what to do.
"""

from typing import Any

import numpy as np
from sklearn.utils import check_array

from ..engines.starts import PartialStart
from ..model.families import family_named
from ..model.mixture import Diagonal, Full, Spherical, Tied


def given_start(
    name: str,
    covariance_type: str,
    shape: tuple[int, int],
    *,
    weights: Any,
    means: Any,
    precisions: Any,
) -> str | PartialStart:
    """Return a named start with the parameters that were given in place of its own.

    Args:
        name: one of the named starts.
        covariance_type: covariance structure.
        shape: (K, D).
        weights: (K,) or None.
        means: (K, D) or None.
        precisions: (K, D, D), (D, D), (K, D) or (K,) by structure, or None.

    Raises:
        ValueError: a wrong shape, or weights or precisions that are none.
    """
    if weights is None and means is None and precisions is None:
        return name
    return PartialStart(
        name,
        weights=None if weights is None else check_weights(weights, shape[0]),
        means=None if means is None else check_means(means, shape),
        precisions=None
        if precisions is None
        else check_precisions(precisions, covariance_type, shape),
    )


def check_weights(weights: Any, n_components: int) -> np.ndarray:
    """Return the weights if there is one per component and they are a distribution."""
    weights = _as_floats(weights, "weights_init")
    _check_shape(weights, (n_components,), "weights", "one weight per component")
    if (weights < 0).any() or (weights > 1).any():
        raise ValueError(
            "The parameter 'weights' should be in the range [0, 1], but got max value "
            f"{weights.max():.5f}, min value {weights.min():.5f}. Pass shares of the rows as weights_init."
        )
    total = weights.sum(dtype=float)
    if abs(total - 1) > (1e-6 if weights.dtype == np.float32 else 1e-8):
        raise ValueError(
            f"The parameter 'weights' should be normalized, but got sum(weights) = {total:.5f}. "
            "Divide weights_init by their sum."
        )
    return weights


def check_means(means: Any, shape: tuple[int, int]) -> np.ndarray:
    """Return the means if there is one row per component."""
    means = _as_floats(means, "means_init")
    _check_shape(means, shape, "means", "one row per component and one column per column of X")
    return means


def check_precisions(precisions: Any, covariance_type: str, shape: tuple[int, int]) -> np.ndarray:
    """Return the precisions if they have the structure's shape and are positive definite."""
    n_components, n_columns = shape
    record = family_named(covariance_type).record
    shapes: dict[type, tuple[int, ...]] = {
        Full: (n_components, n_columns, n_columns),
        Tied: (n_columns, n_columns),
        Diagonal: (n_components, n_columns),
        Spherical: (n_components,),
    }
    precisions = _as_floats(precisions, "precisions_init")
    name = f"{covariance_type} precision"
    _check_shape(precisions, shapes[record], name, "inverse covariances")
    if record in (Full, Tied):
        _check_positive_definite(precisions, name)
    elif (precisions <= 0).any():
        raise ValueError(
            f"'{name}' should be positive, but got min value {precisions.min():g}. "
            "Pass inverse variances as precisions_init."
        )
    return precisions


def _check_positive_definite(precisions: np.ndarray, name: str) -> None:
    is_symmetric = np.allclose(precisions, np.swapaxes(precisions, -1, -2))
    if not is_symmetric:
        raise ValueError(
            f"'{name}' should be symmetric, positive-definite, but got a matrix that is not symmetric. "
            "Pass inverse covariances as precisions_init, for instance (P + P.T) / 2."
        )
    lowest = np.linalg.eigvalsh(precisions).min()
    if lowest <= 0:
        raise ValueError(
            f"'{name}' should be symmetric, positive-definite, but got an eigenvalue of {lowest:g}. "
            "Pass inverse covariances as precisions_init."
        )


def _as_floats(values: Any, name: str) -> np.ndarray:
    return check_array(
        values,
        dtype=[np.float64, np.float32],
        ensure_2d=False,
        allow_nd=True,
        ensure_min_samples=0,
        input_name=name,
    )


def _check_shape(values: np.ndarray, shape: tuple[int, ...], name: str, content: str) -> None:
    if values.shape != shape:
        raise ValueError(
            f"The parameter '{name}' should have the shape of {shape}, but got {values.shape}. "
            f"Pass {content}."
        )
