r"""Diagonal covariances: Sigma_k = diag(sigma_kj^2).

T(x) = (1, x, x^2); conjugate prior, column by column,
sigma_kj^2 ~ inverse-gamma(nu / 2, S_j / 2), mu_kj | sigma_kj^2 ~ N(m_j, sigma_kj^2 / kappa).
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import digamma, gammaln
from jax.typing import ArrayLike

from ...numerics.gamma import draw_log_gamma
from ...numerics.moments import with_ones
from ...numerics.wishart import log_chi2_of_log
from ..mixture import Diagonal, Mixture, Statistics
from .base import (
    SMALLEST_SCALE,
    centre,
    combined,
    log_constant,
    moved_scatter,
    posterior_mean_update,
)
from .structures import AlongColumns, NothingShared, Structure


class DiagonalPrior(NamedTuple):
    """Normal-inverse-gamma prior, independent over components and columns."""

    mean: Array
    mean_precision: Array
    degrees_of_freedom: Array
    scale: Array

    def with_scale(self, scale: Array) -> "DiagonalPrior":
        """Return the prior at another scale."""
        return self._replace(scale=scale)

    def update(self, statistics: Statistics) -> "DiagonalPrior":
        """Return the posterior of each component and column."""
        precision, mean, shrinkage, offset = posterior_mean_update(self, statistics)
        scale = self.scale + statistics.scatter + shrinkage[..., None] * offset**2
        return DiagonalPrior(mean, precision, self.degrees_of_freedom + statistics.counts, scale)

    def draw(self, key: Array, shape: tuple[int, ...]) -> tuple[Array, Diagonal]:
        """Draw (means, covariance) with leading axes ``shape``."""
        key_covariance, key_mean = jax.random.split(key)
        covariance = self.covariance_from_raw(self.draw_raw(key_covariance, shape))
        noise = jax.random.normal(key_mean, (*shape, self.mean.shape[-1]))
        return self.means_from_noise(noise, covariance), covariance

    def draw_raw(self, key: Array, shape: tuple[int, ...]) -> Array:
        """Draw log(S_j / sigma_j^2), (*shape, D)."""
        whole = (*shape, self.mean.shape[-1])
        nu = jnp.broadcast_to(self.degrees_of_freedom[..., None], whole)
        return jnp.log(2.0) + draw_log_gamma(key, nu / 2)

    def mode(self) -> tuple[Array, Diagonal]:
        """Return the joint mode: mean and S / (nu + 3)."""
        divisor = self.degrees_of_freedom[..., None] + 3
        return self.mean, Diagonal(jnp.sqrt(self.scale / divisor))

    def covariance_mode(self) -> Diagonal:
        """Return the mode of the variances by themselves, S / (nu + 2)."""
        divisor = self.degrees_of_freedom[..., None] + 2
        return Diagonal(jnp.sqrt(self.scale / divisor))

    def log_normaliser(self) -> Array:
        """Return log of the integral, summed over columns, (...)."""
        half = self.degrees_of_freedom[..., None] / 2
        of_variance = gammaln(half) - half * jnp.log(self.scale / 2)
        of_mean = 0.5 * jnp.log(2 * jnp.pi / self.mean_precision)
        return of_variance.sum(-1) + self.mean.shape[-1] * of_mean

    def log_density(self, means: Array, covariance: Diagonal) -> Array:
        """Return the joint log density summed over components and columns, (...)."""
        precision = self.mean_precision[..., None] / covariance.scales**2
        of_mean = 0.5 * jnp.log(precision / (2 * jnp.pi)) - precision / 2 * (means - self.mean) ** 2
        return self.log_covariance_density(covariance) + of_mean.sum((-2, -1))

    def log_covariance_density(self, covariance: Diagonal) -> Array:
        """Return the log density of the variances summed over components and columns, (...)."""
        nu, scale = self.degrees_of_freedom[..., None], self.scale
        return log_inverse_gamma(covariance.scales**2, nu, scale).sum((-2, -1))

    def covariance_entropy(self) -> Array:
        """Return the entropy of the variances of one component, ()."""
        return inverse_gamma_entropy(self.degrees_of_freedom, self.scale).sum()

    def raw_shape(self, n_components: int) -> tuple[int, ...]:
        """Return (K, D)."""
        return n_components, self.mean.shape[-1]

    def raw_log_density(self, raw: Array) -> Array:
        """Return the summed log density of log(S_j / sigma_kj^2)."""
        return log_chi2_of_log(raw, self.degrees_of_freedom).sum()

    def covariance_from_raw(self, raw: Array) -> Diagonal:
        """Return sigma = sqrt(S) exp(-raw / 2)."""
        return Diagonal(jnp.sqrt(self.scale) * jnp.exp(-raw / 2))

    def raw_from_covariance(self, covariance: Diagonal) -> Array:
        """Return log(S / sigma^2)."""
        return jnp.log(self.scale) - 2 * jnp.log(covariance.scales)

    def means_from_noise(self, noise: Array, covariance: Diagonal) -> Array:
        """Return m + sigma noise / sqrt(kappa), (..., K, D)."""
        return self.mean + covariance.scales * noise / jnp.sqrt(self.mean_precision)[..., None]

    def noise_from_means(self, means: Array, covariance: Diagonal) -> Array:
        """Invert ``means_from_noise``."""
        return (means - self.mean) / covariance.scales * jnp.sqrt(self.mean_precision)[..., None]


def log_inverse_gamma(variances: Array, degrees_of_freedom: Array, scale: Array) -> Array:
    """Return the log density of inverse-gamma(nu / 2, scale / 2), (...)."""
    half = degrees_of_freedom / 2
    return (
        half * jnp.log(scale / 2)
        - gammaln(half)
        - (half + 1) * jnp.log(variances)
        - scale / (2 * variances)
    )


def inverse_gamma_entropy(degrees_of_freedom: Array, scale: Array) -> Array:
    """Return the differential entropy of inverse-gamma(nu / 2, scale / 2), (...)."""
    half = degrees_of_freedom / 2
    return half + jnp.log(scale / 2) + gammaln(half) - (half + 1) * digamma(half)


VVI = AlongColumns(NothingShared())


@dataclass(frozen=True)
class DiagonalFamily:
    """One variance per component and column; a structure may tie them."""

    name: str = "diag"
    record: type = Diagonal
    structure: Structure = VVI

    def n_features(self, n_columns: int) -> int:
        """Return 1 + 2 D."""
        return 1 + 2 * n_columns

    def n_covariance_parameters(self, n_components: int, n_columns: int) -> int:
        """Return K D, or what the structure leaves free."""
        return self.structure.n_covariance_parameters(n_components, n_columns)

    def features(self, columns: Array) -> Array:
        """Return (1, x, x^2), (F, n)."""
        return jnp.concatenate([with_ones(columns), columns**2])

    def natural(self, mixture: Mixture) -> Array:
        """Return (constant, mu / sigma^2, -1 / (2 sigma^2)), (..., K, F)."""
        precision = mixture.covariance.scales**-2
        head = log_constant(self, mixture) - (precision * mixture.means**2).sum(-1) / 2
        return jnp.concatenate([head[..., None], precision * mixture.means, -precision / 2], -1)

    def statistics(self, sums: Array, n_columns: int) -> Statistics:
        """Unpack sums of (1, x, x^2) and centre them."""
        first = sums[..., 1 : n_columns + 1]
        return centre(sums[..., 0], first, sums[..., n_columns + 1 :], 0.0, jnp.square)

    def residuals(self, mixture: Mixture, columns: Array) -> Array:
        """Return (x - mu) / sigma, (..., K, D, n)."""
        return (columns - mixture.means[..., None]) / mixture.covariance.scales[..., None]

    def second_moment(self, responsibilities: Array, residuals: Array) -> Array:
        """Return sum_n r_n y_n^2, (..., K, D)."""
        return jnp.einsum("...kn,...kdn->...kd", responsibilities, residuals**2)

    def statistics_about(
        self, mixture: Mixture, counts: Array, first: Array, second: Array
    ) -> Statistics:
        """Multiply the whitened moments by the scales and centre them."""
        scales = mixture.covariance.scales
        return centre(counts, scales * first, scales**2 * second, mixture.means, jnp.square)

    def scatter_about(self, statistics: Statistics, means: Array) -> Array:
        """Return the scatter about given means."""
        return moved_scatter(statistics, means, jnp.square)

    def combine(self, one: Statistics, other: Statistics) -> Statistics:
        """Join two groups of rows."""
        return combined(one, other, jnp.square)

    def column_scatter(self, statistics: Statistics) -> Array:
        """Return the scatter itself, (..., K, D)."""
        return statistics.scatter

    def scatter_from_matrices(self, matrices: Array) -> Array:
        """Return the diagonals, (..., K, D)."""
        return jnp.diagonal(matrices, axis1=-2, axis2=-1)

    def half_log_det(self, mixture: Mixture) -> Array:
        """Return the summed log scales, (..., K)."""
        return jnp.log(mixture.covariance.scales).sum(-1)

    def tightness(self, mixture: Mixture) -> Array:
        """Return (sum_j |mu_j| / sigma_j)^2, (..., K)."""
        return jnp.abs(mixture.means / mixture.covariance.scales).sum(-1) ** 2

    def is_singular(self, mixture: Mixture) -> Array:
        """Compare the scales with rounding, (..., K)."""
        return ~(mixture.covariance.scales > SMALLEST_SCALE).all(-1)

    def maximise(self, statistics: Statistics, ridge: ArrayLike, last: Any = None) -> Diagonal:
        """Return sqrt(scatter / count + ridge), or the best under the structure."""
        return self.structure.maximise(statistics, ridge, last)

    def scale_by(self, covariance: Diagonal, factor: Any) -> Diagonal:
        """Multiply the scales."""
        return Diagonal(covariance.scales * factor)

    def matrices(self, mixture: Mixture) -> Array:
        """Return diag(sigma^2), (..., K, D, D)."""
        variances = mixture.covariance.scales**2
        return variances[..., None] * jnp.eye(variances.shape[-1], dtype=variances.dtype)

    def factors(self, mixture: Mixture) -> Array:
        """Return diag(sigma), (..., K, D, D)."""
        scales = mixture.covariance.scales
        return scales[..., None] * jnp.eye(scales.shape[-1], dtype=scales.dtype)

    def covariances(self, mixture: Mixture) -> Array:
        """Return the variances, (..., K, D)."""
        return mixture.covariance.scales**2

    def from_matrices(self, matrices: Any) -> Diagonal:
        """Keep the diagonals of (..., K, D, D)."""
        return Diagonal(jnp.sqrt(jnp.diagonal(jnp.asarray(matrices), axis1=-2, axis2=-1)))

    def prior_scale(self, per_column: Any) -> Array:
        """Return per_column, (D,)."""
        return jnp.asarray(per_column)

    def default_degrees_of_freedom(self, n_columns: int) -> float:
        """Return 3, as for one column."""
        del n_columns
        return 3.0

    def lowest_degrees_of_freedom(self, n_columns: int) -> float:
        """Return 0."""
        del n_columns
        return 0.0

    def prior(
        self, mean: Any, mean_precision: Any, degrees_of_freedom: Any, scale: Any
    ) -> DiagonalPrior:
        """Build the prior."""
        return DiagonalPrior(mean, mean_precision, degrees_of_freedom, scale)
