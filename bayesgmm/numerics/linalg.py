"""Triangular linear algebra on stacks of small matrices.

A covariance is kept as its lower Cholesky factor ``chol`` (Sigma = chol chol^T) and a precision is
applied by solving with that factor.
"""

import jax.numpy as jnp
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
    return solve_lower(
        chol, jnp.broadcast_to(jnp.eye(chol.shape[-1], dtype=chol.dtype), chol.shape)
    )


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
