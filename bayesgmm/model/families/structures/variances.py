"""Variances along given axes in closed form: all shared, volumes shared, nothing shared.

Celeux & Govaert (1995), sections 2.1 and 2.2, in the words of structures.base.
"""

from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array
from jax.scipy.special import logsumexp

from ..base import SMALLEST_SCALE
from .base import shares


@dataclass(frozen=True)
class AllShared:
    """The same variances in all components: EE."""

    def n_parameters(self, n_components: int, n_columns: int) -> int:
        """Return D."""
        del n_components
        return n_columns

    def variances(self, counts: Array, spreads: Array) -> Array:
        """Return the average spreads."""
        pooled = (shares(counts)[..., None] * spreads).sum(-2, keepdims=True)
        return jnp.broadcast_to(pooled, spreads.shape)


@dataclass(frozen=True)
class VolumeShared:
    """The same product of variances in all components: EV."""

    def n_parameters(self, n_components: int, n_columns: int) -> int:
        """Return 1 + K (D - 1)."""
        return 1 + n_components * (n_columns - 1)

    def variances(self, counts: Array, spreads: Array) -> Array:
        """Return the spreads scaled to the average volume."""
        spreads = jnp.where(spreads > SMALLEST_SCALE**2, spreads, 0.0)
        sizes = jnp.exp(jnp.log(spreads).mean(-1))
        volume = (shares(counts) * sizes).sum(-1)
        # Without any scatter all shapes are equally good.
        is_point = (spreads == 0).all(-1)
        shapes = jnp.where(is_point[..., None], 1.0, spreads / sizes[..., None])
        return volume[..., None, None] * shapes

    def cost(self, counts: Array, log_products: Array, n_columns: int) -> Array:
        """Return n D log of the average volume."""
        log_sizes = log_products / n_columns
        log_volume = logsumexp(log_sizes, axis=-1, b=shares(counts))
        return n_columns * counts.sum(-1) * log_volume


@dataclass(frozen=True)
class NothingShared:
    """Variances of its own for every component: VV."""

    def n_parameters(self, n_components: int, n_columns: int) -> int:
        """Return K D."""
        return n_components * n_columns

    def variances(self, counts: Array, spreads: Array) -> Array:
        """Return the spreads."""
        del counts
        return spreads

    def cost(self, counts: Array, log_products: Array, n_columns: int) -> Array:
        """Return sum_k n_k log of the products."""
        del n_columns
        return (counts * log_products).sum(-1)
