r"""Search for the partition of least expected loss, row by row.

Given all other rows, a row goes to the cluster in which the expected loss is least. With
g(n) = f(n + 1) - f(n), n_j rows in cluster j of the partition and n_jk of them in cluster k of draw s,

    (2 - a) g(n_j) - (2 / S) sum_s g(n_{j, z_s(i)})

is what row i adds in cluster j, so that no matrix over pairs of rows is needed. A run starts from a
given partition or from none, visits the rows in random order until none moves, and then takes each
cluster apart and allocates its rows anew, as long as that helps. (SALSO: Dahl, Johnson & Müller 2022,
Journal of Computational and Graphical Statistics 31, 1189-1201.)
"""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..numerics.precision import in_float64
from .losses import Loss, cells_of, joint_counts, losses, padded_size

# Rows visited are cut off after so many passes; the last ones move hardly a row.
MOST_PASSES = 20
MOST_RUNS, FEWEST_RUNS = 16, 4
# Labels of rows in draws visited by one pass of all runs together.
LABELS_OF_ALL_RUNS = 40_000_000
# Costs closer than this share of the largest possible one are equal but for rounding.
ROUNDING = 1e-12
SPARE_CLUSTERS = 4


class Found(NamedTuple):
    """A partition and what it costs.

    Attributes:
        labels: cluster of each row, 0, 1, ..., (N,).
        cost: (2 - a) sum_j f(n_j) - 2 mean_s sum_jk f(n_jk): the expected loss but for its scale
            and for a constant.
    """

    labels: np.ndarray
    cost: float


class Tables(NamedTuple):
    """What all runs need of the draws.

    Attributes:
        cells: index s K + z_s(i) of the cluster of each row i in each draw s, (N, S).
        values: f(n) for n = 0, ..., N + 1.
        price: 2 - a.
    """

    cells: Array
    values: Array
    price: Array


