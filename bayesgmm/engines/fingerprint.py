"""What tells one run from another: its engine, data, model, key and versions, each by a hash.

Two runs with equal fingerprints make equal draws, to the bit.
"""

import dataclasses
import hashlib
from functools import cache
from importlib.metadata import version
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array

from ..data.sources import Source
from ..data.tabular import Table
from ..model.resolved import Model

VERSIONED = ("bayesgmm", "jax", "jaxlib", "numpyro")
# Settings that say how to run, not what to compute.
FREE = ("checkpoint", "every", "progress", "memory")
# Rows of a table that are hashed at a time.
BLOCK = 65_536
# Characters of a setting that a message shows.
MOST_SHOWN = 40
PARTS = (
    # First: the centre of rows depends on their chunks, in its last bits.
    ("layout", "rows divided as these are", "rows in other chunks or on other devices"),
    ("data", "these data", "others"),
    ("model", "this model", "another"),
    ("key", "this seed", "another"),
)


class Fingerprint(NamedTuple):
    """What a run depends on.

    Attributes:
        versions: of the packages that compute, and the kind of device.
        engine: name of the engine.
        settings: its settings by name: numbers and names as they are, anything else by its hash.
        data: hash of the rows and what they carry.
        layout: hash of how they are divided.
        model: hash of the resolved model.
        key: hash of the random key.
    """

    versions: dict[str, str]
    engine: str
    settings: dict[str, str]
    data: str
    layout: str
    model: str
    key: str


def fingerprint(engine: Any, key: Array, model: Model, data: Table) -> Fingerprint:
    """Return the fingerprint of a run."""
    settings = {field.name: getattr(engine, field.name) for field in dataclasses.fields(engine)}
    return Fingerprint(
        versions=versions() | {"device": jax.default_backend()},
        engine=type(engine).__name__,
        settings={name: in_short(one) for name, one in settings.items() if name not in FREE},
        data=digest_of_data(data),
        layout=digest(data.layout if isinstance(data, Source) else ()),
        model=digest_of_model(model),
        key=digest(jax.random.key_data(key)),
    )


@cache
def versions() -> dict[str, str]:
    """Return the versions of the packages that compute."""
    return {name: version(name) for name in VERSIONED}


def in_short(value: Any) -> str:
    """Return a number, name or tuple of names as it is written, anything else by its hash."""
    value = plain(value)
    if isinstance(value, tuple) and all(isinstance(one, str) for one in value):
        return repr(value)
    return repr(value) if is_plain(value) else digest(value)


def is_plain(value: Any) -> bool:
    """Say whether a value is a number, a text or None."""
    return value is None or isinstance(value, (bool, int, float, str))


def plain(value: Any) -> Any:
    """Return numbers in one way: those of NumPy as Python's, whole ones as integers."""
    value = value.item() if isinstance(value, np.generic) else value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def digest_of_data(data: Table) -> str:
    """Hash the rows; of those that are elsewhere the number, the ends and the sample."""
    if not isinstance(data, Source):
        return digest((data.names, data.values, data.weights, data.labels))
    sample = data.sample
    seen = (sample.values, sample.places, data.affine, data.ends())
    return digest((data.kind, data.names, data.dtype.str, data.n_rows, *seen))


def digest_of_model(model: Model) -> str:
    """Hash everything about a model that an engine uses."""
    return digest(
        {
            "family": model.family.name,
            "n_components": model.n_components,
            "is_auto": model.spec.is_auto,
            "affine": model.affine,
            "weights": model.weights,
            "prior": model.prior,
            "scale_prior": model.scale_prior,
        }
    )


def digest(value: Any) -> str:
    """Hash numbers, texts, arrays, and records and collections of these, distributions included."""
    found = hashlib.sha256()
    value = plain(value)
    if is_plain(value):
        found.update(f"{type(value).__name__} {value!r}".encode())
        return found.hexdigest()
    parts = parts_of(value)
    if parts is None:
        add_array(found, np.asarray(value))
        return found.hexdigest()
    found.update(type(value).__name__.encode())
    for name, part in parts.items():
        found.update(f" {name!r} {digest(part)}".encode())
    return found.hexdigest()


def parts_of(value: Any) -> dict[Any, Any] | None:
    """Return the parts of a record or collection by name, None for an array."""
    if isinstance(value, dict):
        return value
    if hasattr(value, "_asdict"):
        return value._asdict()
    if isinstance(value, (list, tuple)):
        return dict(enumerate(value))
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if hasattr(value, "gather_pytree_data_fields"):
        # NumPyro keeps the names of a distribution's parameters in a set, of another order in every process.
        names = sorted(value.gather_pytree_data_fields())
        return {name: vars(value).get(name) for name in names}
    leaves = jax.tree.leaves(value)
    return None if leaves and leaves[0] is value else dict(enumerate(leaves))


def add_array(found: Any, array: np.ndarray) -> None:
    """Add type, shape and bytes of an array to a hash, block by block."""
    found.update(f"{array.dtype.str} {array.shape}".encode())
    if array.dtype.kind not in "biufc":
        raise TypeError(f"Expected numbers, names and records of these, got {array!r}.")
    array = np.atleast_1d(array)
    for start in range(0, len(array), BLOCK):
        found.update(np.ascontiguousarray(array[start : start + BLOCK]).data)


def require_same(path: Any, found: Fingerprint, wanted: Fingerprint) -> None:
    """Raise unless a checkpoint is of the wanted run; say what differs.

    Raises:
        ValueError: a checkpoint of another run.
    """
    if found.versions != wanted.versions:
        here, there = differing(wanted.versions, found.versions)
        raise ValueError(
            f"Expected a checkpoint made with {here}, got one made with {there} in {path}: the rest of its draws would "
            "not be the same to the bit. Go on where it was made, or pass another path."
        )
    if found.engine != wanted.engine:
        raise ValueError(
            f"Expected a checkpoint of {wanted.engine}, got one of {found.engine} in {path}. Pass another path."
        )
    if found.settings != wanted.settings:
        here, there = differing(wanted.settings, found.settings, "=")
        raise ValueError(
            f"Expected a checkpoint of {wanted.engine} with {here}, got one with {there} in {path}. Use the same "
            "settings to go on, or pass another path."
        )
    for name, here, there in PARTS:
        if getattr(found, name) != getattr(wanted, name):
            raise ValueError(
                f"Expected a checkpoint of {here}, got one of {there} in {path}. Pass the same to go on, or another "
                "path to begin anew."
            )


def differing(wanted: dict[str, str], found: dict[str, str], sign: str = " ") -> tuple[str, str]:
    """Name what differs in one and in the other."""
    names = [name for name in wanted | found if wanted.get(name) != found.get(name)]
    one, other = (
        ", ".join(f"{name}{sign}{those.get(name, 'none')[:MOST_SHOWN]}" for name in names)
        for those in (wanted, found)
    )
    return one, other
