import numpy as np
import pytest
from scipy import linalg
from textbook import assert_close, random_matrices

from bayesgmm.numerics.linalg import half_log_det, matvec, outer, solve_lower, whitening

SHAPES = ((), (3,), (2, 3))


@pytest.mark.parametrize("size", [1, 3, 11])
@pytest.mark.parametrize("shape", SHAPES)
def test_solves_match_lapack_matrix_by_matrix(shape, size):
    rng = np.random.default_rng(0)
    chol = np.linalg.cholesky(random_matrices(rng, *shape, size=size))
    right = rng.normal(size=(*shape, size, 2))
    solved = np.asarray(solve_lower(chol, right))
    assert solved.shape == right.shape
    for index in np.ndindex(shape):
        expected = linalg.solve_triangular(chol[index], right[index], lower=True)
        assert_close(solved[index], expected, rtol=1e-12)


@pytest.mark.parametrize("size", [3, 11])
def test_one_factor_serves_a_stack_of_right_sides_and_the_other_way_round(size):
    rng = np.random.default_rng(4)
    chol = np.linalg.cholesky(random_matrices(rng, 2, 1, size=size))
    right = rng.normal(size=(3, size, 2))
    solved = np.asarray(solve_lower(chol, right))
    assert_close(chol @ solved, np.broadcast_to(right, (2, 3, size, 2)), rtol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_whitening_makes_the_covariance_the_identity(shape):
    matrices = random_matrices(np.random.default_rng(1), *shape, size=3)
    white = np.asarray(whitening(np.linalg.cholesky(matrices)))
    product = white @ matrices @ np.swapaxes(white, -1, -2)
    assert_close(product, np.broadcast_to(np.eye(3), matrices.shape), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", [8, 9, 10, 17, 32, 33])
def test_whitening_inverts_larger_factors_block_by_block(size):
    chol = np.linalg.cholesky(random_matrices(np.random.default_rng(5), 2, 3, size=size))
    white = np.asarray(whitening(chol))
    for index in np.ndindex(2, 3):
        expected = linalg.solve_triangular(chol[index], np.eye(size), lower=True)
        assert_close(white[index], expected, rtol=1e-11, atol=1e-12)
    np.testing.assert_array_equal(np.triu(white, 1), 0)


@pytest.mark.parametrize("shape", SHAPES)
def test_half_log_det_is_half_of_slogdet(shape):
    matrices = random_matrices(np.random.default_rng(2), *shape, size=3)
    expected = np.linalg.slogdet(matrices)[1] / 2
    assert_close(half_log_det(np.linalg.cholesky(matrices)), expected, rtol=1e-12)


def test_products_of_stacks():
    rng = np.random.default_rng(3)
    matrices, vectors = rng.normal(size=(2, 3, 4, 5)), rng.normal(size=(2, 3, 5))
    assert_close(matvec(matrices, vectors), (matrices @ vectors[..., None])[..., 0])
    assert_close(outer(vectors)[1, 2], np.outer(vectors[1, 2], vectors[1, 2]))
