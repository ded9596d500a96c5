"""Where engines start: named starts by scikit-learn's algorithms, given labels, given parameters."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..data.tabular import Table
from ..model.families.base import Family
from ..model.mixture import Mixture
from ..model.resolved import Model
from ..numerics.rows import Rows, chunk_patterns, chunk_rows, chunk_table, chunk_vector
from .annealing import BETAS, annealed
from .climb import Objective, mixture_from_labels, mixture_from_responsibilities
from .filling import regressed
from .given import check_responsibilities, covariance_from_precisions, given_mixture
from .hierarchical import MOST_ROWS, Dendrogram, dendrogram
from .kmeans import lloyd_labels
from .seeding import seed_rows

MOST_FILLINGS = 20
NAMES = ("kmeans", "k-means++", "random", "random_from_data", "hierarchical", "annealed")


@dataclass(frozen=True)
class PartialStart:
    """A named start of which some parameters are given, in the data's units.

    Attributes:
        name: one of the named starts.
        weights: (K,) or None.
        means: (K, D) or None.
        precisions: in scikit-learn's shapes, (K, D, D), (D, D), (K, D) or (K,), or None.
    """

    name: str = "kmeans"
    weights: Any = None
    means: Any = None
    precisions: Any = None


class Points(NamedTuple):
    """The rows to start from.

    Attributes:
        scaled: in engine units, (N, D).
        weights: how many rows each counts as, (N,), or None.
        labels: known components, -1 where not known, (N,), or None.
        missing: which cells are missing and hold something else, (N, D), or None.
    """

    scaled: np.ndarray
    weights: np.ndarray | None = None
    labels: np.ndarray | None = None
    missing: np.ndarray | None = None

    def only(self, rows: np.ndarray) -> "Points":
        """Return some of the rows, by their indices."""
        fields = ("weights", "labels", "missing")
        present = {name: getattr(self, name) for name in fields}
        some = {name: None if one is None else one[rows] for name, one in present.items()}
        return Points(self.scaled[rows], **some)


def points_of(data: Table) -> Points:
    """Return the rows of a data set, column means in place of missing cells."""
    rows = data.sample
    scaled = rows.tame()
    missing = np.isnan(scaled) if rows.has_missing else None
    return Points(np.nan_to_num(scaled), rows.weights, rows.labels, missing)


def check_start(start: Any) -> None:
    """Raise unless a start is a known name, responsibilities, a Mixture or a partial start."""
    if isinstance(start, str) and start not in NAMES:
        raise ValueError(
            f"Expected a start out of {list(NAMES)}, got {start!r}. Choose one, or pass "
            "responsibilities (N, K) or a Mixture."
        )


def starting_mixture(
    start: Any,
    random: np.random.RandomState,
    model: Model,
    objective: Objective,
    points: Points,
    rows: Rows,
) -> Mixture:
    """Return one starting mixture in engine units.

    Args:
        start: a name, responsibilities (N, K), a Mixture in the data's units, or a PartialStart.
        random: source of randomness; consumed as scikit-learn consumes it.
        model: the resolved model.
        objective: what the first M-step maximises.
        points: the rows.
        rows: the same rows, chunked.

    Raises:
        ValueError: wrong shapes or impossible parameters.
    """
    if isinstance(start, Mixture):
        return given_mixture(start, model)
    if isinstance(start, PartialStart):
        return _partial(start, random, model, objective, points, rows)
    if isinstance(start, str):
        return _named(start, random, model, objective, points, rows)
    responsibilities = check_responsibilities(
        np.asarray(start, float), len(points.scaled), model.n_components
    )
    return _from_table(responsibilities, model, objective, rows)


def seed_of(key: Array) -> int:
    """Return the integer that a key was made of, or its last word."""
    return int(np.asarray(jax.random.key_data(key))[-1])


def _named(
    name: str,
    random: np.random.RandomState,
    model: Model,
    objective: Objective,
    points: Points,
    rows: Rows,
) -> Mixture:
    n_components = model.n_components
    if name == "annealed":
        seeded = _named("nearest", random, model, objective, points, rows)
        return cooled(seeded, model, objective, points, rows)
    if points.labels is not None:
        table = clamped_table(points, start_table(name, random, model, points))
        return _from_table(table, model, objective, rows)
    if name == "hierarchical":
        return cut_start(tree_of(points, model.family, random), model, objective, points, rows)
    if name == "random":
        return _from_table(random_table(random, points, n_components), model, objective, rows)
    if name in PARTITIONS:
        labels = (
            compiled_kmeans_labels(points, n_components, random, rows)
            if name == "kmeans" and points.missing is None
            else PARTITIONS[name](points, n_components, random)
        )
        rows = rows if points.missing is None else filled_rows(points, labels, rows)
        return mixture_of_labels(model.family, objective, labels, rows, n_components)
    chosen = chosen_rows(name, random, n_components, points)
    alone = chunk_rows(points.scaled[chosen], n_components)
    return mixture_of_labels(model.family, objective, np.arange(n_components), alone, n_components)


def random_table(random: np.random.RandomState, points: Points, n_components: int) -> np.ndarray:
    """Return random responsibilities, (N, K)."""
    table = random.uniform(size=(len(points.scaled), n_components))
    return table / table.sum(1, keepdims=True)


def chosen_rows(
    name: str, random: np.random.RandomState, n_components: int, points: Points
) -> np.ndarray:
    """Return a row for each component, (K,)."""
    if name == "k-means++":
        return seed_rows(points.scaled, points.weights, n_components, random)
    weights = points.weights
    chances = None if weights is None else weights / weights.sum()
    return random.choice(len(points.scaled), size=n_components, replace=False, p=chances)


def start_table(
    name: str, random: np.random.RandomState, model: Model, points: Points
) -> np.ndarray:
    """Return starting responsibilities, rows of zeros where a row is left out, (N, K)."""
    n_components = model.n_components
    if name == "random":
        return random_table(random, points, n_components)
    if name in PARTITIONS:
        return np.eye(n_components)[PARTITIONS[name](points, n_components, random)]
    table = np.zeros((len(points.scaled), n_components))
    if name == "hierarchical":
        grown = tree_of(points, model.family, random)
        table[grown.rows, grown.tree.labels(n_components)] = 1
    else:
        table[chosen_rows(name, random, n_components, points), np.arange(n_components)] = 1
    return table


def is_settled(start: Any, points: Points) -> bool:
    """Say whether a named start takes no random number, so that all restarts are one."""
    name = start.name if isinstance(start, PartialStart) else start
    is_tree = isinstance(name, str) and name == "hierarchical"
    return is_tree and len(points.scaled) <= MOST_ROWS


def has_common_covariance(family: Family, n_columns: int) -> bool:
    """Say whether one covariance serves all components."""
    return len({family.n_covariance_parameters(k, n_columns) for k in (1, 2)}) == 1


def tree_of(points: Points, family: Family, random: np.random.RandomState) -> Dendrogram:
    """Grow the tree that suits a covariance structure: Ward's where one covariance serves all."""
    values = points.scaled
    common = has_common_covariance(family, values.shape[1])
    if points.missing is not None:
        values = regressed(values, points.missing, points.weights)
    return dendrogram(values, points.weights, random, common_covariance=common)


