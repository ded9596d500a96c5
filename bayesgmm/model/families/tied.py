r"""Tied covariance: Sigma_k = Sigma for all components.

Features as for the full family; conjugate prior Sigma ~ inverse-Wishart(nu, S),
mu_k | Sigma ~ N(m, Sigma / kappa) for each k.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from ...numerics import wishart
from ...numerics.linalg import cholesky, half_log_det, matvec, outer, solve_lower, whitening
from ...numerics.moments import quadratic_features
from ..mixture import Full, Mixture, Statistics, Tied
from .base import combined, log_constant, moved_scatter, posterior_mean_update
from .full import (
    FullFamily,
    log_normal,
    quadratic_natural,
    singular_factor,
    whitened_residuals,
)

_FULL = FullFamily()


class TiedPrior(NamedTuple):
    """Normal-inverse-Wishart prior with one covariance shared by all components."""

    mean: Array
    mean_precision: Array
    degrees_of_freedom: Array
    scale: Array

    def with_scale(self, scale: Array) -> "TiedPrior":
        """Return the prior at another scale."""
        return self._replace(scale=scale)

    def update(self, statistics: Statistics) -> "TiedPrior":
        """Return the posterior: the scatters of all components are pooled."""
        precision, mean, shrinkage, offset = posterior_mean_update(self, statistics)
        pooled = (statistics.scatter + shrinkage[..., None, None] * outer(offset)).sum(-3)
        nu = self.degrees_of_freedom + statistics.counts.sum(-1)
        return TiedPrior(mean, precision, nu, self.scale + pooled)

    def draw(self, key: Array, shape: tuple[int, ...]) -> tuple[Array, Tied]:
        """Draw (means, covariance) with leading axes ``shape``; the last axis counts components."""
        key_covariance, key_mean = jax.random.split(key)
        covariance = self.covariance_from_raw(self.draw_raw(key_covariance, shape))
        noise = jax.random.normal(key_mean, (*shape, self.mean.shape[-1]))
        return self.means_from_noise(noise, covariance), covariance

    def draw_raw(self, key: Array, shape: tuple[int, ...]) -> Array:
        """Draw the Bartlett coordinates, (*shape[:-1], D(D+1)/2)."""
        return wishart.draw_raw(key, self.degrees_of_freedom, self.mean.shape[-1], shape[:-1])

    def mode(self) -> tuple[Array, Tied]:
        """Return the joint mode: means and S / (nu + D + 1 + K)."""
        n_components = self.mean.shape[-2]
        divisor = self.degrees_of_freedom + self.mean.shape[-1] + 1 + n_components
        return self.mean, Tied(cholesky(self.scale / divisor[..., None, None]))

    def covariance_mode(self) -> Tied:
        """Return the mode of Sigma by itself, S / (nu + D + 1)."""
        divisor = self.degrees_of_freedom + self.mean.shape[-1] + 1
        return Tied(cholesky(self.scale / divisor[..., None, None]))

    def log_normaliser(self) -> Array:
        """Return log of the integral over Sigma and all updated means, (...)."""
        size = self.mean.shape[-1]
        nu = self.degrees_of_freedom
        of_means = size / 2 * jnp.log(2 * jnp.pi / self.mean_precision)
        return (
            nu * size / 2 * jnp.log(2.0)
            + wishart.log_multigamma(nu / 2, size)
            - nu * half_log_det(cholesky(self.scale))
            + of_means.sum(-1)
        )

    def log_density(self, means: Array, covariance: Tied) -> Array:
        """Return the joint log density of Sigma and all means, (...)."""
        residual = _whiten(covariance, means - self.mean)
        of_means = log_normal(
            residual, half_log_det(covariance.chol)[..., None], self.mean_precision
        )
        return self.log_covariance_density(covariance) + of_means.sum(-1)

    def log_covariance_density(self, covariance: Tied) -> Array:
        """Return the log density of Sigma, (...)."""
        return wishart.log_inverse_wishart(covariance.chol, self.degrees_of_freedom, self.scale)

    def covariance_entropy(self) -> Array:
        """Return the entropy of Sigma, ()."""
        return wishart.inverse_wishart_entropy(self.degrees_of_freedom, self.scale)

    def raw_shape(self, n_components: int) -> tuple[int, ...]:
        """Return (D(D+1)/2,)."""
        del n_components
        return (wishart.n_triangle(self.mean.shape[-1]),)

    def raw_log_density(self, raw: Array) -> Array:
        """Return the log density of the Bartlett coordinates."""
        return wishart.raw_log_density(raw, self.degrees_of_freedom, self.mean.shape[-1])

    def covariance_from_raw(self, raw: Array) -> Tied:
        """Return the factor L T^{-1} of numerics.wishart."""
        triangle = wishart.triangle_from_raw(raw, self.mean.shape[-1])
        return Tied(jnp.matmul(cholesky(self.scale), whitening(triangle)))

    def raw_from_covariance(self, covariance: Tied) -> Array:
        """Return the coordinates of T = chol^{-1} L."""
        lower = jnp.broadcast_to(cholesky(self.scale), covariance.chol.shape)
        return wishart.raw_from_triangle(solve_lower(covariance.chol, lower))

    def means_from_noise(self, noise: Array, covariance: Tied) -> Array:
        """Return m + chol noise / sqrt(kappa), (..., K, D)."""
        scaled = noise / jnp.sqrt(self.mean_precision)[..., None]
        return self.mean + matvec(covariance.chol[..., None, :, :], scaled)

    def noise_from_means(self, means: Array, covariance: Tied) -> Array:
        """Invert ``means_from_noise``."""
        return _whiten(covariance, means - self.mean) * jnp.sqrt(self.mean_precision)[..., None]


def _whiten(covariance: Tied, offsets: Array) -> Array:
    """Return W offsets for offsets (..., K, D)."""
    solved = solve_lower(covariance.chol, jnp.swapaxes(offsets, -1, -2))
    return jnp.swapaxes(solved, -1, -2)


@dataclass(frozen=True)
class TiedFamily:
    """One covariance matrix shared by all components."""

    name: str = "tied"
    record: type = Tied

    def n_features(self, n_columns: int) -> int:
        """Return 1 + D + D(D+1)/2."""
        return _FULL.n_features(n_columns)

    def n_covariance_parameters(self, n_components: int, n_columns: int) -> int:
        """Return D(D+1)/2."""
        del n_components
        return n_columns * (n_columns + 1) // 2

    def features(self, columns: Array) -> Array:
        """Return (1, x, upper triangle of x x^T), (F, n)."""
        return quadratic_features(columns)

    def natural(self, mixture: Mixture) -> Array:
        """Return (constant, P mu, -P/2 packed), (..., K, F)."""
        white = whitening(mixture.covariance.chol)[..., None, :, :]
        return quadratic_natural(mixture, white, log_constant(self, mixture))

    def statistics(self, sums: Array, n_columns: int) -> Statistics:
        """Unpack sums of (1, x, x x^T) and centre them."""
        return _FULL.statistics(sums, n_columns)

    def residuals(self, mixture: Mixture, columns: Array) -> Array:
        """Return W (x - mu_k), (..., K, D, n)."""
        white = whitening(mixture.covariance.chol)[..., None, :, :]
        white = jnp.broadcast_to(white, (*mixture.means.shape, mixture.means.shape[-1]))
        return whitened_residuals(white, mixture.means, columns)

    def second_moment(self, responsibilities: Array, residuals: Array) -> Array:
        """Return sum_n r_n y_n y_n^T, (..., K, D, D)."""
        return _FULL.second_moment(responsibilities, residuals)

    def statistics_about(
        self, mixture: Mixture, counts: Array, first: Array, second: Array
    ) -> Statistics:
        """Colour the whitened moments and centre them."""
        chol = jnp.broadcast_to(mixture.covariance.chol[..., None, :, :], second.shape)
        expanded = mixture._replace(covariance=Full(chol))
        return _FULL.statistics_about(expanded, counts, first, second)

    def scatter_about(self, statistics: Statistics, means: Array) -> Array:
        """Return the scatter about given means."""
        return moved_scatter(statistics, means, outer)

    def combine(self, one: Statistics, other: Statistics) -> Statistics:
        """Join two groups of rows."""
        return combined(one, other, outer)

    def column_scatter(self, statistics: Statistics) -> Array:
        """Return the diagonals, (..., K, D)."""
        return jnp.diagonal(statistics.scatter, axis1=-2, axis2=-1)

    def scatter_from_matrices(self, matrices: Array) -> Array:
        """Return the matrices, (..., K, D, D)."""
        return matrices

    def half_log_det(self, mixture: Mixture) -> Array:
        """Return half the log determinant, (..., 1)."""
        return half_log_det(mixture.covariance.chol)[..., None]

    def tightness(self, mixture: Mixture) -> Array:
        """Return (sum_j |mu_j| sqrt(p_j))^2, (..., K)."""
        white = whitening(mixture.covariance.chol)[..., None, :, :]
        return (jnp.abs(mixture.means) * jnp.sqrt((white**2).sum(-2))).sum(-1) ** 2

    def is_singular(self, mixture: Mixture) -> Array:
        """Compare the pivots with the variances, (..., 1)."""
        return singular_factor(mixture.covariance.chol)[..., None]

    def maximise(self, statistics: Statistics, ridge: ArrayLike, last: Any = None) -> Tied:
        """Return the Cholesky factor of pooled scatter / N + ridge I."""
        del last
        pooled = statistics.scatter.sum(-3) / statistics.counts.sum(-1)[..., None, None]
        identity = jnp.eye(statistics.means.shape[-1], dtype=pooled.dtype)
        return Tied(jnp.linalg.cholesky(pooled + ridge * identity))

    def scale_by(self, covariance: Tied, factor: Any) -> Tied:
        """Multiply the factor."""
        return Tied(covariance.chol * factor)

    def matrices(self, mixture: Mixture) -> Array:
        """Return chol chol^T repeated, (..., K, D, D)."""
        chol = mixture.covariance.chol
        dense = jnp.einsum("...ij,...kj->...ik", chol, chol)[..., None, :, :]
        return jnp.broadcast_to(dense, (*mixture.means.shape, mixture.means.shape[-1]))

    def factors(self, mixture: Mixture) -> Array:
        """Return chol repeated, (..., K, D, D)."""
        chol = mixture.covariance.chol[..., None, :, :]
        return jnp.broadcast_to(chol, (*mixture.means.shape, mixture.means.shape[-1]))

    def covariances(self, mixture: Mixture) -> Array:
        """Return chol chol^T for every component, (..., K, D, D)."""
        return self.matrices(mixture)

    def from_matrices(self, matrices: Any) -> Tied:
        """Factorise (..., D, D)."""
        return Tied(jnp.linalg.cholesky(jnp.asarray(matrices)))

    def prior_scale(self, per_column: Any) -> Array:
        """Return diag(per_column), (D, D)."""
        return jnp.diag(jnp.asarray(per_column))

    def default_degrees_of_freedom(self, n_columns: int) -> float:
        """Return D + 2."""
        return n_columns + 2.0

    def lowest_degrees_of_freedom(self, n_columns: int) -> float:
        """Return D - 1."""
        return n_columns - 1.0

    def prior(
        self, mean: Any, mean_precision: Any, degrees_of_freedom: Any, scale: Any
    ) -> TiedPrior:
        """Build the prior."""
        return TiedPrior(mean, mean_precision, degrees_of_freedom, scale)
