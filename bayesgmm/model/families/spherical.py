r"""Spherical covariances: Sigma_k = sigma_k^2 I.

T(x) = (1, x, |x|^2); conjugate prior
sigma_k^2 ~ inverse-gamma(nu / 2, S / 2), mu_k | sigma_k^2 ~ N(m, sigma_k^2 I / kappa).
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import gammaln
from jax.typing import ArrayLike

from ...numerics.gamma import draw_log_gamma
from ...numerics.moments import with_ones
from ...numerics.wishart import log_chi2_of_log
from ..mixture import Mixture, Spherical, Statistics
from .base import (
    SMALLEST_SCALE,
    centre,
    combined,
    log_constant,
    moved_scatter,
    posterior_mean_update,
)
from .diagonal import inverse_gamma_entropy, log_inverse_gamma
from .structures import NothingShared, Spheres, Structure


class SphericalPrior(NamedTuple):
    """Normal-inverse-gamma prior with one variance per component."""

    mean: Array
    mean_precision: Array
    degrees_of_freedom: Array
    scale: Array

    def with_scale(self, scale: Array) -> "SphericalPrior":
        """Return the prior at another scale."""
        return self._replace(scale=scale)

    def update(self, statistics: Statistics) -> "SphericalPrior":
        """Return the posterior: each row brings D squared deviations."""
        precision, mean, shrinkage, offset = posterior_mean_update(self, statistics)
        size = statistics.means.shape[-1]
        scale = self.scale + statistics.scatter + shrinkage * (offset**2).sum(-1)
        nu = self.degrees_of_freedom + size * statistics.counts
        return SphericalPrior(mean, precision, nu, scale)

    def draw(self, key: Array, shape: tuple[int, ...]) -> tuple[Array, Spherical]:
        """Draw (means, covariance) with leading axes ``shape``."""
        key_covariance, key_mean = jax.random.split(key)
        covariance = self.covariance_from_raw(self.draw_raw(key_covariance, shape))
        noise = jax.random.normal(key_mean, (*shape, self.mean.shape[-1]))
        return self.means_from_noise(noise, covariance), covariance

    def draw_raw(self, key: Array, shape: tuple[int, ...]) -> Array:
        """Draw log(S / sigma^2), (*shape,)."""
        nu = jnp.broadcast_to(self.degrees_of_freedom, shape)
        return jnp.log(2.0) + draw_log_gamma(key, nu / 2)

    def mode(self) -> tuple[Array, Spherical]:
        """Return the joint mode: mean and S / (nu + D + 2)."""
        divisor = self.degrees_of_freedom + self.mean.shape[-1] + 2
        return self.mean, Spherical(jnp.sqrt(self.scale / divisor))

    def covariance_mode(self) -> Spherical:
        """Return the mode of the variances by themselves, S / (nu + 2)."""
        return Spherical(jnp.sqrt(self.scale / (self.degrees_of_freedom + 2)))

    def log_normaliser(self) -> Array:
        """Return log of the integral, (...)."""
        half = self.degrees_of_freedom / 2
        of_mean = self.mean.shape[-1] / 2 * jnp.log(2 * jnp.pi / self.mean_precision)
        return gammaln(half) - half * jnp.log(self.scale / 2) + of_mean

    def log_density(self, means: Array, covariance: Spherical) -> Array:
        """Return the joint log density summed over components, (...)."""
        size = means.shape[-1]
        precision = self.mean_precision / covariance.scales**2
        of_mean = size / 2 * jnp.log(precision / (2 * jnp.pi))
        of_mean -= precision / 2 * ((means - self.mean) ** 2).sum(-1)
        return self.log_covariance_density(covariance) + of_mean.sum(-1)

    def log_covariance_density(self, covariance: Spherical) -> Array:
        """Return the log density of the variances summed over components, (...)."""
        nu, scale = self.degrees_of_freedom, self.scale
        return log_inverse_gamma(covariance.scales**2, nu, scale).sum(-1)

    def covariance_entropy(self) -> Array:
        """Return the entropy of one variance, ()."""
        return inverse_gamma_entropy(self.degrees_of_freedom, self.scale)

    def raw_shape(self, n_components: int) -> tuple[int, ...]:
        """Return (K,)."""
        return (n_components,)

    def raw_log_density(self, raw: Array) -> Array:
        """Return the summed log density of log(S / sigma_k^2)."""
        return log_chi2_of_log(raw, self.degrees_of_freedom).sum()

    def covariance_from_raw(self, raw: Array) -> Spherical:
        """Return sigma = sqrt(S) exp(-raw / 2)."""
        return Spherical(jnp.sqrt(self.scale) * jnp.exp(-raw / 2))

    def raw_from_covariance(self, covariance: Spherical) -> Array:
        """Return log(S / sigma^2)."""
        return jnp.log(self.scale) - 2 * jnp.log(covariance.scales)

    def means_from_noise(self, noise: Array, covariance: Spherical) -> Array:
        """Return m + sigma noise / sqrt(kappa), (..., K, D)."""
        return self.mean + (covariance.scales / jnp.sqrt(self.mean_precision))[..., None] * noise

    def noise_from_means(self, means: Array, covariance: Spherical) -> Array:
        """Invert ``means_from_noise``."""
        factor = jnp.sqrt(self.mean_precision) / covariance.scales
        return (means - self.mean) * factor[..., None]


VII = Spheres(NothingShared())


@dataclass(frozen=True)
class SphericalFamily:
    """One variance per component, the same in every direction; a structure may tie them."""

    name: str = "spherical"
    record: type = Spherical
    structure: Structure = VII

    def n_features(self, n_columns: int) -> int:
        """Return 2 + D."""
        return 2 + n_columns

    def n_covariance_parameters(self, n_components: int, n_columns: int) -> int:
        """Return K, or what the structure leaves free."""
        return self.structure.n_covariance_parameters(n_components, n_columns)

    def features(self, columns: Array) -> Array:
        """Return (1, x, |x|^2), (F, n)."""
        return jnp.concatenate([with_ones(columns), (columns**2).sum(0, keepdims=True)])

    def natural(self, mixture: Mixture) -> Array:
        """Return (constant, mu / sigma^2, -1 / (2 sigma^2)), (..., K, F)."""
        precision = mixture.covariance.scales[..., None] ** -2
        squared = (mixture.means**2).sum(-1, keepdims=True)
        head = log_constant(self, mixture)[..., None] - precision * squared / 2
        return jnp.concatenate([head, precision * mixture.means, -precision / 2], -1)

    def statistics(self, sums: Array, n_columns: int) -> Statistics:
        """Unpack sums of (1, x, |x|^2) and centre them."""
        first = sums[..., 1 : n_columns + 1]
        return centre(sums[..., 0], first, sums[..., -1], 0.0, _square)

    def residuals(self, mixture: Mixture, columns: Array) -> Array:
        """Return (x - mu) / sigma, (..., K, D, n)."""
        return (columns - mixture.means[..., None]) / mixture.covariance.scales[..., None, None]

    def second_moment(self, responsibilities: Array, residuals: Array) -> Array:
        """Return sum_n r_n |y_n|^2, (..., K)."""
        return jnp.einsum("...kn,...kdn->...k", responsibilities, residuals**2)

    def statistics_about(
        self, mixture: Mixture, counts: Array, first: Array, second: Array
    ) -> Statistics:
        """Multiply the whitened moments by the scales and centre them."""
        scales = mixture.covariance.scales
        return centre(counts, scales[..., None] * first, scales**2 * second, mixture.means, _square)

    def scatter_about(self, statistics: Statistics, means: Array) -> Array:
        """Return the scatter about given means."""
        return moved_scatter(statistics, means, _square)

    def combine(self, one: Statistics, other: Statistics) -> Statistics:
        """Join two groups of rows."""
        return combined(one, other, _square)

    def column_scatter(self, statistics: Statistics) -> Array:
        """Share the scatter out evenly, (..., K, D)."""
        return jnp.broadcast_to(
            statistics.scatter[..., None] / statistics.means.shape[-1], statistics.means.shape
        )

    def scatter_from_matrices(self, matrices: Array) -> Array:
        """Return the traces, (..., K)."""
        return jnp.trace(matrices, axis1=-2, axis2=-1)

    def half_log_det(self, mixture: Mixture) -> Array:
        """Return D log sigma, (..., K)."""
        return mixture.means.shape[-1] * jnp.log(mixture.covariance.scales)

    def tightness(self, mixture: Mixture) -> Array:
        """Return (sum_j |mu_j| / sigma)^2, (..., K)."""
        return (jnp.abs(mixture.means).sum(-1) / mixture.covariance.scales) ** 2

    def is_singular(self, mixture: Mixture) -> Array:
        """Compare the scales with rounding, (..., K)."""
        return ~(mixture.covariance.scales > SMALLEST_SCALE)

    def maximise(self, statistics: Statistics, ridge: ArrayLike, last: Any = None) -> Spherical:
        """Return sqrt(scatter / (count D) + ridge), or the best under the structure."""
        return self.structure.maximise(statistics, ridge, last)

    def scale_by(self, covariance: Spherical, factor: Any) -> Spherical:
        """Multiply the scales."""
        return Spherical(covariance.scales * factor)

    def matrices(self, mixture: Mixture) -> Array:
        """Return sigma^2 I, (..., K, D, D)."""
        variances = mixture.covariance.scales[..., None, None] ** 2
        return variances * jnp.eye(mixture.means.shape[-1], dtype=variances.dtype)

    def factors(self, mixture: Mixture) -> Array:
        """Return sigma I, (..., K, D, D)."""
        scales = mixture.covariance.scales[..., None, None]
        return scales * jnp.eye(mixture.means.shape[-1], dtype=scales.dtype)

    def covariances(self, mixture: Mixture) -> Array:
        """Return the variances summed over columns, (..., K)."""
        return mixture.means.shape[-1] * mixture.covariance.scales**2

    def from_matrices(self, matrices: Any) -> Spherical:
        """Average the diagonals of (..., K, D, D)."""
        diagonals = jnp.diagonal(jnp.asarray(matrices), axis1=-2, axis2=-1)
        return Spherical(jnp.sqrt(diagonals.mean(-1)))

    def prior_scale(self, per_column: Any) -> Array:
        """Return the mean of per_column, ()."""
        return jnp.asarray(per_column).mean()

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
    ) -> SphericalPrior:
        """Build the prior."""
        return SphericalPrior(mean, mean_precision, degrees_of_freedom, scale)


def _square(vector: Array) -> Array:
    return (vector**2).sum(-1)
