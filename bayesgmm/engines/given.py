"""Parameters and responsibilities that a user gives as a start, checked and taken to engine units."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..model.families.base import Family
from ..model.mixture import Diagonal, Mixture, Spherical
from ..model.resolved import Model


def covariance_from_precisions(family: Family, precisions: np.ndarray) -> Any:
    """Return the covariance record of precisions in scikit-learn's shapes."""
    if family.record in (Diagonal, Spherical):
        return family.record(jnp.asarray(precisions) ** -0.5)
    return family.from_matrices(np.linalg.inv(precisions))


def given_mixture(mixture: Mixture, model: Model) -> Mixture:
    """Return a user's mixture in engine units, its shapes checked."""
    expected = (model.n_components, model.n_columns)
    if np.shape(mixture.means) != expected or np.shape(mixture.log_weights) != expected[:1]:
        raise ValueError(
            f"Expected a starting mixture with means {expected} and log_weights {expected[:1]}, got "
            f"{np.shape(mixture.means)} and {np.shape(mixture.log_weights)}. Match n_components and columns."
        )
    if not isinstance(mixture.covariance, model.family.record):
        raise ValueError(
            f"Expected a starting covariance of type {model.family.record.__name__} for covariance="
            f"{model.family.name!r}, got {type(mixture.covariance).__name__}. Convert it first."
        )
    check_parameters(mixture, model)
    covariance = model.family.scale_by(mixture.covariance, 1 / float(model.affine.scale))
    return Mixture(
        jnp.asarray(mixture.log_weights, float),
        jnp.asarray(model.affine.forward(np.asarray(mixture.means, float)), float),
        type(covariance)(*(jnp.asarray(leaf, float) for leaf in covariance)),
    )


def check_parameters(mixture: Mixture, model: Model) -> None:
    """Raise unless covariances have their shape, numbers are finite and weights sum to one."""
    sums = jax.ShapeDtypeStruct(
        (model.n_components, model.family.n_features(model.n_columns)), jnp.float32
    )
    expected = jax.eval_shape(
        lambda sums: model.family.maximise(model.family.statistics(sums, model.n_columns), 0.0),
        sums,
    )
    for leaf, like in zip(mixture.covariance, expected, strict=True):
        if np.shape(leaf) != like.shape:
            raise ValueError(
                f"Expected a starting covariance of shape {like.shape}, got {np.shape(leaf)}. "
                "Match n_components and columns."
            )
    total = np.exp(np.asarray(mixture.log_weights)).sum()
    finite = all(np.isfinite(leaf).all() for leaf in (mixture.means, *mixture.covariance))
    if not (finite and abs(total - 1) < 1e-4):
        raise ValueError(
            "Expected a starting mixture of finite numbers whose weights sum to one, got weights that "
            f"sum to {total:g} and {'finite' if finite else 'infinite or missing'} parameters. "
            "Check where the mixture comes from."
        )


def check_responsibilities(table: np.ndarray, n_rows: int, n_components: int) -> np.ndarray:
    """Return starting responsibilities if they are a distribution for each row."""
    if table.shape != (n_rows, n_components):
        raise ValueError(
            f"Expected starting responsibilities of shape {(n_rows, n_components)}, got {table.shape}. "
            "Give one row per row of data and one column per component."
        )
    if not (np.isfinite(table).all() and (table >= 0).all() and np.allclose(table.sum(1), 1)):
        raise ValueError(
            "Expected starting responsibilities that are >= 0 and sum to 1 in each row, got others. "
            "Divide each row by its sum."
        )
    return table
