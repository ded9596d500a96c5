"""Packed second moments: the half-vectorisation of a symmetric matrix.

``pack`` keeps the upper triangle row by row. With a leading one, ``quadratic_features`` of x are
the upper triangle of (1, x)(1, x)^T, that is (1, x, upper triangle of x x^T): one elementwise
product of two row gathers, laid out with rows of data along the last axis so that every later
reduction over features or components runs over contiguous memory.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

# XLA's matrix product on CPUs is fastest for weights a multiple of so many rows wide: 0.8 of the time
# at (F, K) = (561, 30), 0.7 at (561, 3). For fewer features, or features times weights, padding costs more.
VECTOR = 8
FEWEST_FEATURES = 60
WORTH_PADDING = 400


def upper_indices(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the row and column indices of the upper triangle, diagonal included."""
    return np.triu_indices(size)


def with_ones(columns: ArrayLike) -> Array:
    """Put a row of ones above columns (D, n), giving (D + 1, n)."""
    columns = jnp.asarray(columns)
    return jnp.concatenate([jnp.ones_like(columns[:1]), columns])


def quadratic_features(columns: ArrayLike) -> Array:
    """Return (1, x, upper triangle of x x^T) for columns (D, n), giving (F, n)."""
    augmented = with_ones(columns)
    first, second = upper_indices(augmented.shape[0])
    # In-bounds promises drop the select that guards a gather: a fifth of the pass at D = 32.
    left = augmented.at[first].get(mode="promise_in_bounds", indices_are_sorted=True)
    return left * augmented.at[second].get(mode="promise_in_bounds")


def weighted_sums(features: Array, weights: Array) -> Array:
    """Return the sums of features (F, n) under each row of weights (M, n), (F, M).

    The long axis is contracted and the wide operand comes first: the transposed order is a third slower.
    """
    n_sums = len(weights)
    if len(features) >= FEWEST_FEATURES and len(features) * n_sums >= WORTH_PADDING:
        weights = jnp.pad(weights, ((0, -n_sums % VECTOR), (0, 0)))
    return jax.lax.dot_general(features, weights, (((1,), (1,)), ((), ())))[:, :n_sums]


def pack_form(matrix: ArrayLike) -> Array:
    """Pack a symmetric matrix so that ``<pack_form(A), upper(x x^T)> = x^T A x``, (..., D(D+1)/2)."""
    matrix = jnp.asarray(matrix)
    first, second = upper_indices(matrix.shape[-1])
    return matrix[..., first, second] * jnp.where(first == second, 1.0, 2.0).astype(matrix.dtype)


def unpack(packed: ArrayLike, size: int) -> Array:
    """Rebuild the symmetric matrix (..., size, size) from its upper triangle."""
    position = np.zeros((size, size), dtype=int)
    first, second = upper_indices(size)
    position[first, second] = position[second, first] = np.arange(len(first))
    return jnp.asarray(packed)[..., position]
