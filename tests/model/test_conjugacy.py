"""The conjugate priors: Bayes' theorem, sequential prediction, integrals, modes and draws."""

from functools import cache, partial

import jax
import numpy as np
import pytest
import textbook as tb
from scipy import integrate, stats
from textbook import STRUCTURES, assert_close, assert_mean

from bayesgmm.model.mixture import Mixture, Statistics

N, D, K = 14, 2, 3

every_structure = pytest.mark.parametrize("structure", STRUCTURES, ids=lambda one: one.name)


class Case:
    """Labelled rows, a prior, and its update by the package."""

    def __init__(self, structure, seed=0):
        rng = np.random.default_rng(seed)
        self.rng = rng
        self.x = rng.normal(size=(N, D))
        self.labels = np.repeat(np.arange(K), [7, 5, 2])
        self.textbook = tb.random_prior(rng, structure, D)
        self.prior = tb.prior_of(structure, self.textbook)
        self.posterior = self.prior.update(statistics_of(structure, self.x, self.labels))

    def parameters(self, structure):
        return tb.random_parameters(self.rng, structure, K, D)


def statistics_of(structure, x, labels, n_components=K):
    table = np.eye(n_components)[labels]
    counts = table.sum(0)
    safe = np.maximum(counts, 1)
    means = table.T @ x / safe[:, None]
    residuals = x - means[labels]
    scatter = np.einsum("nk,ni,nj->kij", table, residuals, residuals)
    return Statistics(counts, means, np.asarray(structure.pack(scatter)))


def empty_statistics(structure):
    return statistics_of(structure, np.zeros((0, D)), np.zeros(0, int))


def log_evidence(prior, posterior, empty, n_rows, n_columns):
    """log Z_n - log Z_0 - n D / 2 log 2 pi, summed over components."""
    gain = posterior.log_normaliser() - prior.update(empty).log_normaliser()
    return float(np.sum(gain)) - n_rows * n_columns / 2 * np.log(2 * np.pi)


# Density -----------------------------------------------------------------------------------------


@every_structure
def test_the_prior_density_is_scipys(structure):
    case = Case(structure)
    for _ in range(3):
        p = case.parameters(structure)
        actual = case.prior.log_density(p.means, structure.record(p.matrices))
        assert_close(actual, tb.log_component_prior(structure, case.textbook, p))


@every_structure
def test_the_posterior_density_obeys_bayes_theorem(structure):
    """log p(theta | X) + log p(X) = log p(X | theta) + log p(theta), at any theta."""
    case = Case(structure)
    evidence = tb.log_marginal(structure, case.textbook, case.x, case.labels, K)
    for _ in range(3):
        p = case.parameters(structure)
        posterior = case.posterior.log_density(p.means, structure.record(p.matrices))
        joint = tb.log_complete_likelihood(p, case.x, case.labels)
        joint += tb.log_component_prior(structure, case.textbook, p)
        assert_close(posterior + evidence, joint)


@every_structure
def test_density_broadcasts_over_leading_axes(structure):
    case = Case(structure)
    many = [case.parameters(structure) for _ in range(2)]
    batch = tb.mixture_of(structure, *many)
    actual = case.posterior.log_density(batch.means, batch.covariance)
    one = tb.mixture_of(structure, many[1])
    assert actual.shape == (2,)
    assert_close(actual[1], case.posterior.log_density(one.means, one.covariance), rtol=1e-13)


# Evidence ----------------------------------------------------------------------------------------


@every_structure
def test_normalisers_give_the_product_of_sequential_predictions(structure):
    case = Case(structure)
    empty = empty_statistics(structure)
    actual = log_evidence(case.prior, case.posterior, empty, N, D)
    expected = tb.log_marginal(structure, case.textbook, case.x, case.labels, K)
    assert_close(actual, expected)


