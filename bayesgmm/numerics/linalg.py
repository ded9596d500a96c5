"""Triangular linear algebra on stacks of small matrices.

A covariance is kept as its lower Cholesky factor ``chol`` (Sigma = chol chol^T) and a precision is
applied by solving with that factor.
"""

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.linalg import solve_triangular
from jax.typing import ArrayLike

# Up to this size a row-by-row substitution over the whole stack beats one LAPACK call per matrix.
UNROLLED_SIZE = 8
# The same for the factorisation, whose unrolled program grows with the cube.
UNROLLED_FACTOR = 4


def cholesky(matrix: ArrayLike) -> Array:
    """Return the lower factors of a stack of positive definite matrices, (..., D, D)."""
    matrix = jnp.asarray(matrix)
    if matrix.shape[-1] <= UNROLLED_FACTOR:
        return _factorise(matrix)
    return jnp.linalg.cholesky(matrix)


def _factorise(matrix: Array) -> Array:
    """Factorise column by column, all matrices at a time."""
    size = matrix.shape[-1]
    zero = jnp.zeros(matrix.shape[:-2], matrix.dtype)
    lower = [[zero] * size for _ in range(size)]
    for j in range(size):
        for i in range(j, size):
            rest = matrix[..., i, j] - sum(lower[i][m] * lower[j][m] for m in range(j))
            lower[i][j] = jnp.sqrt(rest) if i == j else rest / lower[j][j]
    return jnp.stack([jnp.stack(row, -1) for row in lower], -2)


def solve_lower(chol: ArrayLike, right: ArrayLike) -> Array:
    """Solve ``chol y = right`` for stacks: chol (..., D, D), right (..., D, M)."""
    chol, right = jnp.asarray(chol), jnp.asarray(right)
    if chol.shape[-1] <= UNROLLED_SIZE:
        return _substitute(chol, right)
    return jnp.vectorize(
        lambda lower, b: solve_triangular(lower, b, lower=True), signature="(d,d),(d,m)->(d,m)"
    )(chol, right)


def _substitute(chol: Array, right: Array) -> Array:
    """Forward substitution, one row of all systems at a time."""
    solved: list[Array] = []
    for i in range(chol.shape[-1]):
        row = right[..., i, :]
        for j, known in enumerate(solved):
            row = row - chol[..., i, j, None] * known
        solved.append(row / chol[..., i, i, None])
    return jnp.stack(jnp.broadcast_arrays(*solved), -2)


def whitening(chol: ArrayLike) -> Array:
    """Return W with ``W Sigma W^T = I``, the inverse of the lower factor, (..., D, D)."""
    chol = jnp.asarray(chol)
    if chol.shape[-1] <= UNROLLED_SIZE:
        return _substitute(chol, _identity_like(chol))
    return _inverse_by_blocks(chol)


def _identity_like(matrix: Array) -> Array:
    return jnp.broadcast_to(jnp.eye(matrix.shape[-1], dtype=matrix.dtype), matrix.shape)


def _inverse_by_blocks(lower: Array) -> Array:
    """Invert lower triangles whose diagonal blocks are small, joining two and two of them.

    The inverse of [[A, 0], [B, C]] is [[a, 0], [-c B a, c]] with a, c those of A, C. LAPACK's solver would
    leave its threads waiting, for longer than a pass takes, on cores that the pass needs.
    """
    size = lower.shape[-1]
    n_blocks = 2 ** int(np.ceil(np.log2(size / UNROLLED_SIZE)))
    width = -(-size // n_blocks)
    lower = _grown(lower, n_blocks * width)
    every = np.arange(n_blocks)
    blocks = _blocks(lower, width, every, every)
    inverse = _substitute(blocks, _identity_like(blocks))
    while width < lower.shape[-1]:
        first, second = inverse[..., 0::2, :, :], inverse[..., 1::2, :, :]
        even = np.arange(0, inverse.shape[-3], 2)
        below = -second @ _blocks(lower, width, even + 1, even) @ first
        inverse = jnp.block([[first, jnp.zeros_like(first)], [below, second]])
        width *= 2
    return inverse[..., 0, :size, :size]


def _grown(lower: Array, size: int) -> Array:
    """Continue lower triangles with the identity."""
    more = size - lower.shape[-1]
    padding = [(0, 0)] * (lower.ndim - 2) + [(0, more)] * 2
    tail = np.arange(size) >= lower.shape[-1]
    return jnp.pad(lower, padding) + jnp.diag(jnp.asarray(tail, lower.dtype))


def _blocks(matrix: Array, width: int, rows: np.ndarray, columns: np.ndarray) -> Array:
    """Return the square blocks at some places (i, j), counted in blocks, (..., M, width, width)."""
    n_blocks = matrix.shape[-1] // width
    split = matrix.reshape(*matrix.shape[:-2], n_blocks, width, n_blocks, width)
    return jnp.swapaxes(split, -3, -2)[..., rows, columns, :, :]


def half_log_det(chol: ArrayLike) -> Array:
    """Return ``log det(Sigma) / 2`` from the lower factor, (...)."""
    return jnp.log(jnp.diagonal(jnp.asarray(chol), axis1=-2, axis2=-1)).sum(-1)


def matvec(matrix: ArrayLike, vector: ArrayLike) -> Array:
    """Multiply stacks: (..., D, E) times (..., E)."""
    return jnp.einsum("...de,...e->...d", matrix, vector)


def outer(vector: ArrayLike) -> Array:
    """Return ``v v^T`` for a stack of vectors, (..., D, D)."""
    vector = jnp.asarray(vector)
    return vector[..., :, None] * vector[..., None, :]
