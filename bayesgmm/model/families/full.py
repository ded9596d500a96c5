r"""Full covariances: Sigma_k free.

T(x) = (1, x, upper triangle of x x^T); conjugate prior
Sigma_k ~ inverse-Wishart(nu, S), mu_k | Sigma_k ~ N(m, Sigma_k / kappa)
(Gelman et al. 2013, Bayesian Data Analysis, 3.6; Murphy 2007, section 9).
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from ...numerics import wishart
from ...numerics.linalg import cholesky, half_log_det, matvec, outer, solve_lower, whitening
from ...numerics.moments import pack_form, quadratic_features, unpack
from ..mixture import Full, Mixture, Statistics
from .base import (
    SMALLEST_SCALE,
    centre,
    combined,
    log_constant,
    moved_scatter,
    posterior_mean_update,
)
from .structures import Structure, Unconstrained


class FullPrior(NamedTuple):
    """Normal-inverse-Wishart prior, independent over components."""

    mean: Array
    mean_precision: Array
    degrees_of_freedom: Array
    scale: Array

    def with_scale(self, scale: Array) -> "FullPrior":
        """Return the prior at another scale."""
        return self._replace(scale=scale)

    def update(self, statistics: Statistics) -> "FullPrior":
        """Return the posterior of each component."""
        precision, mean, shrinkage, offset = posterior_mean_update(self, statistics)
        scale = self.scale + statistics.scatter + shrinkage[..., None, None] * outer(offset)
        return FullPrior(mean, precision, self.degrees_of_freedom + statistics.counts, scale)

    def draw(self, key: Array, shape: tuple[int, ...]) -> tuple[Array, Full]:
        """Draw (means, covariance) with leading axes ``shape``."""
        key_covariance, key_mean = jax.random.split(key)
        covariance = self.covariance_from_raw(self.draw_raw(key_covariance, shape))
        noise = jax.random.normal(key_mean, (*shape, self.mean.shape[-1]))
        return self.means_from_noise(noise, covariance), covariance

    def draw_raw(self, key: Array, shape: tuple[int, ...]) -> Array:
        """Draw the Bartlett coordinates, (*shape, D(D+1)/2)."""
        return wishart.draw_raw(key, self.degrees_of_freedom, self.mean.shape[-1], shape)

    def mode(self) -> tuple[Array, Full]:
        """Return the joint mode: mean and S / (nu + D + 2)."""
        divisor = self.degrees_of_freedom + self.mean.shape[-1] + 2
        return self.mean, Full(cholesky(self.scale / divisor[..., None, None]))

    def covariance_mode(self) -> Full:
        """Return the mode of the covariance by itself, S / (nu + D + 1)."""
        divisor = self.degrees_of_freedom + self.mean.shape[-1] + 1
        return Full(cholesky(self.scale / divisor[..., None, None]))

    def log_normaliser(self) -> Array:
        """Return log of the integral of the unnormalised density, (...)."""
        size = self.mean.shape[-1]
        nu = self.degrees_of_freedom
        return (
            nu * size / 2 * jnp.log(2.0)
            + wishart.log_multigamma(nu / 2, size)
            - nu * half_log_det(cholesky(self.scale))
            + size / 2 * jnp.log(2 * jnp.pi / self.mean_precision)
        )

    def log_density(self, means: Array, covariance: Full) -> Array:
        """Return the joint log density summed over components, (...)."""
        residual = solve_lower(covariance.chol, (means - self.mean)[..., None])[..., 0]
        of_means = log_normal(residual, half_log_det(covariance.chol), self.mean_precision)
        return self.log_covariance_density(covariance) + of_means.sum(-1)

    def log_covariance_density(self, covariance: Full) -> Array:
        """Return the log density of the covariances summed over components, (...)."""
        nu, scale = self.degrees_of_freedom, self.scale
        return wishart.log_inverse_wishart(covariance.chol, nu, scale).sum(-1)

    def covariance_entropy(self) -> Array:
        """Return the entropy of Sigma, ()."""
        return wishart.inverse_wishart_entropy(self.degrees_of_freedom, self.scale)

    def raw_shape(self, n_components: int) -> tuple[int, ...]:
        """Return (K, D(D+1)/2)."""
        return n_components, wishart.n_triangle(self.mean.shape[-1])

    def raw_log_density(self, raw: Array) -> Array:
        """Return the summed log density of the Bartlett coordinates."""
        size = self.mean.shape[-1]
        return wishart.raw_log_density(raw, self.degrees_of_freedom, size).sum()

    def covariance_from_raw(self, raw: Array) -> Full:
        """Return the factor L T^{-1} of numerics.wishart, from T^T y = L^T."""
        triangle = wishart.triangle_from_raw(raw, self.mean.shape[-1])
        lower = cholesky(self.scale)
        return Full(jnp.matmul(lower, whitening(triangle)))

    def raw_from_covariance(self, covariance: Full) -> Array:
        """Return the coordinates of T = chol^{-1} L."""
        lower = jnp.broadcast_to(cholesky(self.scale), covariance.chol.shape)
        return wishart.raw_from_triangle(solve_lower(covariance.chol, lower))

    def means_from_noise(self, noise: Array, covariance: Full) -> Array:
        """Return m + chol noise / sqrt(kappa), (..., K, D)."""
        scaled = noise / jnp.sqrt(self.mean_precision)[..., None]
        return self.mean + matvec(covariance.chol, scaled)

    def noise_from_means(self, means: Array, covariance: Full) -> Array:
        """Invert ``means_from_noise``."""
        residual = solve_lower(covariance.chol, (means - self.mean)[..., None])[..., 0]
        return residual * jnp.sqrt(self.mean_precision)[..., None]


def log_normal(residual: Array, half_log_det: Array, precision: Array) -> Array:
    """Return log N(mu | m, Sigma / kappa) from the whitened residual (..., D), (...)."""
    size = residual.shape[-1]
    constant = size / 2 * jnp.log(precision / (2 * jnp.pi)) - half_log_det
    return constant - precision / 2 * (residual**2).sum(-1)


VVV = Unconstrained()


@dataclass(frozen=True)
class FullFamily:
    """One covariance matrix per component, free unless a structure ties them."""

    name: str = "full"
    record: type = Full
    structure: Structure = VVV

    def n_features(self, n_columns: int) -> int:
        """Return 1 + D + D(D+1)/2."""
        return (n_columns + 1) * (n_columns + 2) // 2

    def n_covariance_parameters(self, n_components: int, n_columns: int) -> int:
        """Return K D(D+1)/2, or what the structure leaves free."""
        return self.structure.n_covariance_parameters(n_components, n_columns)

    def features(self, columns: Array) -> Array:
        """Return (1, x, upper triangle of x x^T), (F, n)."""
        return quadratic_features(columns)

    def natural(self, mixture: Mixture) -> Array:
        """Return (constant, P mu, -P/2 packed), (..., K, F), with P = W^T W."""
        white = whitening(mixture.covariance.chol)
        return quadratic_natural(mixture, white, log_constant(self, mixture))

    def statistics(self, sums: Array, n_columns: int) -> Statistics:
        """Unpack sums of (1, x, x x^T) and centre them."""
        first = sums[..., 1 : n_columns + 1]
        second = unpack(sums[..., n_columns + 1 :], n_columns)
        return centre(sums[..., 0], first, second, 0.0, outer)

    def residuals(self, mixture: Mixture, columns: Array) -> Array:
        """Return W_k (x - mu_k), (..., K, D, n)."""
        return whitened_residuals(whitening(mixture.covariance.chol), mixture.means, columns)

    def second_moment(self, responsibilities: Array, residuals: Array) -> Array:
        """Return sum_n r_n y_n y_n^T, (..., K, D, D)."""
        return jnp.einsum("...kn,...kin,...kjn->...kij", responsibilities, residuals, residuals)

    def statistics_about(
        self, mixture: Mixture, counts: Array, first: Array, second: Array
    ) -> Statistics:
        """Colour the whitened moments with the Cholesky factors and centre them."""
        chol = mixture.covariance.chol
        coloured = jnp.einsum("...ij,...jk,...lk->...il", chol, second, chol)
        return centre(counts, matvec(chol, first), coloured, mixture.means, outer)

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
        """Return half the log determinants, (..., K)."""
        return half_log_det(mixture.covariance.chol)

    def tightness(self, mixture: Mixture) -> Array:
        """Return (sum_j |mu_j| sqrt(p_j))^2, (..., K)."""
        white = whitening(mixture.covariance.chol)
        return (jnp.abs(mixture.means) * jnp.sqrt((white**2).sum(-2))).sum(-1) ** 2

    def is_singular(self, mixture: Mixture) -> Array:
        """Compare the pivots with the variances, (..., K)."""
        return singular_factor(mixture.covariance.chol)

    def maximise(self, statistics: Statistics, ridge: ArrayLike, last: Any = None) -> Full:
        """Return the factors of scatter / count + ridge I, or of the best under the structure."""
        return self.structure.maximise(statistics, ridge, last)

    def scale_by(self, covariance: Full, factor: Any) -> Full:
        """Multiply the factors."""
        return Full(covariance.chol * factor)

    def matrices(self, mixture: Mixture) -> Array:
        """Return chol chol^T, (..., K, D, D)."""
        return jnp.einsum("...ij,...kj->...ik", mixture.covariance.chol, mixture.covariance.chol)

    def factors(self, mixture: Mixture) -> Array:
        """Return chol, (..., K, D, D)."""
        return mixture.covariance.chol

    def covariances(self, mixture: Mixture) -> Array:
        """Return chol chol^T, (..., K, D, D)."""
        return self.matrices(mixture)

    def from_matrices(self, matrices: Any) -> Full:
        """Factorise (..., K, D, D)."""
        return Full(jnp.linalg.cholesky(jnp.asarray(matrices)))

    def prior_scale(self, per_column: Any) -> Array:
        """Return diag(per_column), (D, D)."""
        return jnp.diag(jnp.asarray(per_column))

    def default_degrees_of_freedom(self, n_columns: int) -> float:
        """Return D + 2, the smallest whole number for which E Sigma = S exists."""
        return n_columns + 2.0

    def lowest_degrees_of_freedom(self, n_columns: int) -> float:
        """Return D - 1."""
        return n_columns - 1.0

    def prior(
        self, mean: Any, mean_precision: Any, degrees_of_freedom: Any, scale: Any
    ) -> FullPrior:
        """Build the normal-inverse-Wishart prior."""
        return FullPrior(mean, mean_precision, degrees_of_freedom, scale)


def singular_factor(chol: Array) -> Array:
    """Say whether a factor's smallest pivot is rounding beside its row's length, (...)."""
    size = chol.shape[-1]
    pivots = jnp.diagonal(chol, axis1=-2, axis2=-1) ** 2
    rounding = 8 * size * jnp.finfo(chol.dtype).eps * (chol**2).sum(-1)
    return ~(pivots > jnp.maximum(rounding, SMALLEST_SCALE**2)).all(-1)


def quadratic_natural(mixture: Mixture, white: Array, constant: Array) -> Array:
    """Return natural parameters for T(x) = (1, x, upper x x^T) from W with Sigma^-1 = W^T W."""
    white = jnp.broadcast_to(white, (*mixture.means.shape, mixture.means.shape[-1]))
    residual = matvec(white, mixture.means)
    linear = jnp.einsum("...ij,...i->...j", white, residual)
    precision = jnp.einsum("...ij,...ik->...jk", white, white)
    head = constant - (residual**2).sum(-1) / 2
    return jnp.concatenate([head[..., None], linear, pack_form(-precision / 2)], -1)


def whitened_residuals(white: Array, means: Array, columns: Array) -> Array:
    """Return W (x - mu) for columns (D, n), (..., K, D, n); the difference is taken first."""
    return jnp.einsum("...kij,...kjn->...kin", white, columns - means[..., None])