@every_structure
def test_the_evidence_of_one_column_is_the_integral(structure):
    """In one dimension all families are normal-inverse-gamma(nu / 2, S / 2)."""
    x, mean, kappa, nu, scale = np.array([0.3, 1.1, -0.4]), 0.2, 0.8, 3.5, 1.7
    # Trapezoids in (z, log variance) with mu = mean + z sd: smooth, and zero at the edges.
    z, log_variance = np.linspace(-12, 12, 401)[:, None], np.linspace(-7, 25, 801)
    variance = np.exp(log_variance)
    sd = np.sqrt(variance)
    density = stats.invgamma.pdf(variance, nu / 2, scale=scale / 2) * variance
    density = density * stats.norm.pdf(z, 0, 1 / np.sqrt(kappa))
    density = density * stats.norm.pdf(x[:, None, None], mean + z * sd, sd).prod(0)
    integral = integrate.trapezoid(integrate.trapezoid(density, log_variance), z[:, 0])
    textbook = tb.Prior(np.array([mean]), kappa, nu, structure.scale(np.array([[scale]])))
    prior = tb.prior_of(structure, textbook)
    labels = np.zeros(3, int)
    statistics = statistics_of(structure, x[:, None], labels, 1)
    empty = statistics_of(structure, np.zeros((0, 1)), labels[:0], 1)
    actual = log_evidence(prior, prior.update(statistics), empty, 3, 1)
    assert_close(actual, np.log(integral))


# Update ------------------------------------------------------------------------------------------


@every_structure
def test_rows_may_come_in_batches_and_in_any_order(structure):
    case = Case(structure)
    order = case.rng.permutation(N)
    posterior = case.prior
    for part in np.array_split(order, 3):
        posterior = posterior.update(statistics_of(structure, case.x[part], case.labels[part]))
    jax.tree.map(lambda a, b: assert_close(a, b, rtol=1e-12), posterior, case.posterior)


@every_structure
def test_no_rows_leave_the_prior(structure):
    case = Case(structure)
    unchanged = case.prior.update(empty_statistics(structure))
    for new, old in zip(unchanged, case.prior, strict=True):
        np.testing.assert_array_equal(new, np.broadcast_to(old, np.shape(new)))


# Mode --------------------------------------------------------------------------------------------


@every_structure
def test_the_mode_is_the_textbooks(structure):
    case = Case(structure)
    means, covariance = case.posterior.mode()
    np.testing.assert_array_equal(means, case.posterior.mean)
    nu, scale = map(np.asarray, (case.posterior.degrees_of_freedom, case.posterior.scale))
    expected = structure.mode(nu, scale, K, D)
    dense = np.asarray(structure.family.matrices(Mixture(np.zeros(K), means, covariance)))
    assert_close(dense, structure.dense(expected, K, D), rtol=1e-12)


@every_structure
def test_no_neighbour_of_the_mode_is_denser(structure):
    case = Case(structure)
    density = jax.jit(case.posterior.log_density)
    means, covariance = case.posterior.mode()
    best = density(means, covariance)
    slopes = jax.grad(density, argnums=(0, 1))(means, covariance)
    for leaf in jax.tree.leaves(slopes):
        assert_close(leaf, np.zeros(leaf.shape), atol=1e-9)

    def disturbed(leaf, size):
        return leaf * (1 + size * case.rng.normal(size=leaf.shape))

    for size in (0.01, 0.1):
        for _ in range(20):
            factors = jax.tree.map(partial(disturbed, size=size), covariance)
            assert density(means + size * case.rng.normal(size=means.shape), factors) < best


# Draws -------------------------------------------------------------------------------------------


@cache
def drawn(structure):
    """The update of a prior, and means and dense covariances drawn from it, (20 000, K, ...)."""
    case = Case(structure)

    def draw(key):
        means, covariance = case.posterior.draw(key, (20_000, K))
        mixture = Mixture(means[..., 0], means, covariance)
        return means, structure.family.matrices(mixture)

    means, matrices = jax.jit(draw)(jax.random.key(3))
    return jax.tree.map(np.asarray, (case.posterior, means, matrices))