def cut_start(
    grown: Dendrogram, model: Model, objective: Objective, points: Points, rows: Rows
) -> Mixture:
    """Return the M-step from the K clusters of a tree; rows that it leaves out have no say."""
    labels = grown.tree.labels(model.n_components)
    some = points.only(grown.rows)
    values = some.scaled if some.missing is None else filled_by_cluster(some, labels)[0]
    cut = chunk_rows(values, min(rows.values.shape[-1], len(values)), some.weights)
    return mixture_of_labels(model.family, objective, labels, cut, model.n_components)


def clamped_table(points: Points, table: np.ndarray) -> np.ndarray:
    """Give rows with a known component to it, the start's components named to agree best, (N, K)."""
    # Imported on use: SciPy's optimisers take a while.
    from scipy.optimize import linear_sum_assignment

    assert points.labels is not None
    known = np.flatnonzero(points.labels >= 0)
    of_known = np.eye(table.shape[1])[points.labels[known]]
    _, order = linear_sum_assignment(-of_known.T @ table[known])
    named = table[:, order]
    named[known] = of_known
    return named


def compiled_kmeans_labels(
    points: Points, n_components: int, random: np.random.RandomState, rows: Rows
) -> np.ndarray:
    """Return the labels of ``kmeans_labels`` from the same seeds, by one compiled program, (N,)."""
    first = points.scaled[seed_rows(points.scaled, points.weights, n_components, random)]
    variance = np.float64(points.scaled.var(0).mean())
    labels = np.asarray(lloyd_labels(first, rows, variance)).ravel()[: len(points.scaled)]
    found = np.bincount(labels, points.weights, minlength=n_components)
    if (found > 0).all():
        return labels
    # A cluster lost all its rows: scikit-learn gives it the row farthest from its centre.
    from sklearn.cluster import KMeans

    means = KMeans(n_components, init=first, n_init=1)
    return means.fit(points.scaled, sample_weight=points.weights).labels_


