import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bayesgmm.numerics.precision import in_float64, to_numpy


@pytest.fixture
def _single_precision():
    with jax.enable_x64(False):
        yield


@in_float64
def third():
    return jnp.ones(()) / 3


@in_float64
def failing():
    raise RuntimeError("inside")


@pytest.mark.usefixtures("_single_precision")
def test_double_precision_inside_and_single_again_outside():
    assert third().dtype == jnp.float64
    assert (jnp.ones(()) / 3).dtype == jnp.float32


@pytest.mark.usefixtures("_single_precision")
def test_an_error_restores_the_setting():
    with pytest.raises(RuntimeError, match="inside"):
        failing()
    assert jnp.ones(()).dtype == jnp.float32


def test_trees_come_back_as_numpy():
    tree = to_numpy({"a": jnp.ones(3), "b": (jnp.zeros(()), 2)})
    assert all(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(tree))
    assert tree["a"].dtype == np.float64