@every_structure
def test_draws_have_the_moments_of_the_posterior(structure):
    """E Sigma = S / (nu - D - 1), E Sigma^-1 = nu S^-1, Var mu = E Sigma / kappa."""
    posterior, means, matrices = drawn(structure)
    assert means.shape == (20_000, K, D)
    expected, precision = covariance_moments(structure, posterior)
    assert_mean(matrices, expected)
    assert_mean(np.linalg.inv(matrices), precision)
    assert_mean(means, posterior.mean)
    offsets = means - posterior.mean
    kappa = posterior.mean_precision[:, None, None]
    assert_mean(offsets[..., :, None] * offsets[..., None, :], expected / kappa)


def covariance_moments(structure, post):
    """E Sigma and E Sigma^-1 of each component, (K, D, D)."""
    nu, scale = post.degrees_of_freedom, post.scale
    if structure.name in ("full", "tied"):
        nu = np.broadcast_to(nu, K)[:, None, None]
        scale = np.broadcast_to(scale, (K, D, D))
        return scale / (nu - D - 1), nu * np.linalg.inv(scale)
    if structure.name == "diag":
        nu = nu[:, None]
        return tb.as_diagonal(scale / (nu - 2)), tb.as_diagonal(nu / scale)
    return tb.as_spherical(scale / (nu - 2), D), tb.as_spherical(nu / scale, D)


@every_structure
def test_components_are_drawn_independently_but_for_what_they_share(structure):
    posterior, means, matrices = drawn(structure)
    offsets = means - posterior.mean
    assert_mean(offsets[:, 0, 0] * offsets[:, 1, 0], 0.0)
    variances = matrices[:, :, 0, 0]
    if structure.is_shared:
        np.testing.assert_array_equal(variances[:, 0], variances[:, 1])
    else:
        centred = variances - variances.mean(0)
        assert_mean(centred[:, 0] * centred[:, 1], 0.0)


# Unconstrained coordinates -----------------------------------------------------------------------


def raw_of(structure, case):
    raw = case.rng.normal(size=case.prior.raw_shape(K))
    return raw, case.prior.covariance_from_raw(raw)


@every_structure
def test_raw_coordinates_and_covariances_are_inverse_to_each_other(structure):
    case = Case(structure)
    raw, covariance = raw_of(structure, case)
    assert isinstance(covariance, structure.family.record)
    assert_close(case.prior.raw_from_covariance(covariance), raw, rtol=1e-11)
    record = structure.record(case.parameters(structure).matrices)
    back = case.prior.covariance_from_raw(case.prior.raw_from_covariance(record))
    jax.tree.map(lambda a, b: assert_close(a, b, rtol=1e-11), back, record)


@every_structure
def test_raw_density_is_the_covariance_density_times_the_jacobian(structure):
    case = Case(structure)
    raw, covariance = raw_of(structure, case)
    means = np.zeros((K, D))

    def matrices(raw):
        record = case.prior.covariance_from_raw(raw)
        return structure.family.matrices(Mixture(np.zeros(K), means, record))

    dense = np.asarray(structure.family.matrices(Mixture(np.zeros(K), means, covariance)))
    slopes = np.asarray(jax.jit(jax.jacfwd(matrices))(raw)).reshape(K, D, D, raw.size)
    jacobian = np.stack([structure.free(slopes[..., j]) for j in range(raw.size)], axis=1)
    expected = structure.log_covariance_prior(case.textbook, dense)
    expected += np.linalg.slogdet(jacobian)[1]
    assert_close(case.prior.raw_log_density(raw), expected)


@every_structure
def test_means_are_standard_noise_coloured_by_the_covariance(structure):
    case = Case(structure)
    p = case.parameters(structure)
    record = structure.record(p.matrices)
    noise = case.rng.normal(size=(K, D))
    means = case.prior.means_from_noise(noise, record)
    assert_close(case.prior.noise_from_means(means, record), noise, rtol=1e-12)
    assert_close(
        case.prior.means_from_noise(np.zeros((K, D)), record),
        np.broadcast_to(case.textbook.mean, (K, D)),
    )
    colour = np.asarray(
        jax.jit(jax.jacfwd(lambda noise: case.prior.means_from_noise(noise, record)))(noise)
    )
    for k in range(K):
        factor = colour[k, :, k]
        assert_close(factor @ factor.T, p.matrices[k] / case.textbook.kappa, rtol=1e-12)
