"""Trees of arrays as an outline and arrays, and back."""

import json
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest
from textbook import assert_three_parts

from bayesgmm.model.mixture import Full, Mixture
from bayesgmm.numerics.trees import decode, encode, on_device


class Foreign(NamedTuple):
    x: Any


def round_trip(tree):
    arrays = {}
    outline = json.loads(json.dumps(encode(tree, arrays)))
    return decode(outline, arrays)


def test_what_engines_keep_comes_back_as_it_was():
    tree = {
        "none": None,
        "numbers": (1, 0.1, float("inf"), True, "text"),
        "list": [np.arange(3, dtype=np.int8), np.array([True, False]), np.zeros((0, 2))],
        "single": np.float32(1 / 3),
        "jax": jax.numpy.ones((2, 1), np.int32),
        "record": Mixture(np.zeros(1), np.full((1, 2), np.nan), Full(np.eye(2)[None])),
    }
    again = round_trip(tree)
    assert jax.tree.structure(again) == jax.tree.structure(tree)
    assert again["numbers"] == tree["numbers"]
    assert again["numbers"][3] is True
    for one, other in zip(jax.tree.leaves(again), jax.tree.leaves(tree), strict=True):
        assert np.asarray(one).dtype == np.asarray(other).dtype
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "key", [jax.random.key(3), jax.random.PRNGKey(3), jax.random.key(3, impl="rbg")]
)
def test_random_keys_of_all_kinds_go_on_as_they_would(key):
    keys = jax.random.split(key, 2)
    again = on_device(round_trip([keys]))[0]
    assert again.dtype == keys.dtype
    np.testing.assert_array_equal(jax.random.normal(again[1]), jax.random.normal(keys[1]))


def test_device_arrays_share_no_memory_with_what_was_read():
    array = np.arange(64.0)
    moved = on_device({"x": array})["x"]
    array[:] = 0
    assert moved[5] == 5


@pytest.mark.parametrize("leaf", [np.array(["a"]), object(), np.array([None])])
def test_other_leaves_are_refused(leaf):
    with pytest.raises(TypeError, match="arrays of numbers"):
        encode([leaf], {})


@pytest.mark.parametrize("name", [("os", "system"), ("bayesgmm.api", "fit"), ("numpyro.no", "X")])
def test_nothing_but_named_tuples_of_ours_is_built(name):
    with pytest.raises(ValueError, match="Expected named tuples") as error:
        decode({"record": list(name), "parts": []}, {})
    assert_three_parts(str(error.value))
    with pytest.raises(ValueError, match="Expected named tuples"):
        round_trip(Foreign(1))
