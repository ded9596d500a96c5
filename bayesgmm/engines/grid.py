"""A grid of mixtures: every restart of every number of components is a lane of ``engines.packs``."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..data.dataset import Dataset
from ..model.families.base import Family
from ..model.lanes import Lanes, side_by_side
from ..model.missing import log_joint_of_chunk
from ..model.mixture import Mixture, Tied
from ..numerics.rows import Rows, chunk_length, sum_chunks
from .climb import Climb
from .packs import Shape, load_shape


class Grid(NamedTuple):
    """The lanes of a grid: every restart of every K.

    Attributes:
        sizes: components of each lane, (L,).
        shape: the loads in which they are worked off.
        rows: the rows, chunked for that width.
    """

    sizes: np.ndarray
    shape: Shape
    rows: Rows

    def of(self, n_components: int) -> np.ndarray:
        """Return the lanes with so many components."""
        return np.flatnonzero(self.sizes == n_components)


def grid_of(data: Dataset, n_components: Sequence[int], n_init: int) -> Grid:
    """Lay out the lanes."""
    sizes = np.repeat(np.array(n_components), n_init)
    n_features = (data.n_columns + 1) * (data.n_columns + 2) // 2
    shape = load_shape(sizes, n_features)
    length = chunk_length(data.n_rows, n_features + shape.width)
    return Grid(sizes, shape, jax.device_put(data.rows(length)))


def padded(mixture: Mixture, n_components: int) -> Mixture:
    """Pad a mixture (K, ...) with components that are not there."""
    missing = n_components - len(mixture.log_weights)

    def pad(leaf: Array, value: float) -> Array:
        width = [(0, missing)] + [(0, 0)] * (leaf.ndim - 1)
        return cast(Array, np.pad(leaf, width, constant_values=value))

    covariance = mixture.covariance
    if not isinstance(covariance, Tied):
        covariance = jax.tree.map(lambda leaf: pad(leaf, 1.0), covariance)
    return Mixture(pad(mixture.log_weights, -np.inf), pad(mixture.means, 0.0), covariance)


def trimmed(state: Climb, lanes: np.ndarray, n_components: int) -> Climb:
    """Return lanes of a state without their padding, (M, K, ...)."""
    part = jax.tree.map(lambda leaf: leaf[lanes], state)
    covariance = part.mixture.covariance
    if not isinstance(covariance, Tied):
        covariance = jax.tree.map(lambda leaf: leaf[:, :n_components], covariance)
    mixture = Mixture(
        part.mixture.log_weights[:, :n_components], part.mixture.means[:, :n_components], covariance
    )
    return part._replace(mixture=mixture)


@partial(jax.jit, static_argnums=0)
def row_sums(family: Family, mixture: Mixture, rows: Rows, lanes: Lanes) -> Array:
    """Return weighted sums of log p(x), and of log p(x, k) of the likeliest k, (L, 2)."""
    flat_family, flat = side_by_side(family, mixture, lanes)

    def sums(part: Rows) -> Array:
        joint = log_joint_of_chunk(flat_family, flat, part)[0]
        highest = lanes.highest(joint)
        density = highest + jnp.log(lanes.total(jnp.exp(joint - highest[lanes.lane])))
        both = jnp.stack([density, highest])[:, : len(lanes.sizes)]
        return jnp.where(part.weights > 0, both, 0.0) @ part.weights

    return sum_chunks(sums, rows).T
