"""The doors: ``fit`` and ``em_path``. Validate, resolve, run, stamp."""

import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import jax
import numpy as np
from jax import Array

from .data.dataset import Dataset
from .data.sources import Source, is_collection, shard, stream
from .data.tabular import Table
from .engines.em import EM
from .engines.gibbs import Gibbs
from .model.resolved import Model, resolve
from .model.spec import MixtureSpec
from .numerics.precision import in_float64
from .numerics.programs import keep_room
from .result import Fit, Outcome, Provenance, Status

VERSIONED = ("bayesgmm", "jax", "numpyro", "numpy")


class Engine(Protocol):
    """Frozen settings with one method."""

    def run(self, key: Array, model: Model, data: Table) -> Fit:
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
        X: rows (N, D): array, nested lists, data frame, or a Dataset. For EM and Gibbs also rows
            that stay where they are, as ``stream`` gives them: a memory map, the path of a ``.npy`` file or of
            Parquet, a Dask array or data frame; or a JAX array over several devices, as ``shard`` gives it.
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


def em_path(
    X: Any,
    spec: MixtureSpec,
    *,
    engine: EM | None = None,
    seed: int = 0,
    sample_weight: Any = None,
    labels: Any = None,
) -> list[Fit]:
    """Fit by EM and keep every step: a fit at the start and after each update.

    For pictures and lessons (``bg.plots.animation``); ``fit`` takes one compiled loop instead.

    Args:
        X: rows (N, D), as in ``fit``.
        spec: what to fit, with K given.
        engine: settings of EM with one start.
        seed: seed of the start.
        sample_weight: as in ``fit``.
        labels: as in ``fit``.

    Returns:
        Point fits, the first at the start, the last where EM ends.

    Raises:
        ValueError: more than one start, or what ``fit`` refuses.
    """
    engine = EM() if engine is None else engine
    if engine.n_init > 1:
        raise ValueError(
            f"Expected an engine with one start, got n_init={engine.n_init}: each has a path of its own. Pass "
            "engine=bg.EM(n_init=1)."
        )
    data = dataset_of(X, sample_weight, labels)
    last = fit(data, spec, engine=engine, seed=seed)
    n_updates = len(last.history["log_likelihood"]) - 1
    alone = replace(engine, checkpoint=None)
    path = [fit(data, spec, engine=replace(alone, max_iter=0), seed=seed)] if n_updates else []
    while len(path) < n_updates:
        step = replace(alone, start=path[-1].mixture, max_iter=1)
        path.append(fit(data, spec, engine=step, seed=seed))
    return [*(on_the_way(one, engine, n) for n, one in enumerate(path)), last]


def on_the_way(step: Fit, engine: EM, n_updates: int) -> Fit:
    """Return a fit of one update as that of a longer run after so many."""
    text = f"After {n_updates} of at most {engine.max_iter} updates."
    return replace(step, engine=engine, status=Status(Outcome.MAX_ITER, text))


def dataset_of(X: Any, weights: Any, labels: Any) -> Dataset | Source:
    """Return the rows with what they carry."""
    if isinstance(X, (str, Path, np.memmap)) or is_collection(X):
        X = stream(X)
    elif isinstance(X, jax.Array) and len(X.sharding.device_set) > 1:
        X = shard(X, sorted(X.sharding.device_set, key=lambda device: device.id))
    if isinstance(X, Source):
        if weights is not None or labels is not None:
            raise ValueError(
                f"Expected {X.kind} rows once each, their components unknown, got sample_weight or labels. Take "
                "the rows into memory (np.load, pandas.read_parquet)."
            )
        return X
    if not isinstance(X, Dataset):
        return Dataset.from_array(X, weights=weights, labels=labels)
    if weights is not None or labels is not None:
        raise ValueError(
            "Expected sample_weight and labels within the Dataset, got a Dataset and them beside it. Use "
            "bg.Dataset.from_array(rows, weights=..., labels=...)."
        )
    return X


def rows_in_memory(X: Any, weights: Any, labels: Any) -> Dataset:
    """Return the rows with what they carry, for uses that look at all of them more than once.

    Raises:
        ValueError: rows that are elsewhere.
    """
    data = dataset_of(X, weights, labels)
    if isinstance(data, Source):
        raise ValueError(data.refusal)
    return data


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
