import jax
import numpy as np
import pytest
from scipy import special, stats
from textbook import assert_close, assert_mean, random_matrices

from bayesgmm.numerics import wishart

SIZES = (1, 3)
EXTRAS = np.array([0.3, 4.5])


@pytest.mark.parametrize("size", SIZES)
def test_multivariate_gamma(size):
    a = np.array([[1.6, 2.5], [10.0, 300.0]])
    assert_close(wishart.log_multigamma(a, size), special.multigammaln(a, size), rtol=1e-12)


def test_log_chi_square_is_the_density_of_the_logarithm():
    u, nu = np.linspace(-8, 4, 9)[:, None], np.array([0.4, 1.0, 7.5])
    expected = stats.chi2.logpdf(np.exp(u), nu) + u
    assert_close(wishart.log_chi2_of_log(u, nu), expected)


@pytest.mark.parametrize("size", SIZES)
def test_inverse_wishart_density_is_scipys(size):
    rng = np.random.default_rng(0)
    nu = size + EXTRAS  # SciPy asks for nu >= D
    scale = random_matrices(rng, size=size)
    matrices = random_matrices(rng, 4, size=size)
    actual = wishart.log_inverse_wishart(np.linalg.cholesky(matrices)[:, None], nu, scale)
    expected = [[stats.invwishart.logpdf(one, df, scale) for df in nu] for one in matrices]
    assert_close(actual, expected)


def test_inverse_wishart_density_of_a_nearly_singular_covariance():
    """chol = ((1, 0), (1, e)), scale I: tr Sigma^-1 = 1 + 2 / e^2, log det Sigma = 2 log e."""
    e, nu = 1e-7, 5.0
    chol = np.array([[1.0, 0.0], [1.0, e]])
    expected = -(nu + 3) * np.log(e) - (1 + 2 / e**2) / 2
    expected -= nu * np.log(2) + special.multigammaln(nu / 2, 2)
    assert_close(wishart.log_inverse_wishart(chol, nu, np.eye(2)), expected, rtol=1e-12)


@pytest.mark.parametrize("size", SIZES)
def test_triangle_and_raw_are_inverse_to_each_other(size):
    raw = np.random.default_rng(1).normal(size=(2, 3, wishart.n_triangle(size)))
    triangle = np.asarray(wishart.triangle_from_raw(raw, size))
    np.testing.assert_array_equal(triangle, np.tril(triangle))
    assert_close(np.diagonal(triangle, axis1=-2, axis2=-1) ** 2, np.exp(raw[..., :size]))
    assert_close(wishart.raw_from_triangle(triangle), raw, rtol=1e-13)


@pytest.mark.parametrize("size", SIZES)
def test_raw_density_is_the_wishart_density_times_the_jacobian(size):
    """p(raw) = p_W(T^T T) |d vech(T^T T) / d raw|, W ~ Wishart(nu, I)."""

    def product(raw):
        triangle = wishart.triangle_from_raw(raw, size)
        return triangle.T @ triangle

    raws = np.random.default_rng(2).normal(size=(3, wishart.n_triangle(size)))
    matrices = np.asarray(jax.vmap(product)(raws))
    jacobians = np.asarray(jax.jit(jax.vmap(jax.jacfwd(product)))(raws))
    rows, columns = np.tril_indices(size)
    log_dets = np.linalg.slogdet(jacobians[:, rows, columns])[1]
    for nu in size + EXTRAS:
        expected = [stats.wishart.logpdf(one, nu, np.eye(size)) for one in matrices] + log_dets
        assert_close(wishart.raw_log_density(raws, nu, size), expected)


@pytest.mark.parametrize("size", SIZES)
def test_draws_have_the_moments_of_the_wishart(size):
    """E W = nu I, Var W_ij = nu (1 + [i = j])."""
    nu = size - 1 + EXTRAS
    raw = wishart.draw_raw(jax.random.key(size), nu, size, (20_000, 2))
    triangle = np.asarray(wishart.triangle_from_raw(raw, size))
    drawn = np.swapaxes(triangle, -1, -2) @ triangle
    expected = nu[:, None, None] * np.eye(size)
    assert_mean(drawn, expected)
    assert_mean((drawn - expected) ** 2, nu[:, None, None] * (1 + np.eye(size)))


def test_draws_stay_finite_near_the_lowest_degrees_of_freedom():
    nu = np.broadcast_to(2.0 + 1e-3, (20_000, 2))
    raw = wishart.draw_raw(jax.random.key(0), nu, 3, nu.shape)
    assert raw.shape == (*nu.shape, 6)
    assert np.isfinite(raw).all()
    assert np.isfinite(wishart.raw_log_density(raw, nu, 3)).all()
