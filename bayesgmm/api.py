"""The doors: ``fit``. Validate, resolve, run, stamp."""

import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from typing import Any, Protocol

import jax
from jax import Array

from .data.dataset import Dataset
from .engines.em import EM
from .engines.gibbs import Gibbs
from .model.resolved import Model, resolve
from .model.spec import MixtureSpec
from .numerics.precision import in_float64
from .numerics.programs import keep_room
from .result import Fit, Provenance

VERSIONED = ("bayesgmm", "jax", "numpyro", "numpy")


class Engine(Protocol):
    """Frozen settings with one method."""

    def run(self, key: Array, model: Model, data: Dataset) -> Fit:
        """Fit the model to the data.

        Args:
            key: JAX random key.
            model: the resolved model.
            data: the rows.

        Returns:
            The fit, in engine units inside.

        Raises:
            ValueError: a model this engine cannot serve, before any work.
        """


@in_float64
def fit(
    X: Any,
    spec: MixtureSpec | None = None,
    *,
    engine: Engine | None = None,
    seed: int = 0,
    sample_weight: Any = None,
    labels: Any = None,
) -> Fit:
    """Fit a Gaussian mixture.

    Args:
        X: rows (N, D): array, nested lists, data frame, or a Dataset.
        spec: what to fit; by default the number of clusters is inferred.
        engine: how to fit; by default EM for a specification without priors, else Gibbs.
        seed: seed of all randomness.
        sample_weight: how many rows each row counts as, (N,), >= 0.
        labels: component of each row where it is known, 0, 1, ..., else -1, (N,).

    Returns:
        The fit.

    Raises:
        ValueError: data, specification or engine that do not go together.
        TypeError: data that are not numbers.
    """
    spec = MixtureSpec() if spec is None else spec
    data = dataset_of(X, sample_weight, labels)
    model = resolve(spec, data)
    engine = default_engine(spec) if engine is None else engine
    begun = time.perf_counter()
    keep_room()
    result = engine.run(jax.random.key(check_seed(seed)), model, data)
    return replace(result, provenance=stamp(seed, time.perf_counter() - begun))


def dataset_of(X: Any, weights: Any, labels: Any) -> Dataset:
    """Return the rows with what they carry."""
    if not isinstance(X, Dataset):
        return Dataset.from_array(X, weights=weights, labels=labels)
    if weights is not None or labels is not None:
        raise ValueError(
            "Expected sample_weight and labels within the Dataset, got a Dataset and them beside it. Use "
            "bg.Dataset.from_array(rows, weights=..., labels=...)."
        )
    return X


def default_engine(spec: MixtureSpec) -> Engine:
    """Return EM without priors, Gibbs with them."""
    return EM() if spec.is_maximum_likelihood else Gibbs()


def check_seed(seed: Any) -> int:
    """Return the seed if it is a whole number that fits a random key."""
    if not hasattr(seed, "__index__") or not 0 <= seed < 2**32:
        raise ValueError(
            f"Expected seed to be a whole number in [0, 2**32), got {seed!r}. Pass seed=0."
        )
    return int(seed)


@cache
def versions() -> dict[str, str]:
    """Return the versions of the packages that matter."""
    return {name: version(name) for name in VERSIONED}


def stamp(seed: int, seconds: float) -> Provenance:
    """Record versions, seed and time."""
    return Provenance(
        seed=int(seed),
        seconds=seconds,
        dtype="float64",
        versions=dict(versions()),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
