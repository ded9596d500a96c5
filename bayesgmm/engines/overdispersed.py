"""Over-dispersed starts for chains: partitions that differ, each improved by a few EM updates.

With K unknown one chain starts from a single cluster, one from many, the others in between; with K
given, from different k-means runs. Chains that agree after such starts say something. Where labels
are known, the clusters of a start take the names that agree best with them.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from ..data.tabular import Table
from ..model.families.base import Family
from ..model.mixture import Mixture, Tied
from ..model.resolved import Model
from ..numerics.rows import Rows, chunk_vector
from .climb import Objective, begin, climb, mixture_from_labels
from .starts import (
    Points,
    clamped_table,
    filled_rows,
    kmeans_labels,
    mixture_of_labels,
    points_of,
)

N_UPDATES = 30
RELATIVE_GAIN = 1e-4


def cluster_counts(model: Model, data: Table, n_chains: int) -> list[int]:
    """Return the number of clusters each chain starts from."""
    if not model.spec.is_auto:
        return [model.n_components] * n_chains
    most = min(model.n_components, max(2, data.n_rows // 5))
    between = np.geomspace(2, most, max(n_chains - 1, 1)).round().astype(int)[:-1]
    return [1, most, *map(int, between)][:n_chains]


def overdispersed_mixtures(
    random: np.random.RandomState, model: Model, data: Table, rows: Rows, n_chains: int
) -> Mixture:
    """Return one mixture per chain in engine units, (C, K, ...).

    Components come by falling weight, or, where labels are known, under their names.
    """
    flat = Objective(np.float64(0.0), np.float64(1.0), model.components)
    points, n_components = points_of(data), model.n_components
    counts = cluster_counts(model, data, n_chains)
    labels = [named_labels(points, count, n_components, random) for count in counts]
    if rows.observed is None:
        chunked = [chunk_vector(one, rows.values.shape[-1]) for one in labels]
        return improved_mixtures(model.family, n_components, flat, np.stack(chunked), rows)
    made = [
        mixture_of_labels(model.family, flat, one, filled_rows(points, one, rows), n_components)
        for one in labels
    ]
    first = jax.tree.map(lambda *leaves: jnp.stack(leaves), *made)
    return climbed_mixtures(model.family, flat, first, rows)


def named_labels(
    points: Points, n_clusters: int, n_components: int, random: np.random.RandomState
) -> np.ndarray:
    """Return the labels of one k-means run, known ones as they are, (N,)."""
    labels = kmeans_labels(points, n_clusters, random)
    if points.labels is None:
        return labels
    return clamped_table(points, np.eye(n_components)[labels]).argmax(1).astype(labels.dtype)


@partial(jax.jit, static_argnums=(0, 1))
def improved_mixtures(
    family: Family, n_components: int, objective: Objective, labels: Array, rows: Rows
) -> Mixture:
    """Climb from labels (C, n_chunks, chunk); return (C, K, ...)."""

    def made_of(labels: Array) -> Mixture:
        return mixture_from_labels(family, objective, labels, rows, n_components)

    return climbed_mixtures(family, objective, jax.lax.map(made_of, labels), rows)


@partial(jax.jit, static_argnums=0)
def climbed_mixtures(family: Family, objective: Objective, first: Mixture, rows: Rows) -> Mixture:
    """Climb from mixtures (C, K, ...); where no labels are known, order components by weight."""
    state = begin(family, first, N_UPDATES)
    climbed = climb(family, objective, state, rows, RELATIVE_GAIN, N_UPDATES + 1)
    return by_falling_weight(climbed.mixture) if rows.labels is None else climbed.mixture


def by_falling_weight(mixture: Mixture) -> Mixture:
    """Order the components of mixtures (C, K, ...) by falling weight."""
    order = jnp.argsort(-mixture.log_weights, axis=-1)

    def arrange(leaf: Array) -> Array:
        index = order.reshape(*order.shape, *([1] * (leaf.ndim - 2)))
        return jnp.take_along_axis(leaf, index, axis=1)

    covariance = mixture.covariance
    if not isinstance(covariance, Tied):
        covariance = type(covariance)(*map(arrange, covariance))
    return Mixture(arrange(mixture.log_weights), arrange(mixture.means), covariance)


def floored(log_weights: Array, n_rows: ArrayLike, pseudo_count: float = 0.05) -> Array:
    """Give every component a trace of weight, as a Dirichlet posterior mean would, (..., K)."""
    weights = jnp.exp(log_weights) * n_rows + pseudo_count
    return jnp.log(weights) - jnp.log(weights.sum(-1, keepdims=True))
