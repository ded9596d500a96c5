"""Mixtures with different numbers of components on one flat axis, so that none is padded.

L mixtures are kept padded to the largest K, (L, K, ...); a pass over the rows takes their components
one after the other, (W, ...), and sums over the components of a mixture are sums over segments.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from .families import FAMILIES
from .families.base import Family
from .mixture import Full, Mixture, Statistics, Tied


class Lanes(NamedTuple):
    """Which component of which mixture each place of the flat axis holds.

    Attributes:
        lane: the mixture, ascending, (W,); L where the place is empty.
        component: which of its components, (W,).
        sizes: how many components each mixture has, (L,); 0 where there is no mixture.
    """

    lane: Array
    component: Array
    sizes: Array

    def highest(self, values: Array) -> Array:
        """Return the maximum over the components of each lane of (W, n), (L + 1, n)."""
        return jax.ops.segment_max(values, self.lane, len(self.sizes) + 1, indices_are_sorted=True)

    def total(self, values: Array) -> Array:
        """Return the sum over the components of each lane of (W, n), (L + 1, n)."""
        return jax.ops.segment_sum(values, self.lane, len(self.sizes) + 1, indices_are_sorted=True)

    def present(self, n_components: int) -> Array:
        """Say which of the padded components there are, (L, K)."""
        return jnp.arange(n_components) < self.sizes[:, None]

    def flat(self, leaf: Array) -> Array:
        """Take the components of (L, K, ...) that there are, (W, ...); empty places hold any."""
        return leaf[jnp.minimum(self.lane, len(self.sizes) - 1), self.component]

    def padded(self, leaf: Array, n_components: int) -> Array:
        """Put (W, ...) back, (L, K, ...), zero where there is no component."""
        out = jnp.zeros((len(self.sizes), n_components, *leaf.shape[1:]), leaf.dtype)
        return out.at[self.lane, self.component].set(leaf, mode="drop")


def side_by_side(family: Family, mixture: Mixture, lanes: Lanes) -> tuple[Family, Mixture]:
    """Return the components of mixtures (L, K, ...) on a flat axis, (1, W, ...), and their family."""
    covariance = mixture.covariance
    if family.record is Tied:
        family, covariance = FAMILIES["full"], Full(family.factors(mixture))
    flat = jax.tree.map(lanes.flat, Mixture(mixture.log_weights, mixture.means, covariance))
    return family, jax.tree.map(lambda leaf: leaf[None], flat)


def apart(statistics: Statistics, lanes: Lanes, n_components: int) -> Statistics:
    """Return the statistics (1, W, ...) of each mixture, (L, K, ...)."""
    return jax.tree.map(lambda leaf: lanes.padded(leaf[0], n_components), statistics)
