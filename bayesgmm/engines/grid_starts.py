"""Where the lanes of a grid start: k-means for all of them at once, or named starts one by one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import jax
import numpy as np
from jax import Array

from ..data.dataset import Dataset
from ..model.families.base import Family
from ..model.lanes import Lanes
from ..model.mixture import Mixture
from ..model.resolved import Model
from ..numerics.precision import to_numpy
from ..numerics.rows import Rows, chunk_length, chunk_rows
from .climb import Climb, Objective, begin, maximisation
from .em import EM
from .grid import Grid, padded
from .hierarchical import Dendrogram
from .kmeans import Means, lloyd, nearest_statistics
from .packs import lanes_of, loads, put, take, work_off
from .seeding import seed_rows
from .starts import (
    Points,
    cut_start,
    has_common_covariance,
    points_of,
    starting_mixture,
    tree_of,
)

# Updates of k-means between two packings.
TURNS = 8
# Rows on which k-means runs, drawn at random where there are more: enough for a start.
MOST_ROWS = 20_000


@dataclass(frozen=True)
class Starts:
    """The partitions at which all structures begin.

    Attributes:
        data: the rows.
        grid: the lanes.
        seed: seed of the starts.
        centres: those of k-means in every lane, (L, K, D) padded with zeros; None where starts are
            made one by one.
        trees: those of merges grown so far, by whether components share a covariance.
    """

    data: Dataset
    grid: Grid
    seed: int
    centres: np.ndarray | None = None
    trees: dict[bool, Dendrogram] = field(default_factory=dict)

    def begin(self, engine: EM, models: Mapping[int, Model], objective: Objective) -> Climb:
        """Return the state of every lane before its first turn, (L, ...) NumPy."""
        if self.centres is None:
            return begun_as_named(engine, models, objective, self)
        family = next(iter(models.values())).family
        return begun_at_centres(engine, family, objective, self.grid, self.centres)

    def tree(self, family: Family) -> Dendrogram:
        """Return the tree that suits a structure; those that may share one do."""
        common = has_common_covariance(family, self.data.n_columns)
        if common not in self.trees:
            random = np.random.RandomState(self.seed)
            self.trees[common] = tree_of(points_of(self.data), family, random)
        return self.trees[common]


def starts_of(engine: EM, data: Dataset, grid: Grid, seed: int) -> Starts:
    """Return the starts that the engine names."""
    plain = data.labels is None and not data.has_missing
    if isinstance(engine.start, str) and engine.start == "kmeans" and plain:
        return Starts(data, grid, seed, kmeans_centres(data, grid, seed))
    return Starts(data, grid, seed)


def kmeans_centres(data: Dataset, grid: Grid, seed: int) -> np.ndarray:
    """Return the centres of k-means for every lane, (L, K, D)."""
    random = np.random.RandomState(seed)
    points, rows = rows_for_kmeans(data, grid, random)
    n_lanes, n_init = len(grid.sizes), len(grid.of(grid.sizes[0]))
    centres = np.zeros((n_lanes, grid.shape.n_components, data.n_columns))
    for restart in range(n_init):
        found = points.scaled[
            seed_rows(points.scaled, points.weights, grid.shape.n_components, random)
        ]
        for lane in range(restart, n_lanes, n_init):
            centres[lane, : grid.sizes[lane]] = found[: grid.sizes[lane]]
    variance = np.float64(points.scaled.var(0).mean())

    def advance(means: Means, lanes: Lanes) -> Means:
        return lloyd(means, rows, variance, np.int32(TURNS), lanes)

    zeros = np.zeros(n_lanes, np.int32)
    start = Means(*(cast(Array, part) for part in (centres, zeros, zeros > 0)))
    worked = work_off(advance, start, grid.sizes, grid.shape, lambda means: ~means.at_rest)
    if worked.interrupted:
        raise KeyboardInterrupt
    return worked.state.centres


def rows_for_kmeans(
    data: Dataset, grid: Grid, random: np.random.RandomState
) -> tuple[Points, Rows]:
    """Return the rows, or some of those that count."""
    points = points_of(data)
    counted = np.arange(data.n_rows) if data.weights is None else np.flatnonzero(data.weights)
    if len(counted) <= MOST_ROWS:
        return points, grid.rows
    some = points.only(random.choice(counted, MOST_ROWS, replace=False))
    width = data.n_columns + grid.shape.width
    cut = chunk_rows(some.scaled, chunk_length(MOST_ROWS, width), some.weights)
    return some, jax.device_put(cut)


@partial(jax.jit, static_argnums=(0, 4))
def begin_at_centres(
    family: Family, objective: Objective, centres: Array, rows: Rows, max_iter: int, lanes: Lanes
) -> Climb:
    """Return the state before the first turn, each row given to the nearest centre (L, K, D)."""
    statistics = nearest_statistics(family, centres, rows, lanes)
    mixture = maximisation(family, objective, statistics, lanes=lanes)
    return begin(family, mixture, max_iter)


def begun_at_centres(
    engine: EM, family: Family, objective: Objective, grid: Grid, centres: np.ndarray
) -> Climb:
    """Return the state of every lane, a load at a time."""
    state: Climb | None = None
    for members in loads(grid.sizes, np.arange(len(grid.sizes)), grid.shape):
        lanes, first = lanes_of(grid.sizes[members], grid.shape), take(centres, members, grid.shape)
        made = begin_at_centres(family, objective, first, grid.rows, engine.max_iter, lanes)
        if state is None:
            state = jax.tree.map(
                lambda leaf: np.empty((len(grid.sizes), *leaf.shape[1:]), leaf.dtype), made
            )
        put(state, members, made)
    assert state is not None
    return state


def begun_as_named(
    engine: EM, models: Mapping[int, Model], objective: Objective, starts: Starts
) -> Climb:
    """Return the state of every lane, one start after the other."""
    data, grid = starts.data, starts.grid
    points, random = points_of(data), np.random.RandomState(starts.seed)
    length = grid.rows.values.shape[-1]
    rows = chunk_rows(points.scaled, length, data.weights) if data.has_missing else grid.rows
    family = next(iter(models.values())).family
    is_tree = isinstance(engine.start, str) and engine.start == "hierarchical"
    tree = starts.tree(family) if is_tree and data.labels is None else None

    def start(model: Model) -> Mixture:
        if tree is not None:
            return cut_start(tree, model, objective, points, rows)
        return starting_mixture(engine.start, random, model, objective, points, rows)

    made = (to_numpy(start(models[int(size)])) for size in grid.sizes)
    wide = [padded(one, grid.shape.n_components) for one in made]
    together = jax.tree.map(lambda *leaves: np.stack(leaves), *wide)
    return jax.tree.map(np.array, begin(family, together, engine.max_iter))
