r"""Stick breaking: w_k = v_k prod_{j<k} (1 - v_j) with v_K = 1 and independent Beta sticks v_k.

Densities, draws given counts, and the unconstrained coordinates in which a gradient sampler sees
one scale whatever the concentration.
"""

from typing import Protocol

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import gammaln
from jax.typing import ArrayLike

from ...numerics.gamma import draw_log_gamma


class Breaks(Protocol):
    """A prior that breaks a stick."""

    def sticks(self, concentration: ArrayLike, n_components: int) -> tuple[Array, Array]:
        """Return the Beta parameters (a, b) of the K - 1 sticks, (..., K - 1) each."""


def dirichlet_sticks(concentration: ArrayLike, n_components: int) -> tuple[Array, Array]:
    """Return the Beta parameters of a symmetric Dirichlet's sticks, (..., K - 1) each."""
    alpha = jnp.asarray(concentration, float)[..., None]
    left = jnp.arange(n_components - 1, 0, -1)
    return jnp.broadcast_to(alpha, (*alpha.shape[:-1], n_components - 1)), alpha * left


def log_normalised(masses: Array) -> Array:
    """Return log of masses / their sum, (..., K)."""
    return jnp.log(masses) - jnp.log(masses.sum(-1, keepdims=True))


def log_sticks_to_log_weights(log_taken: Array, log_left: Array) -> Array:
    """Return log weights (..., K) from log v_k and log (1 - v_k), (..., K - 1)."""
    start = jnp.zeros((*log_taken.shape[:-1], 1), log_taken.dtype)
    remaining = jnp.concatenate([start, jnp.cumsum(log_left, -1)], -1)
    return remaining + jnp.concatenate([log_taken, start], -1)


def log_remainders(log_weights: Array) -> Array:
    """Return log sum_{j>=k} w_j, what is left before stick k is broken, (..., K)."""
    from_the_end = jnp.flip(log_weights, -1)
    return jnp.flip(jax.lax.cumlogsumexp(from_the_end, axis=log_weights.ndim - 1), -1)


def log_beta(a: ArrayLike, b: ArrayLike) -> Array:
    """Return the logarithm of the beta function, (...)."""
    # jax.scipy.special.betaln is off by up to 6e-7, with a jump where max(a, b) passes 8.
    return gammaln(a) + gammaln(b) - gammaln(jnp.asarray(a) + b)


def log_weights_density(prior: Breaks, log_weights: Array, concentration: ArrayLike) -> Array:
    """Return the log density of weights on the simplex, (...).

    The Beta densities of the sticks times the Jacobian prod_k 1 / (1 - sum_{j<k} w_j).
    """
    n_components = log_weights.shape[-1]
    a, b = prior.sticks(concentration, n_components)
    log_left = log_remainders(log_weights)
    log_taken = log_weights[..., :-1] - log_left[..., :-1]
    log_rest = log_left[..., 1:] - log_left[..., :-1]
    density = (a - 1) * log_taken + (b - 1) * log_rest - log_beta(a, b) - log_left[..., :-1]
    return density.sum(-1)


def draw_log_weights(key: Array, prior: Breaks, counts: Array, concentration: ArrayLike) -> Array:
    """Draw log weights from their posterior given counts (..., K)."""
    n_components = counts.shape[-1]
    a, b = prior.sticks(concentration, n_components)
    later = jnp.flip(jnp.cumsum(jnp.flip(counts, -1), -1), -1)[..., 1:]
    key_taken, key_left = jax.random.split(key)
    taken = draw_log_gamma(key_taken, a + counts[..., :-1])
    left = draw_log_gamma(key_left, b + later)
    total = jnp.logaddexp(taken, left)
    return log_sticks_to_log_weights(taken - total, left - total)


# Unconstrained coordinates of the sticks ---------------------------------------------------------
#
# logit v has exponential tails of rate a to the left and b to the right: with a small concentration
# a superfluous component's logit wanders over a range of 1 / a. In t, with
#     logit v = t + softplus(t - log(1 + 1/b)) / b - softplus(-t - log(1 + 1/a)) / a,
# both tails have rates near one (1 + a, 1 + b), and between them, where components with rows live, the slope stays
# between 1 and 3: a gradient sampler sees one scale whatever the concentration.


def stick_logit(t: ArrayLike, a: ArrayLike, b: ArrayLike) -> Array:
    """Return logit v at the coordinate t, (...)."""
    t = jnp.asarray(t)
    right, left = jnp.log1p(1 / jnp.asarray(b)), jnp.log1p(1 / jnp.asarray(a))
    return jnp.asarray(t + jax.nn.softplus(t - right) / b - jax.nn.softplus(-t - left) / a)


def stick_slope(t: ArrayLike, a: ArrayLike, b: ArrayLike) -> Array:
    """Return the derivative of ``stick_logit``, (...)."""
    t = jnp.asarray(t)
    right, left = jnp.log1p(1 / jnp.asarray(b)), jnp.log1p(1 / jnp.asarray(a))
    return jnp.asarray(1 + jax.nn.sigmoid(t - right) / b + jax.nn.sigmoid(-t - left) / a)


def stick_log_density(t: ArrayLike, a: ArrayLike, b: ArrayLike) -> Array:
    """Return the log density of t when v ~ Beta(a, b), (...)."""
    logit = stick_logit(t, a, b)
    of_logit = a * jax.nn.log_sigmoid(logit) + b * jax.nn.log_sigmoid(-logit) - log_beta(a, b)
    return jnp.asarray(of_logit + jnp.log(stick_slope(t, a, b)))


def log_weights_from_coordinates(t: Array, a: Array, b: Array) -> Array:
    """Return log weights (..., K) at the coordinates t (..., K - 1)."""
    logit = stick_logit(t, a, b)
    return log_sticks_to_log_weights(jax.nn.log_sigmoid(logit), jax.nn.log_sigmoid(-logit))


def coordinates_from_log_weights(log_weights: Array, a: Array, b: Array) -> Array:
    """Invert ``log_weights_from_coordinates`` by bisection, (..., K - 1)."""
    target = log_weights[..., :-1] - log_remainders(log_weights)[..., 1:]

    def halve(bounds: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
        low, high = bounds
        middle = (low + high) / 2
        below = stick_logit(middle, a, b) < target
        return (jnp.where(below, middle, low), jnp.where(below, high, middle)), None

    wide = jnp.full_like(target, 100.0)
    (low, high), _ = jax.lax.scan(halve, (-wide, wide), None, length=80)
    return (low + high) / 2
