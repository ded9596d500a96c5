r"""Wishart and chi-square pieces that the conjugate priors share.

Reversed Bartlett decomposition: if T is lower triangular with independent entries
T_jj^2 ~ chi2(nu - D + 1 + j), j = 0..D-1, and T_ij ~ N(0, 1) below the diagonal, then
T^T T ~ Wishart(nu, I). With S = L L^T, Sigma = L T^{-1} T^{-T} L^T is then inverse-Wishart(nu, S),
and L T^{-1} is its lower Cholesky factor: no matrix is factorised on the way.
(Bartlett 1933; Anderson 2003, An Introduction to Multivariate Statistical Analysis, 7.2.)
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import digamma, gammaln
from jax.typing import ArrayLike

from .gamma import draw_log_gamma
from .linalg import half_log_det, solve_lower


def log_multigamma(a: ArrayLike, size: int) -> Array:
    """Return the logarithm of the multivariate gamma function of dimension ``size``, (...)."""
    shifts = jnp.arange(size) / 2
    return size * (size - 1) / 4 * jnp.log(jnp.pi) + gammaln(
        jnp.asarray(a)[..., None] - shifts
    ).sum(-1)


def log_chi2_of_log(log_value: ArrayLike, degrees_of_freedom: ArrayLike) -> Array:
    """Return the log density of u = log c, c ~ chi2(nu), at u, (...)."""
    half = jnp.asarray(degrees_of_freedom) / 2
    return half * log_value - jnp.exp(log_value) / 2 - half * jnp.log(2.0) - gammaln(half)


def bartlett_degrees(degrees_of_freedom: ArrayLike, size: int) -> Array:
    """Return the chi-square degrees of freedom of the diagonal, (..., D)."""
    return jnp.asarray(degrees_of_freedom)[..., None] - size + 1 + jnp.arange(size)


def n_triangle(size: int) -> int:
    """Return the number of entries of a lower triangle, D(D+1)/2."""
    return size * (size + 1) // 2


def triangle_from_raw(raw: ArrayLike, size: int) -> Array:
    """Build T from (log T_jj^2 (D), entries below the diagonal row by row), (..., D, D)."""
    raw = jnp.asarray(raw)
    below = np.tril_indices(size, -1)
    triangle = jnp.zeros((*raw.shape[:-1], size, size), raw.dtype)
    triangle = triangle.at[..., below[0], below[1]].set(raw[..., size:])
    diagonal = np.arange(size)
    return triangle.at[..., diagonal, diagonal].set(jnp.exp(raw[..., :size] / 2))


def raw_from_triangle(triangle: ArrayLike) -> Array:
    """Invert ``triangle_from_raw``, (..., D(D+1)/2)."""
    triangle = jnp.asarray(triangle)
    size = triangle.shape[-1]
    below = np.tril_indices(size, -1)
    diagonal = jnp.diagonal(triangle, axis1=-2, axis2=-1)
    return jnp.concatenate([2 * jnp.log(diagonal), triangle[..., below[0], below[1]]], -1)


def raw_log_density(raw: ArrayLike, degrees_of_freedom: ArrayLike, size: int) -> Array:
    """Return the log density of the raw entries of T when T^T T ~ Wishart(nu, I), (...)."""
    raw = jnp.asarray(raw)
    diagonal = log_chi2_of_log(raw[..., :size], bartlett_degrees(degrees_of_freedom, size))
    below = -0.5 * (raw[..., size:] ** 2 + jnp.log(2 * jnp.pi))
    return diagonal.sum(-1) + below.sum(-1)


def draw_raw(key: Array, degrees_of_freedom: ArrayLike, size: int, shape: tuple[int, ...]) -> Array:
    """Draw the raw entries of T, (*shape, D(D+1)/2)."""
    key_diagonal, key_below = jax.random.split(key)
    degrees = bartlett_degrees(
        jnp.broadcast_to(jnp.asarray(degrees_of_freedom, float), shape), size
    )
    diagonal = jnp.log(2.0) + draw_log_gamma(key_diagonal, degrees / 2)
    below = jax.random.normal(key_below, (*shape, n_triangle(size) - size))
    return jnp.concatenate([diagonal, below], -1)


def log_inverse_wishart(chol: ArrayLike, degrees_of_freedom: ArrayLike, scale: ArrayLike) -> Array:
    """Return the log density of Sigma = chol chol^T under inverse-Wishart(nu, scale), (...)."""
    chol = jnp.asarray(chol)
    size = chol.shape[-1]
    nu = jnp.asarray(degrees_of_freedom)
    # tr(Sigma^-1 S) = |chol^-1 L|^2 with S = L L^T: the squared condition number never arises.
    lower = jnp.linalg.cholesky(scale)
    solved = solve_lower(chol, lower)
    return (
        nu * half_log_det(lower)
        - nu * size / 2 * jnp.log(2.0)
        - log_multigamma(nu / 2, size)
        - (nu + size + 1) * half_log_det(chol)
        - (solved**2).sum((-2, -1)) / 2
    )


def inverse_wishart_entropy(degrees_of_freedom: ArrayLike, scale: ArrayLike) -> Array:
    """Return the differential entropy of inverse-Wishart(nu, scale) in nats, ().

    Minus the mean log density, with E log |Sigma| = log |scale| - D log 2 - sum_j psi((nu - j) / 2)
    and E tr(Sigma^-1 scale) = nu D (Gupta & Nagar 2000, Matrix Variate Distributions, chapter 3).
    """
    nu, half = jnp.asarray(degrees_of_freedom), half_log_det(jnp.linalg.cholesky(scale))
    size = jnp.shape(scale)[-1]
    of_gamma = log_multigamma(nu / 2, size) + nu * size / 2 * (1 + jnp.log(2.0))
    half_mean = half - size / 2 * jnp.log(2.0) - digamma((nu - jnp.arange(size)) / 2).sum() / 2
    return of_gamma - nu * half + (nu + size + 1) * half_mean
