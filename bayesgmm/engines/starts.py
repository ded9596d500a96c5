"""Where engines start: named starts by scikit-learn's algorithms, given labels, given parameters."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..model.families.base import Family
from ..model.mixture import Mixture
from ..model.resolved import Model
from ..numerics.rows import Rows, chunk_rows, chunk_table, chunk_vector
from .climb import Objective, mixture_from_labels, mixture_from_responsibilities

NAMES = ("kmeans", "k-means++", "random", "random_from_data")


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
    scaled: np.ndarray,
    rows: Rows,
) -> Mixture:
    """Return one starting mixture in engine units.

    Args:
        start: a name, responsibilities (N, K), a Mixture in the data's units, or a PartialStart.
        random: source of randomness; consumed as scikit-learn consumes it.
        model: the resolved model.
        objective: what the first M-step maximises.
        scaled: the rows in engine units, (N, D).
        rows: the same rows, chunked.

    Raises:
        ValueError: wrong shapes or impossible parameters.
    """
    if isinstance(start, Mixture):
        return given_mixture(start, model)
    if isinstance(start, PartialStart):
        return _partial(start, random, model, objective, scaled, rows)
    if isinstance(start, str):
        return _named(start, random, model, objective, scaled, rows)
    responsibilities = check_responsibilities(
        np.asarray(start, float), len(scaled), model.n_components
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
    scaled: np.ndarray,
    rows: Rows,
) -> Mixture:
    n_components = model.n_components
    if name == "random":
        table = random.uniform(size=(len(scaled), n_components))
        return _from_table(table / table.sum(1, keepdims=True), model, objective, rows)
    if name == "kmeans":
        labels = kmeans_labels(scaled, n_components, random)
        return mixture_of_labels(model.family, objective, labels, rows, n_components)
    if name == "k-means++":
        chosen = kmeans_plusplus_rows(scaled, n_components, random)
    else:
        chosen = random.choice(len(scaled), size=n_components, replace=False)
    alone = chunk_rows(scaled[chosen], n_components)
    return mixture_of_labels(model.family, objective, np.arange(n_components), alone, n_components)


def kmeans_labels(
    scaled: np.ndarray, n_components: int, random: np.random.RandomState
) -> np.ndarray:
    """Return the labels of one k-means run, (N,)."""
    # Imported on use: a start that is given needs no scikit-learn.
    from sklearn.cluster import KMeans

    return KMeans(n_components, n_init=1, random_state=random).fit(scaled).labels_


def kmeans_plusplus_rows(
    scaled: np.ndarray, n_components: int, random: np.random.RandomState
) -> np.ndarray:
    """Return the rows that k-means++ seeding picks, (K,)."""
    from sklearn.cluster import kmeans_plusplus

    return kmeans_plusplus(scaled, n_components, random_state=random)[1]


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
    scaled: np.ndarray,
    rows: Rows,
) -> Mixture:
    given = (start.weights, start.means, start.precisions)
    if all(value is not None for value in given):
        base = Mixture(*[jnp.zeros(())] * 3)
    else:
        base = _named(start.name, random, model, objective, scaled, rows)
    affine = model.affine
    if start.weights is not None:
        base = base._replace(log_weights=jnp.log(jnp.asarray(start.weights, float)))
    if start.means is not None:
        base = base._replace(means=jnp.asarray(affine.forward(np.asarray(start.means, float))))
    if start.precisions is not None:
        covariance = covariance_from_precisions(model.family, np.asarray(start.precisions, float))
        base = base._replace(covariance=model.family.scale_by(covariance, 1 / float(affine.scale)))
    return base


def covariance_from_precisions(family: Family, precisions: np.ndarray) -> Any:
    """Return the covariance record of precisions in scikit-learn's shapes."""
    if precisions.ndim == 1 or family.name == "diag":
        return family.record(jnp.asarray(precisions) ** -0.5)
    return family.from_matrices(np.linalg.inv(precisions))


def given_mixture(mixture: Mixture, model: Model) -> Mixture:
    """Return a user's mixture in engine units, its shapes checked."""
    expected = (model.n_components, model.n_columns)
    if np.shape(mixture.means) != expected or np.shape(mixture.log_weights) != expected[:1]:
        raise ValueError(
            f"Expected a starting mixture with means {expected} and log_weights {expected[:1]}, got "
            f"{np.shape(mixture.means)} and {np.shape(mixture.log_weights)}. Match n_components and columns."
        )
    if not isinstance(mixture.covariance, model.family.record):
        raise ValueError(
            f"Expected a starting covariance of type {model.family.record.__name__} for covariance="
            f"{model.family.name!r}, got {type(mixture.covariance).__name__}. Convert it first."
        )
    check_parameters(mixture, model)
    covariance = model.family.scale_by(mixture.covariance, 1 / float(model.affine.scale))
    return Mixture(
        jnp.asarray(mixture.log_weights, float),
        jnp.asarray(model.affine.forward(np.asarray(mixture.means, float)), float),
        type(covariance)(*(jnp.asarray(leaf, float) for leaf in covariance)),
    )


def check_parameters(mixture: Mixture, model: Model) -> None:
    """Raise unless covariances have their shape, numbers are finite and weights sum to one."""
    sums = jax.ShapeDtypeStruct(
        (model.n_components, model.family.n_features(model.n_columns)), jnp.float32
    )
    expected = jax.eval_shape(
        lambda sums: model.family.maximise(model.family.statistics(sums, model.n_columns), 0.0),
        sums,
    )
    for leaf, like in zip(mixture.covariance, expected, strict=True):
        if np.shape(leaf) != like.shape:
            raise ValueError(
                f"Expected a starting covariance of shape {like.shape}, got {np.shape(leaf)}. "
                "Match n_components and columns."
            )
    total = np.exp(np.asarray(mixture.log_weights)).sum()
    finite = all(np.isfinite(leaf).all() for leaf in (mixture.means, *mixture.covariance))
    if not (finite and abs(total - 1) < 1e-4):
        raise ValueError(
            "Expected a starting mixture of finite numbers whose weights sum to one, got weights that "
            f"sum to {total:g} and {'finite' if finite else 'infinite or missing'} parameters. "
            "Check where the mixture comes from."
        )


def check_responsibilities(table: np.ndarray, n_rows: int, n_components: int) -> np.ndarray:
    """Return starting responsibilities if they are a distribution for each row."""
    if table.shape != (n_rows, n_components):
        raise ValueError(
            f"Expected starting responsibilities of shape {(n_rows, n_components)}, got {table.shape}. "
            "Give one row per row of data and one column per component."
        )
    if not (np.isfinite(table).all() and (table >= 0).all() and np.allclose(table.sum(1), 1)):
        raise ValueError(
            "Expected starting responsibilities that are >= 0 and sum to 1 in each row, got others. "
            "Divide each row by its sum."
        )
    return table
