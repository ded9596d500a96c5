"""Components under the conjugate normal-inverse-Wishart prior, its scale fixed or with a hyperprior."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from ..mixture import Statistics, Tied
from .drawn import Drawn, log_of_component
from .scale import GammaScale, WishartScale, best_scale


class ConjugateComponents(NamedTuple):
    """Sigma_k | S ~ inverse-Wishart(nu, S), mu_k | Sigma_k ~ N(m, Sigma_k / kappa), S fixed or random.

    Attributes:
        prior: the family's conjugate prior; its scale holds where ``scale_prior`` is None.
        scale_prior: the hyperprior of the scale.
    """

    prior: Any
    scale_prior: WishartScale | GammaScale | None

    def given(self, scale: Array) -> Any:
        """Return the conjugate prior at a scale."""
        return self.prior.with_scale(scale)

    def first_scale(self) -> Array:
        """Return where chains start."""
        return self.prior.scale if self.scale_prior is None else self.scale_prior.mean()

    def draw(self, key: Array, statistics: Statistics, last: Drawn) -> Drawn:
        """Draw covariances of filled components, the scale given them, then all the rest."""
        key_raw, key_scale, key_means = jax.random.split(key, 3)
        filled = statistics.counts > 0
        prior = self.given(last.scale)
        posterior = prior.update(statistics)
        raw = posterior.draw_raw(key_raw, statistics.counts.shape)
        covariance = posterior.covariance_from_raw(raw)
        scale = last.scale
        if self.scale_prior is not None:
            updated = self.scale_prior.update(covariance, filled, prior.degrees_of_freedom)
            scale = updated.draw(key_scale)
            covariance = self.refresh(covariance, raw, scale, filled)
        noise = jax.random.normal(key_means, statistics.means.shape)
        return Drawn(posterior.means_from_noise(noise, covariance), covariance, scale)

    def refresh(self, covariance: Any, raw: Array, scale: Array, filled: Array) -> Any:
        """Redraw the covariances of empty components at a new scale."""
        if isinstance(covariance, Tied):
            return covariance
        fresh = self.given(scale).covariance_from_raw(raw)
        mask = filled.reshape(-1, *[1] * (fresh[0].ndim - 1))
        return type(covariance)(jnp.where(mask, covariance[0], fresh[0]))

    def log_evidence(self, statistics: Statistics, scale: Array, covariance: Any) -> Array:
        """Return the closed form: a ratio of normalising constants, ()."""
        del covariance
        n_columns = statistics.means.shape[-1]
        prior = self.given(scale)
        kappa = jnp.broadcast_to(prior.mean_precision, statistics.counts.shape)
        before = prior._replace(mean_precision=kappa).log_normaliser()
        after = prior.update(statistics).log_normaliser()
        of_constant = statistics.counts.sum() * n_columns / 2 * jnp.log(2 * jnp.pi)
        return (after - before).sum() - of_constant

    def propose(self, key: Array, statistics: Statistics, scale: Array) -> None:
        """Return None: the evidence needs no covariances."""

    def conjugate(self, scale: Array) -> Any:
        """Return the prior at a scale."""
        return self.given(scale)

    def log_component(self, scale: Array, means: Array, covariance: Any) -> Array:
        """Return the log density of one component, ()."""
        return log_of_component(self.given(scale), means, covariance)

    def fit(self, statistics: Statistics, scale: Array) -> tuple[Array, Any]:
        """Return the posterior mode."""
        return self.given(scale).update(statistics).mode()

    def maximise(self, statistics: Statistics, last: Any) -> tuple[Array, Any]:
        """Return the posterior mode at the scale's mode given ``last``."""
        return self.fit(statistics, best_scale(self.prior, self.scale_prior, last))

    def log_density(self, means: Array, covariance: Any) -> Array:
        """Return the log density of components and scale, ()."""
        scale = best_scale(self.prior, self.scale_prior, covariance)
        of_scale = 0.0 if self.scale_prior is None else self.scale_prior.log_density(scale)
        return self.given(scale).log_density(means, covariance) + of_scale
