r"""Components whose means and covariances are independent a priori, hence not conjugate.

    mu_k ~ N(b, B),   Sigma_k | S ~ inverse-Wishart(nu, S),   S fixed or random

(Richardson & Green 1997; Stephens 2000; Frühwirth-Schnatter, Malsiner-Walli & Grün 2021.)

The evidence of a cluster has no closed form. With mu_k summed out and Sigma_k drawn from
q = inverse-Wishart(nu + n - 1, S + scatter), the ratio p(rows | Sigma) p(Sigma) / q(Sigma) is

    (2 pi)^(-(n-1)D/2) n^(-D/2) Z(nu + n - 1, S + scatter) / Z(nu, S) N(mean of rows | b, B + Sigma / n)

with Z the normalising constant of the inverse-Wishart: the exponentials cancel, and Sigma enters
through the last factor alone, so that the estimate hardly varies.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from ...numerics.linalg import cholesky, half_log_det, matvec, solve_lower, whitening
from ..families.base import Family
from ..mixture import Mixture, Statistics, Tied
from .drawn import Drawn
from .scale import GammaScale, WishartScale, best_scale


class IndependentPrior(NamedTuple):
    """mu_k ~ N(base.mean, B), Sigma_k from ``base``.

    Attributes:
        base: the family's conjugate prior, of which only mean, degrees of freedom and scale count.
        mean_chol: lower Cholesky factor of B, (D, D).
    """

    base: Any
    mean_chol: Array

    @property
    def mean(self) -> Array:
        """Prior mean of the component means, (D,)."""
        return self.base.mean

    @property
    def scale(self) -> Array:
        """Scale of the covariances."""
        return self.base.scale

    @property
    def degrees_of_freedom(self) -> Array:
        """Degrees of freedom of the covariances."""
        return self.base.degrees_of_freedom

    def with_scale(self, scale: Array) -> "IndependentPrior":
        """Return the prior at another scale."""
        return self._replace(base=self.base.with_scale(scale))

    def draw(self, key: Array, shape: tuple[int, ...]) -> tuple[Array, Any]:
        """Draw (means, covariance) with leading axes ``shape``, the last of them components."""
        key_covariance, key_mean = jax.random.split(key)
        raw = self.base.draw_raw(key_covariance, shape)
        covariance = self.base.covariance_from_raw(raw)
        noise = jax.random.normal(key_mean, (*shape, self.mean.shape[-1]))
        return self.means_from_noise(noise, covariance), covariance

    def raw_shape(self, n_components: int) -> tuple[int, ...]:
        """Return the shape of the covariances' coordinates."""
        return self.base.raw_shape(n_components)

    def raw_log_density(self, raw: Array) -> Array:
        """Return the log density of the covariances' coordinates, ()."""
        return self.base.raw_log_density(raw)

    def covariance_from_raw(self, raw: Array) -> Any:
        """Map coordinates to the covariance."""
        return self.base.covariance_from_raw(raw)

    def raw_from_covariance(self, covariance: Any) -> Array:
        """Map the covariance to coordinates."""
        return self.base.raw_from_covariance(covariance)

    def means_from_noise(self, noise: Array, covariance: Any) -> Array:
        """Return b + chol(B) noise, (..., K, D)."""
        del covariance
        return self.mean + matvec(self.mean_chol, noise)

    def noise_from_means(self, means: Array, covariance: Any) -> Array:
        """Invert ``means_from_noise``."""
        del covariance
        chol = jnp.broadcast_to(self.mean_chol, (*means.shape, means.shape[-1]))
        return solve_lower(chol, (means - self.mean)[..., None])[..., 0]


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["prior", "scale_prior"],
    meta_fields=["family"],
)
@dataclass(frozen=True)
class IndependentComponents:
    """Components under an ``IndependentPrior``.

    Attributes:
        family: the covariance family.
        prior: the prior; its scale holds where ``scale_prior`` is None.
        scale_prior: the hyperprior of the scale.
    """

    family: Family
    prior: IndependentPrior
    scale_prior: WishartScale | GammaScale | None

    def first_scale(self) -> Array:
        """Return where chains start."""
        return self.prior.scale if self.scale_prior is None else self.scale_prior.mean()

    def draw(self, key: Array, statistics: Statistics, last: Drawn) -> Drawn:
        """Draw means given the last covariances, covariances given the means, then the scale.

        Components without rows follow from the prior at the new scale.
        """
        key_means, key_raw, key_scale = jax.random.split(key, 3)
        filled = statistics.counts > 0
        means = self.draw_means(key_means, statistics, last.covariance)
        scatter = self.family.scatter_about(statistics, means)
        posterior = self.covariance_posterior(statistics.counts, scatter, last.scale)
        raw = posterior.draw_raw(key_raw, statistics.counts.shape)
        covariance = posterior.covariance_from_raw(raw)
        if self.scale_prior is None:
            return Drawn(means, covariance, last.scale)
        nu = self.prior.degrees_of_freedom
        scale = self.scale_prior.update(covariance, filled, nu).draw(key_scale)
        if not isinstance(covariance, Tied):
            fresh = self.prior.base.with_scale(scale).covariance_from_raw(raw)
            mask = filled.reshape(-1, *[1] * (fresh[0].ndim - 1))
            covariance = type(covariance)(jnp.where(mask, covariance[0], fresh[0]))
        return Drawn(means, covariance, scale)

    def draw_means(self, key: Array, statistics: Statistics, covariance: Any) -> Array:
        """Draw from N(A^-1 (B^-1 b + n Sigma^-1 m), A^-1), A = B^-1 + n Sigma^-1, (K, D)."""
        offset, white = self.means_given(statistics, covariance)
        noise = jax.random.normal(key, statistics.means.shape)
        return self.prior.mean + matvec(jnp.swapaxes(white, -1, -2), matvec(white, offset) + noise)

    def means_given(self, statistics: Statistics, covariance: Any) -> tuple[Array, Array]:
        """Return n Sigma^-1 (m - b), (K, D), and the inverse factor of A, (K, D, D)."""
        white_prior = whitening(self.prior.mean_chol)
        of_prior = white_prior.T @ white_prior
        of_rows = statistics.counts[:, None, None] * self.precisions(covariance, statistics.means)
        offset = matvec(of_rows, statistics.means - self.prior.mean)
        return offset, whitening(cholesky(of_prior + of_rows))

    def precisions(self, covariance: Any, means: Array) -> Array:
        """Return the inverse covariance matrices, (K, D, D)."""
        size = means.shape[-1]
        about_zero = Mixture(jnp.zeros(means.shape[0]), jnp.zeros_like(means), covariance)
        white = self.family.residuals(about_zero, jnp.eye(size, dtype=means.dtype))
        return jnp.swapaxes(white, -1, -2) @ white

    def covariance_posterior(self, counts: Array, scatter: Array, scale: Array) -> Any:
        """Return the conjugate record given ``counts`` rows' scatter about known means."""
        base = self.prior.base.with_scale(scale)
        means = jnp.broadcast_to(self.prior.mean, (*counts.shape, self.prior.mean.shape[-1]))
        return base.update(Statistics(counts, means, scatter))

    def log_evidence(self, statistics: Statistics, scale: Array, covariance: Any) -> Array:
        """Return the ratio of the module's head, summed over components, ()."""
        counts = statistics.counts
        filled = counts > 0
        n_columns = statistics.means.shape[-1]
        fewer = jnp.maximum(counts - 1, 0.0)
        ones = jnp.ones_like(counts)
        before = self.prior.base.with_scale(scale)._replace(mean_precision=ones)
        after = self.covariance_posterior(fewer, statistics.scatter, scale)
        after = after._replace(mean_precision=ones)
        of_covariance = (after.log_normaliser() - before.log_normaliser()).sum()
        constant = n_columns / 2 * (fewer * jnp.log(2 * jnp.pi) + jnp.log(jnp.maximum(counts, 1.0)))
        return (
            of_covariance
            + jnp.where(filled, self.log_mean_density(statistics, covariance) - constant, 0.0).sum()
        )

    def log_mean_density(self, statistics: Statistics, covariance: Any) -> Array:
        """Return log N(mean of rows | b, B + Sigma / n), (K,)."""
        size = statistics.means.shape[-1]
        mixture = Mixture(jnp.zeros_like(statistics.counts), statistics.means, covariance)
        of_rows = self.family.matrices(mixture)
        of_rows /= jnp.maximum(statistics.counts, 1.0)[:, None, None]
        chol = cholesky(self.prior.mean_chol @ self.prior.mean_chol.T + of_rows)
        white = solve_lower(chol, (statistics.means - self.prior.mean)[..., None])[..., 0]
        return -size / 2 * jnp.log(2 * jnp.pi) - half_log_det(chol) - (white**2).sum(-1) / 2

    def propose(self, key: Array, statistics: Statistics, scale: Array) -> Any:
        """Draw covariances from q of the module's head."""
        fewer = jnp.maximum(statistics.counts - 1, 0.0)
        posterior = self.covariance_posterior(fewer, statistics.scatter, scale)
        raw = posterior.draw_raw(key, statistics.counts.shape)
        return posterior.covariance_from_raw(raw)

    def conjugate(self, scale: Array) -> Any:
        """Return a weak conjugate prior in place of this one."""
        return self.prior.base.with_scale(scale)

    def log_component(self, scale: Array, means: Array, covariance: Any) -> Array:
        """Return the log density of one component, ()."""
        noise = self.prior.noise_from_means(means, covariance)
        constant = noise.shape[-1] / 2 * jnp.log(2 * jnp.pi) + half_log_det(self.prior.mean_chol)
        of_mean = -constant - (noise**2).sum() / 2
        if isinstance(covariance, Tied):
            return of_mean
        return of_mean + self.conjugate(scale).log_covariance_density(covariance)

    def fit(self, statistics: Statistics, scale: Array) -> tuple[Array, Any]:
        """Return the mode under a weak conjugate prior in place of this one."""
        return self.prior.base.with_scale(scale).update(statistics).mode()

    def maximise(self, statistics: Statistics, last: Any) -> tuple[Array, Any]:
        """Return the mode of the scale, then of the means, then of the covariances."""
        scale = best_scale(self.prior, self.scale_prior, last)
        if last is None:
            return self.fit(statistics, scale)
        offset, white = self.means_given(statistics, last)
        means = self.prior.mean + matvec(jnp.swapaxes(white, -1, -2), matvec(white, offset))
        scatter = self.family.scatter_about(statistics, means)
        posterior = self.covariance_posterior(statistics.counts, scatter, scale)
        return means, posterior.covariance_mode()

    def log_density(self, means: Array, covariance: Any) -> Array:
        """Return the log density of components and scale, ()."""
        scale = best_scale(self.prior, self.scale_prior, covariance)
        of_scale = 0.0 if self.scale_prior is None else self.scale_prior.log_density(scale)
        noise = self.prior.noise_from_means(means, covariance)
        of_means = -(noise**2).sum() / 2 - means.size / 2 * jnp.log(2 * jnp.pi)
        of_means -= len(means) * half_log_det(self.prior.mean_chol)
        base = self.prior.base.with_scale(scale)
        return base.log_covariance_density(covariance) + of_means + of_scale
