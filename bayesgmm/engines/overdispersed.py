"""Over-dispersed starts for chains: partitions that differ, each improved by a few EM updates.

With K unknown one chain starts from a single cluster, one from many, the others in between; with K
given, from different k-means runs. Chains that agree after such starts say something.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from ..data.dataset import Dataset
from ..model.families.base import Family
from ..model.mixture import Mixture, Tied
from ..model.resolved import Model
from ..numerics.rows import Rows, chunk_vector
from .climb import Objective, begin, climb, mixture_from_labels
from .starts import Points, kmeans_labels

N_UPDATES = 30
RELATIVE_GAIN = 1e-4


def cluster_counts(model: Model, data: Dataset, n_chains: int) -> list[int]:
    """Return the number of clusters each chain starts from."""
    if not model.spec.is_auto:
        return [model.n_components] * n_chains
    most = min(model.n_components, max(2, data.n_rows // 5))
    between = np.geomspace(2, most, max(n_chains - 1, 1)).round().astype(int)[:-1]
    return [1, most, *map(int, between)][:n_chains]


def overdispersed_mixtures(
    random: np.random.RandomState, model: Model, data: Dataset, rows: Rows, n_chains: int
) -> Mixture:
    """Return one mixture per chain in engine units, (C, K, ...), components by falling weight."""
    flat = Objective(np.float64(0.0), np.float64(1.0), model.components)
    points, length = Points(data.scaled()), rows.values.shape[-1]
    counts = cluster_counts(model, data, n_chains)
    labels = [chunk_vector(kmeans_labels(points, count, random), length) for count in counts]
    return improved_mixtures(model.family, model.n_components, flat, np.stack(labels), rows)


@partial(jax.jit, static_argnums=(0, 1))
def improved_mixtures(
    family: Family, n_components: int, objective: Objective, labels: Array, rows: Rows
) -> Mixture:
    """Climb from labels (C, n_chunks, chunk); return (C, K, ...), components by falling weight."""

    def made_of(labels: Array) -> Mixture:
        return mixture_from_labels(family, objective, labels, rows, n_components)

    state = begin(family, jax.lax.map(made_of, labels), N_UPDATES)
    climbed = climb(family, objective, state, rows, RELATIVE_GAIN, N_UPDATES + 1)
    return by_falling_weight(climbed.mixture)


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
