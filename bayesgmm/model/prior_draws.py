"""Draws of mixtures from the prior of a resolved model: what it believes before it sees rows.

Concentration, K, weights, scale of the covariances, and all components, each from its own law
(``weights.partitions``, ``components``). A Dirichlet process has its sticks broken off at
``max_components``.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from .components import Components
from .mixture import Mixture
from .resolved import Model
from .weights import PartitionPrior, is_random


class PriorDraws(NamedTuple):
    """S draws from the prior, in engine units.

    Attributes:
        mixture: weights and components, (S, K, ...).
        concentration: of the weights, (S,).
        n_components: K, (S,); zero where it is known.
        scale: of the covariances' prior, (S, ...).
    """

    mixture: Mixture
    concentration: Array
    n_components: Array
    scale: Array


def draw_prior(key: Array, model: Model, n_draws: int) -> PriorDraws:
    """Draw mixtures from the prior.

    Args:
        key: JAX random key.
        model: a model with priors.
        n_draws: number of draws, S.

    Returns:
        The draws.

    Raises:
        ValueError: a model without priors.
    """
    if model.weights is None or model.prior is None:
        raise ValueError(
            "Expected a model with priors, got maximum likelihood, which has none to draw from. Use "
            "bg.MixtureSpec(n_components=...) with its default priors."
        )
    size = model.n_components
    partition = model.weights.partition_prior(size)
    key_concentration, key_mixtures = jax.random.split(key)
    concentration = draw_concentrations(key_concentration, partition, n_draws)
    keys = jax.random.split(key_mixtures, n_draws)
    return draw_mixtures(size, model.components, partition, keys, concentration)


def draw_concentrations(key: Array, partition: PartitionPrior, n_draws: int) -> Array:
    """Draw concentrations from their hyperprior, or repeat the given one, (S,)."""
    concentration = partition.concentration
    if is_random(concentration):
        return jnp.asarray(concentration.sample(key, (n_draws,)), float)
    return jnp.full(n_draws, concentration, float)


@partial(jax.jit, static_argnums=0)
def draw_mixtures(
    n_components: int,
    components: Components,
    partition: PartitionPrior,
    keys: Array,
    concentrations: Array,
) -> PriorDraws:
    """Draw a mixture for each key and concentration."""

    def one(key: Array, concentration: Array) -> PriorDraws:
        key_number, key_weights, key_scale, key_components = jax.random.split(key, 4)
        nobody = jnp.zeros(n_components)
        number = partition.draw_n_components(key_number, partition.log_terms(nobody, concentration))
        log_weights = partition.draw_log_weights(key_weights, nobody, concentration, number)
        scale = draw_scale(key_scale, components)
        prior = components.prior.with_scale(scale)
        means, covariance = prior.draw(key_components, (n_components,))
        return PriorDraws(Mixture(log_weights, means, covariance), concentration, number, scale)

    return jax.vmap(one)(keys, concentrations)


def draw_scale(key: Array, components: Any) -> Array:
    """Draw the scale of the covariances from its hyperprior, or return the given one."""
    if components.scale_prior is None:
        return jnp.asarray(components.prior.scale)
    return components.scale_prior.draw(key)
