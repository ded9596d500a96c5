import jax.numpy as jnp
import numpy as np
import pytest
from textbook import assert_close, random_matrices

from bayesgmm.numerics.moments import (
    pack_form,
    quadratic_features,
    unpack,
    upper_indices,
    weighted_sums,
    with_ones,
)

SIZES = (1, 2, 4)


@pytest.mark.parametrize("size", SIZES)
def test_unpack_rebuilds_a_symmetric_matrix_from_its_upper_triangle(size):
    matrices = random_matrices(np.random.default_rng(0), 2, 3, size=size)
    first, second = np.triu_indices(size)
    packed = matrices[..., first, second]
    assert packed.shape == (2, 3, size * (size + 1) // 2)
    np.testing.assert_array_equal(unpack(packed, size), matrices)


@pytest.mark.parametrize("size", SIZES)
def test_quadratic_features_are_one_x_and_the_upper_triangle_of_x_xt(size):
    columns = np.random.default_rng(1).normal(size=(size, 7))
    features = np.asarray(quadratic_features(columns))
    for n, x in enumerate(columns.T):
        products = [x[i] * x[j] for i in range(size) for j in range(i, size)]
        assert_close(features[:, n], [1.0, *x, *products], rtol=1e-15, atol=0)


@pytest.mark.parametrize("size", SIZES)
def test_pack_form_turns_a_quadratic_form_into_an_inner_product(size):
    rng = np.random.default_rng(2)
    matrices, columns = random_matrices(rng, 3, size=size), rng.normal(size=(size, 7))
    second = quadratic_features(columns)[1 + size :]
    expected = np.einsum("in,kij,jn->kn", columns, matrices, columns)
    assert_close(pack_form(matrices) @ second, expected, rtol=1e-13)


@pytest.mark.parametrize(("n_features", "n_sums"), [(3, 2), (66, 10), (66, 16), (500, 1)])
def test_weighted_sums_are_those_of_numpy(n_features, n_sums):
    rng = np.random.default_rng(3)
    features, weights = rng.normal(size=(n_features, 20)), rng.random((n_sums, 20))
    found = weighted_sums(jnp.asarray(features), jnp.asarray(weights))
    assert_close(found, features @ weights.T, rtol=1e-12, atol=1e-12)


def test_the_first_row_is_ones_also_for_padding():
    np.testing.assert_array_equal(with_ones(np.zeros((2, 3)))[0], np.ones(3))
    np.testing.assert_array_equal(quadratic_features(np.zeros((2, 3)))[1:], np.zeros((5, 3)))


def test_single_precision_is_kept():
    columns = np.ones((2, 3), np.float32)
    assert quadratic_features(columns).dtype == jnp.float32
    assert pack_form(np.eye(2, dtype=np.float32)).dtype == jnp.float32


def test_upper_indices_run_row_by_row():
    first, second = upper_indices(3)
    np.testing.assert_array_equal(first, [0, 0, 0, 1, 1, 2])
    np.testing.assert_array_equal(second, [0, 1, 2, 1, 2, 2])
