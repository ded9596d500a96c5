"""Trees of arrays as an outline in JSON beside the arrays, exact.

Decoding builds named tuples of modules that are loaded already, lists and dictionaries, and nothing
else: it imports and executes nothing.
"""

import sys
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

# Packages whose named tuples are built.
PACKAGES = ("bayesgmm", "numpyro")


def encode(tree: Any, arrays: dict[str, np.ndarray]) -> Any:
    """Outline a tree as JSON; its arrays move to ``arrays`` and leave their name.

    Args:
        tree: named tuples, tuples, lists, dictionaries, arrays, random keys, numbers, texts and None.
        arrays: where arrays go.

    Raises:
        TypeError: a leaf or record that cannot be kept.
    """
    if tree is None or isinstance(tree, (bool, int, float, str)):
        return tree
    if isinstance(tree, dict):
        return {"dict": {name: encode(one, arrays) for name, one in tree.items()}}
    if isinstance(tree, (list, tuple)):
        parts = [encode(one, arrays) for one in tree]
        if isinstance(tree, list):
            return {"list": parts}
        if not hasattr(tree, "_fields"):
            return {"tuple": parts}
        return {"record": [type(tree).__module__, type(tree).__qualname__], "parts": parts}
    if is_random_key(tree):
        name = set_aside(jax.random.key_data(tree), arrays)
        return {"key": name, "kind": str(jax.random.key_impl(tree))}
    return {"array": set_aside(tree, arrays)}


def is_random_key(leaf: Any) -> bool:
    """Say whether a leaf is an array of typed random keys."""
    return isinstance(leaf, jax.Array) and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def set_aside(leaf: Any, arrays: dict[str, np.ndarray]) -> str:
    """Add an array to ``arrays`` and return the name it got."""
    array = np.asarray(leaf)
    if array.dtype.kind not in "biufc":
        raise TypeError(f"Expected a tree of arrays of numbers, got {leaf!r} in it.")
    name = f"leaf{len(arrays)}"
    arrays[name] = array
    return name


def decode(outline: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """Invert ``encode``, with NumPy arrays and typed keys as leaves.

    Raises:
        KeyError, TypeError, ValueError: an outline that ``encode`` did not make.
    """
    if not isinstance(outline, dict):
        return outline
    if "array" in outline:
        return arrays[outline["array"]]
    if "key" in outline:
        words = jax.numpy.asarray(arrays[outline["key"]])
        return jax.random.wrap_key_data(words, impl=outline["kind"])
    if "dict" in outline:
        return {name: decode(one, arrays) for name, one in outline["dict"].items()}
    if "list" in outline:
        return [decode(one, arrays) for one in outline["list"]]
    if "tuple" in outline:
        return tuple(decode(one, arrays) for one in outline["tuple"])
    parts = [decode(one, arrays) for one in outline["parts"]]
    return record_named(*outline["record"])(*parts)


def record_named(module: str, name: str) -> type:
    """Return a class of named tuples.

    Raises:
        ValueError: any other class.
    """
    found = None
    if module.split(".")[0] in PACKAGES:
        found = getattr(sys.modules.get(module), name, None)
    if not (isinstance(found, type) and issubclass(found, tuple) and hasattr(found, "_fields")):
        raise ValueError(
            f"Expected named tuples of {' or '.join(PACKAGES)} in the file, got {module}.{name}. Read it with "
            "the version of bayesgmm that wrote it."
        )
    return found


def on_device(tree: Any) -> Any:
    """Return a tree of NumPy arrays as one of JAX arrays that share no memory with it."""
    return jax.tree.map(lambda leaf: leaf if is_random_key(leaf) else jax.numpy.array(leaf), tree)
