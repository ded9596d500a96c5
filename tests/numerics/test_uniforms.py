"""Uniform numbers by place are those JAX gives for all places at once."""

import jax
import numpy as np
import pytest

from bayesgmm.numerics.precision import in_float64
from bayesgmm.numerics.uniforms import uniforms_at


@pytest.mark.parametrize("places", [np.arange(1_000), np.array([[3, 999], [0, 137]])])
@in_float64
def test_a_place_has_the_number_it_has_among_all(places):
    keys = jax.random.split(jax.random.key(7), 3)
    whole = np.stack([jax.random.uniform(key, (1_000,)) for key in keys])
    np.testing.assert_array_equal(uniforms_at(keys, places), whole[:, places])


@in_float64
def test_places_beyond_32_bits_are_new():
    keys = jax.random.split(jax.random.key(0), 1)
    places = np.r_[np.arange(1_000), 2**32 + np.arange(1_000)]
    assert len(np.unique(uniforms_at(keys, places))) == 2_000
