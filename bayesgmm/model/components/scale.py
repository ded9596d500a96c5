r"""Hyperpriors on the scale S of inverse-Wishart and inverse-gamma covariances.

Sigma_k | S ~ inverse-Wishart(nu, S) has density proportional to |S|^(nu/2) exp(-tr(S Sigma_k^-1) / 2)
in S, so that a Wishart (one number per column: gamma) prior of S is conjugate to n covariances:

    S ~ Wishart(g, G^-1)      S | Sigma_1..n ~ Wishart(g + n nu, (G + sum_k Sigma_k^-1)^-1)
    S_j ~ gamma(a, b)         S_j | ... ~ gamma(a + n nu / 2, b + sum_k 1 / (2 sigma_kj^2))

(Richardson & Green 1997, JRSS B 59, 731-792; Stephens 1997; Frühwirth-Schnatter 2006, section 6.3.2.)
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array
from jax.scipy.special import gammaln

from ...numerics import wishart
from ...numerics.gamma import draw_log_gamma
from ...numerics.linalg import cholesky, half_log_det, whitening
from ..mixture import Diagonal, Full, Tied


class WishartScale(NamedTuple):
    """S ~ Wishart(degrees_of_freedom, rate^-1), mean degrees_of_freedom rate^-1.

    Attributes:
        degrees_of_freedom: g > D - 1, ().
        rate: G, (D, D).
    """

    degrees_of_freedom: Array
    rate: Array

    def mean(self) -> Array:
        """Return g G^-1, (D, D)."""
        return self.degrees_of_freedom * jnp.linalg.inv(self.rate)

    def has_mode(self, n_covariances: int, degrees_of_freedom: Array) -> Array:
        """Say whether the density of S given so many covariances is bounded, ()."""
        return self.degrees_of_freedom + n_covariances * degrees_of_freedom > len(self.rate) + 1

    def mode(self) -> Array:
        """Return (g - D - 1) G^-1, (D, D)."""
        return (self.degrees_of_freedom - self.rate.shape[-1] - 1) * jnp.linalg.inv(self.rate)

    def log_density(self, scale: Array) -> Array:
        """Return the log density of S, ()."""
        size, g = self.rate.shape[-1], self.degrees_of_freedom
        return (
            g * half_log_det(cholesky(self.rate))
            - g * size / 2 * jnp.log(2.0)
            - wishart.log_multigamma(g / 2, size)
            + (g - size - 1) * half_log_det(cholesky(scale))
            - (self.rate * scale).sum() / 2
        )

    def update(self, covariance: Full | Tied, filled: Array, degrees_of_freedom: Array) -> Any:
        """Return the posterior given the covariances of the filled components (K,)."""
        white = whitening(covariance.chol)
        precision = jnp.swapaxes(white, -1, -2) @ white
        n_covariances: Array | float = 1.0
        if isinstance(covariance, Full):
            n_covariances = filled.sum()
            precision = jnp.where(filled[:, None, None], precision, 0.0).sum(0)
        return WishartScale(
            self.degrees_of_freedom + n_covariances * degrees_of_freedom, self.rate + precision
        )

    def draw(self, key: Array) -> Array:
        """Draw S = M^T M with M = T L^-1, rate = L L^T, T^T T ~ Wishart(g, I), (D, D)."""
        size = self.rate.shape[-1]
        raw = wishart.draw_raw(key, self.degrees_of_freedom, size, ())
        factor = wishart.triangle_from_raw(raw, size) @ whitening(cholesky(self.rate))
        return factor.T @ factor


class GammaScale(NamedTuple):
    """S_j ~ gamma(shape, rate), independent over columns (spherical: one number).

    Attributes:
        shape: a > 0, ().
        rate: b > 0, (D,) or ().
    """

    shape: Array
    rate: Array

    def mean(self) -> Array:
        """Return a / b."""
        return self.shape / self.rate

    def has_mode(self, n_covariances: int, degrees_of_freedom: Array) -> Array:
        """Say whether the density of S given so many covariances is bounded, ()."""
        return self.shape + n_covariances * degrees_of_freedom / 2 > 1

    def mode(self) -> Array:
        """Return (a - 1) / b."""
        return (self.shape - 1) / self.rate

    def log_density(self, scale: Array) -> Array:
        """Return the log density of S, ()."""
        of_constant = self.shape * jnp.log(self.rate) - gammaln(self.shape)
        return (of_constant + (self.shape - 1) * jnp.log(scale) - self.rate * scale).sum()

    def update(self, covariance: Any, filled: Array, degrees_of_freedom: Array) -> Any:
        """Return the posterior given the variances of the filled components (K,)."""
        halves = 1 / (2 * covariance.scales**2)
        mask = filled[:, None] if isinstance(covariance, Diagonal) else filled
        return GammaScale(
            self.shape + filled.sum() * degrees_of_freedom / 2,
            self.rate + jnp.where(mask, halves, 0.0).sum(0),
        )

    def draw(self, key: Array) -> Array:
        """Draw S, in the shape of the rate."""
        shape = jnp.broadcast_to(self.shape, jnp.shape(self.rate))
        return jnp.exp(draw_log_gamma(key, shape)) / self.rate


def best_scale(prior: Any, scale_prior: WishartScale | GammaScale | None, covariance: Any) -> Array:
    """Return the scale of highest density given all covariances, its mean if there are none."""
    if scale_prior is None:
        return prior.scale
    if covariance is None:
        return scale_prior.mean()
    filled = jnp.ones(1 if isinstance(covariance, Tied) else covariance[0].shape[0], bool)
    return scale_prior.update(covariance, filled, prior.degrees_of_freedom).mode()