def search(loss: Loss, draws: np.ndarray, n_runs: int | None = None, seed: int = 0) -> Found:
    """Find the partition of least expected loss.

    Args:
        loss: the loss.
        draws: labels of the rows in each draw, 0, 1, ..., (S, N).
        n_runs: runs from different starts: the best of the draws, a single cluster, and random
            orders of allocation; by default 16, fewer among millions of labels.
        seed: seed of the orders.

    Returns:
        The best partition of all runs, clusters numbered by falling size.
    """
    n_draws, n_rows = draws.shape
    if n_runs is None:
        n_runs = min(MOST_RUNS, max(FEWEST_RUNS, LABELS_OF_ALL_RUNS // draws.size))
    n_labels = padded_size(draws)
    sizes = (n_draws * n_labels, min(n_rows, n_labels + SPARE_CLUSTERS))
    tables = tables_of(loss, draws, n_labels)
    starts = [best_of(loss, draws), np.zeros(n_rows, np.int32)][:n_runs]
    starts += [np.full(n_rows, sizes[1], np.int32)] * (n_runs - len(starts))

    def one(part: tuple[np.ndarray, np.random.SeedSequence]) -> Found:
        start, source = part
        return run(sizes, tables, start, np.random.default_rng(source))

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        found = list(
            pool.map(one, zip(starts, np.random.SeedSequence(seed).spawn(n_runs), strict=True))
        )
    best = min(found, key=lambda each: each.cost)
    return best._replace(labels=renumbered(best.labels))


@in_float64
def tables_of(loss: Loss, draws: np.ndarray, n_labels: int) -> Tables:
    """Return what all runs need of the draws (S, N)."""
    values = loss.of_counts(jnp.arange(draws.shape[1] + 2))
    return Tables(cells_of(draws, n_labels), values, jnp.asarray(2 - loss.a))


def best_of(loss: Loss, draws: np.ndarray, most: int = 200) -> np.ndarray:
    """Return the draw of least expected loss out of some, (N,)."""
    some = draws[:: -(-len(draws) // most)]
    return some[int(np.argmin(losses(loss, some, some).mean(1)))].astype(np.int32)


def run(
    sizes: tuple[int, int], tables: Tables, start: np.ndarray, random: np.random.Generator
) -> Found:
    """Visit all rows until none moves, then take clusters apart until that helps no more."""
    found = settled(sizes, tables, start, random)
    while True:
        improved = reallocated(sizes, tables, found, random)
        if improved.cost >= found.cost:
            return found
        found = settled(sizes, tables, improved.labels, random)


def settled(
    sizes: tuple[int, int], tables: Tables, labels: np.ndarray, random: np.random.Generator
) -> Found:
    """Visit all rows in random order until none moves."""
    found = Found(labels, np.inf)
    for _ in range(MOST_PASSES):
        before = found.labels
        found = visit(sizes, tables, before, random.permutation(len(labels)))
        if np.array_equal(found.labels, before):
            break
    return found


def reallocated(
    sizes: tuple[int, int], tables: Tables, found: Found, random: np.random.Generator
) -> Found:
    """Take each cluster apart in turn and allocate its rows anew; keep what costs less."""
    tolerance = ROUNDING * float(tables.values[-1])
    for cluster in random.permutation(np.unique(found.labels)):
        rows = np.flatnonzero(found.labels == cluster)
        labels = np.where(found.labels == cluster, sizes[1], found.labels)
        trial = visit(sizes, tables, labels, random.permutation(rows))
        if trial.cost < found.cost - tolerance:
            found = trial
    return found


@in_float64
def visit(sizes: tuple[int, int], tables: Tables, labels: np.ndarray, rows: np.ndarray) -> Found:
    """Send some rows, one after the other, to the cluster where they cost least.

    Args:
        sizes: S K and the number of clusters J.
        tables: what is needed of the draws.
        labels: cluster of each row, J for none, (N,).
        rows: the rows to visit, in order.
    """
    order = np.zeros(len(labels), np.int32)
    order[: len(rows)] = rows
    found = _visit(sizes, tables, jnp.asarray(labels, jnp.int32), jnp.asarray(order), len(rows))
    return Found(np.asarray(found[0]), float(found[1]))


class Counts(NamedTuple):
    """The state of a visit: labels (N,), sizes (J + 1,) and n_jk, (S K, J + 1)."""

    labels: Array
    sizes: Array
    joint: Array


@partial(jax.jit, static_argnums=0)
def _visit(
    sizes: tuple[int, int], tables: Tables, labels: Array, order: Array, n_visited: Array
) -> tuple[Array, Array]:
    n_cells, n_clusters = sizes
    n_draws = tables.cells.shape[1]
    gains = jnp.diff(tables.values)
    tolerance = ROUNDING * tables.values[-1]

    def step(i: Array, state: Counts) -> Counts:
        row = order[i]
        old, cells = state.labels[row], tables.cells[row]
        without = state.sizes.at[old].add(-1)
        joint = moved(state.joint, cells, old, -1)
        cost = costs(tables.price, gains, without, joint, cells)[:n_clusters]
        best = jnp.argmin(cost).astype(jnp.int32)
        # The column past the last cluster counts rows without one, who always move.
        own = jnp.where(old < n_clusters, cost[jnp.minimum(old, n_clusters - 1)], jnp.inf)
        new = jnp.where(own <= cost[best] + tolerance, old, best)
        joint = moved(joint, cells, new, 1)
        return Counts(state.labels.at[row].set(new), without.at[new].add(1), joint)

    joint = joint_counts((n_cells, n_clusters + 1), tables.cells, labels)
    start = Counts(labels, jnp.bincount(labels, length=n_clusters + 1), joint)
    end = jax.lax.fori_loop(0, n_visited, step, start)
    shared = tables.values[end.joint[:, :n_clusters]].sum() / n_draws
    cost = tables.price * tables.values[end.sizes[:n_clusters]].sum() - 2 * shared
    return end.labels, cost


def moved(joint: Array, cells: Array, cluster: Array, change: int) -> Array:
    """Add a row to a cluster, or take it away."""
    return joint.at[cells, cluster].add(change, mode="promise_in_bounds", unique_indices=True)


def costs(price: Array, gains: Array, sizes: Array, joint: Array, cells: Array) -> Array:
    """Return what a row, one of ``cells`` (S,) in the draws, adds to each cluster, (J + 1,)."""
    shared = gains.at[joint.at[cells].get(mode="promise_in_bounds")].get(mode="promise_in_bounds")
    return price * gains[sizes] - 2 * shared.mean(0)


@in_float64
def classified(loss: Loss, draws: np.ndarray, labels: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Send further rows to the clusters of a partition, each as if it came alone.

    Args:
        loss: the loss.
        draws: labels of the partitioned rows in each draw, (S, N).
        labels: their clusters, (N,).
        new: labels of further rows in the same draws, (S, M).

    Returns:
        Clusters of the further rows, (M,).
    """
    n_labels = max(padded_size(draws), padded_size(new))
    n_clusters = int(labels.max()) + 1
    tables = tables_of(loss, draws, n_labels)
    sizes = (len(draws) * n_labels, n_clusters)
    of_new = tables_of(loss, new, n_labels).cells
    return np.array(_classified(sizes, tables, jnp.asarray(labels, jnp.int32), of_new))


@partial(jax.jit, static_argnums=0)
def _classified(sizes: tuple[int, int], tables: Tables, labels: Array, cells: Array) -> Array:
    joint = joint_counts(sizes, tables.cells, labels)
    gains, n_rows = jnp.diff(tables.values), jnp.bincount(labels, length=sizes[1])
    cheapest = partial(costs, tables.price, gains, n_rows, joint)
    return jax.lax.map(lambda own: jnp.argmin(cheapest(own)), cells)


def renumbered(labels: np.ndarray) -> np.ndarray:
    """Number clusters by falling size, the first row deciding between equals, (N,)."""
    names, first, inverse, counts = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True
    )
    rank = np.empty(len(names), np.int64)
    rank[np.lexsort((first, -counts))] = np.arange(len(names))
    return rank[inverse]