def kmeans_labels(points: Points, n_components: int, random: np.random.RandomState) -> np.ndarray:
    """Return the labels of one k-means run, (N,)."""
    # Imported on use: a start that is given needs no scikit-learn.
    from sklearn.cluster import KMeans

    means = KMeans(n_components, n_init=1, random_state=random)
    found = means.fit(points.scaled, sample_weight=points.weights)
    return found.labels_ if points.missing is None else kpod_labels(points, found.labels_)


def kpod_labels(points: Points, labels: np.ndarray) -> np.ndarray:
    """Return labels of k-means on the cells that are there, from labels to begin with, (N,).

    Missing cells take their cluster's mean in turn with k-means (Chi, Chi & Baraniuk 2016, The
    American Statistician 70, 91-99).
    """
    from sklearn.cluster import KMeans

    for _ in range(MOST_FILLINGS):
        filled, centres = filled_by_cluster(points, labels)
        means = KMeans(len(centres), init=centres, n_init=1)
        found = means.fit(filled, sample_weight=points.weights).labels_
        if np.array_equal(found, labels):
            break
        labels = found
    return labels


def filled_by_cluster(points: Points, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows (N, D) with the means of their cluster in missing cells, and those means (K, D)."""
    assert points.missing is not None
    weights = np.ones(len(labels)) if points.weights is None else points.weights
    members = np.eye(int(labels.max()) + 1)[labels] * weights[:, None]
    counts = members.T @ ~points.missing
    centres = members.T @ np.where(points.missing, 0.0, points.scaled)
    centres /= np.where(counts > 0, counts, 1.0)
    return np.where(points.missing, centres[labels], points.scaled), centres


def filled_rows(points: Points, labels: np.ndarray, rows: Rows) -> Rows:
    """Return the rows with the means of their cluster in missing cells."""
    filled, _ = filled_by_cluster(points, labels)
    return chunk_rows(filled, rows.values.shape[-1], points.weights)


def nearest_labels(points: Points, n_components: int, random: np.random.RandomState) -> np.ndarray:
    """Return for each row the nearest of the rows that k-means++ seeding picks, (N,)."""
    from sklearn.metrics import pairwise_distances_argmin

    seeds = points.scaled[seed_rows(points.scaled, points.weights, n_components, random)]
    return pairwise_distances_argmin(points.scaled, seeds)


# Starts that are partitions of the rows.
PARTITIONS = {"kmeans": kmeans_labels, "nearest": nearest_labels}


def cooled(
    mixture: Mixture, model: Model, objective: Objective, points: Points, rows: Rows
) -> Mixture:
    """Return a starting mixture after tempered updates."""
    if points.missing is not None:
        cells = np.where(points.missing, np.nan, points.scaled)
        rows = chunk_patterns(cells, rows.values.shape[-1], points.weights, points.labels)
    one = jax.tree.map(lambda leaf: leaf[None], mixture)
    end = annealed(model.family, objective, one, rows, BETAS)
    return jax.tree.map(lambda leaf: leaf[0], end)


def mixture_of_labels(
    family: Family, objective: Objective, labels: np.ndarray, rows: Rows, n_components: int
) -> Mixture:
    """Return the M-step from hard labels (N,)."""
    chunked = chunk_vector(labels.astype(np.int32), rows.values.shape[-1])
    return mixture_from_labels(family, objective, chunked, rows, n_components)


def _from_table(table: np.ndarray, model: Model, objective: Objective, rows: Rows) -> Mixture:
    chunked = chunk_table(table, rows.values.shape[-1])
    return mixture_from_responsibilities(model.family, objective, chunked, rows)


def _partial(
    start: PartialStart,
    random: np.random.RandomState,
    model: Model,
    objective: Objective,
    points: Points,
    rows: Rows,
) -> Mixture:
    given = (start.weights, start.means, start.precisions)
    if all(value is not None for value in given):
        base = Mixture(*[jnp.zeros(())] * 3)
    else:
        base = _named(start.name, random, model, objective, points, rows)
    affine = model.affine
    if start.weights is not None:
        base = base._replace(log_weights=jnp.log(jnp.asarray(start.weights, float)))
    if start.means is not None:
        base = base._replace(means=jnp.asarray(affine.forward(np.asarray(start.means, float))))
    if start.precisions is not None:
        covariance = covariance_from_precisions(model.family, np.asarray(start.precisions, float))
        base = base._replace(covariance=model.family.scale_by(covariance, 1 / float(affine.scale)))
    return base
