import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import integrate, special, stats
from textbook import assert_close, assert_mean

from bayesgmm.model.weights import (
    Dirichlet,
    DirichletProcess,
    SparseDirichlet,
    coordinates_from_log_weights,
    draw_log_weights,
    is_random,
    log_normalised,
    log_weights_density,
    log_weights_from_coordinates,
    stick_log_density,
    stick_logit,
)

K = 4
PRIORS = {"Dirichlet": Dirichlet, "SparseDirichlet": SparseDirichlet, "DP": DirichletProcess}
every_prior = pytest.mark.parametrize("prior", PRIORS.values(), ids=PRIORS)
STICKS = [(0.05, 0.2), (1.0, 0.5), (5.0, 3.0)]


def sticks_of(prior, alpha, n_components=K):
    """The Beta parameters of the sticks, by the textbook."""
    if prior is DirichletProcess:
        return np.ones(n_components - 1), np.full(n_components - 1, alpha)
    left = np.arange(n_components - 1, 0, -1)
    return np.full(n_components - 1, alpha), alpha * left


def proportions(weights):
    """v_k = w_k / (1 - sum_{j<k} w_j) of the first K - 1 weights."""
    return weights / (1 - (jnp.cumsum(weights) - weights))


# Density -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("prior", [Dirichlet, SparseDirichlet])
@pytest.mark.parametrize("alpha", [0.1, 1.0, 3.5])
def test_a_dirichlet_density_is_scipys(prior, alpha):
    weights = np.random.default_rng(0).dirichlet(np.ones(K), size=(2, 3))
    actual = log_weights_density(prior(alpha), np.log(weights), alpha)
    expected = stats.dirichlet.logpdf(weights.reshape(-1, K).T, np.full(K, alpha))
    assert_close(actual, expected.reshape(2, 3))


@pytest.mark.parametrize("alpha", [0.3, 2.0])
def test_a_dirichlet_process_density_is_the_betas_times_the_jacobian(alpha):
    for weights in np.random.default_rng(1).dirichlet(np.ones(K), size=3):
        sticks = np.asarray(proportions(weights[:-1]))
        log_det = np.linalg.slogdet(jax.jacfwd(proportions)(weights[:-1]))[1]
        expected = stats.beta.logpdf(sticks, 1, alpha).sum() + log_det
        assert_close(log_weights_density(DirichletProcess(alpha), np.log(weights), alpha), expected)


@every_prior
def test_one_component_has_all_the_weight(prior):
    assert log_weights_density(prior(0.5), np.zeros((2, 1)), 0.5).shape == (2,)
    assert_close(log_weights_density(prior(0.5), np.zeros((2, 1)), 0.5), 0)
    drawn = draw_log_weights(jax.random.key(0), prior(0.5), np.full((2, 1), 7.0), 0.5)
    np.testing.assert_array_equal(drawn, np.zeros((2, 1)))


@every_prior
def test_the_density_of_weights_too_small_for_a_float_is_finite(prior):
    log_weights = np.array([0.0, -900.0, -1200.0, -1500.0])
    alpha = 0.01
    a, b = sticks_of(prior, alpha)
    left = np.array([0.0, -900.0, -1200.0])  # each remainder is its largest weight
    expected = (a - 1) * (log_weights[:-1] - left) - left - special.betaln(a, b)
    expected += (b - 1) * np.array([-900.0, -300.0, -300.0])
    actual = log_weights_density(prior(alpha), log_weights, alpha)
    assert_close(actual, expected.sum(), rtol=1e-12)


# Draws -------------------------------------------------------------------------------------------


@every_prior
def test_draws_given_counts_have_the_moments_of_the_posterior(prior):
    """v_k | n ~ Beta(a_k + n_k, b_k + n_{k+1} + ... + n_K), independently."""
    alpha, counts = 0.7, np.array([5.0, 0.0, 12.0, 1.0])
    a, b = sticks_of(prior, alpha)
    later = np.array([13.0, 13.0, 1.0])
    taken = (a + counts[:-1]) / (a + b + counts[:-1] + later)
    mean = np.append(taken, 1.0) * np.concatenate([[1.0], np.cumprod(1 - taken)])
    many = jnp.broadcast_to(counts, (20_000, K))
    draws = np.exp(draw_log_weights(jax.random.key(1), prior(alpha), many, alpha))
    assert_close(draws.sum(-1), 1, rtol=1e-12)
    assert_mean(draws, mean)
    if prior is not DirichletProcess:
        posterior = stats.dirichlet(alpha + counts)
        assert_close(mean, posterior.mean(), rtol=1e-12)
        assert_mean((draws - mean) ** 2, posterior.var())


@every_prior
def test_draws_with_a_tiny_concentration_stay_finite_and_normalised(prior):
    many = jnp.zeros((20_000, K))
    draws = np.asarray(draw_log_weights(jax.random.key(2), prior(1e-3), many, 1e-3))
    assert np.isfinite(draws).all()
    assert_close(special.logsumexp(draws, axis=-1), 0)


def test_one_concentration_per_draw_broadcasts():
    alpha = np.linspace(0.5, 3.0, 20_000)
    many = jnp.zeros((20_000, K))
    draws = draw_log_weights(jax.random.key(3), DirichletProcess(), many, alpha)
    assert_mean(np.exp(draws[:, 0]) - 1 / (1 + alpha), 0.0)


def test_log_normalised_and_the_mode():
    counts = np.array([[5.0, 2.0, 3.0], [1.0, 1.0, 2.0]])
    expected = np.log(counts / counts.sum(-1, keepdims=True))
    assert_close(log_normalised(jnp.asarray(counts)), expected)
    assert_close(Dirichlet(1.0).mode(counts, 1.0), expected)
    alphas = 2.5 + counts[0]
    best = np.exp(Dirichlet(2.5).mode(counts[0], 2.5))
    rng = np.random.default_rng(0)
    for _ in range(20):
        other = rng.dirichlet(200 * best)
        assert stats.dirichlet.logpdf(other, alphas) <= stats.dirichlet.logpdf(best, alphas)


# Coordinates -------------------------------------------------------------------------------------


density = jax.jit(stick_log_density)
slope_of_logit = jax.jit(jax.vmap(jax.grad(stick_logit), in_axes=(0, None, None)))


@pytest.mark.parametrize(("a", "b"), STICKS)
def test_the_density_of_a_coordinate_integrates_to_one(a, b):
    total, _ = integrate.quad(
        lambda t: np.exp(density(t, a, b)), -40, 40, points=[0.0], limit=400, epsabs=1e-12
    )
    assert_close(total, 1, rtol=1e-9)


@pytest.mark.parametrize(("a", "b"), STICKS)
def test_the_density_of_a_coordinate_is_the_beta_density_times_the_slope(a, b):
    t = np.linspace(-3, 3, 7)
    logit = np.asarray(stick_logit(t, a, b))
    slope = np.asarray(slope_of_logit(t, a, b))
    v, rest = special.expit(logit), special.expit(-logit)
    # The Beta density by its kernel: SciPy's would form 1 - v.
    beta = (a - 1) * np.log(v) + (b - 1) * np.log(rest) - special.betaln(a, b)
    assert_close(density(t, a, b), beta + np.log(v * rest * slope))
    middle = np.abs(logit) < 5
    assert_close(beta[middle], stats.beta.logpdf(v[middle], a, b))


@pytest.mark.parametrize(("a", "b"), STICKS)
def test_both_tails_have_unit_rate(a, b):
    slope = jax.jit(jax.vmap(jax.grad(stick_log_density), in_axes=(0, None, None)))
    expected_left, expected_right = slope(np.array([-60.0, 60.0]), a, b)
    # d logit / dt tends to 1 + 1/a on the left: the Beta's rate a becomes 1 + a.
    assert_close(expected_left, 1 + a, rtol=1e-9)
    assert_close(expected_right, -(1 + b), rtol=1e-9)


@pytest.mark.parametrize(("a", "b"), [*STICKS, (1e-3, 1e-3), (1.0, 1e-3)])
def test_the_map_is_increasing_and_gentle_in_the_middle(a, b):
    slopes = slope_of_logit(np.linspace(-30, 30, 601), a, b)
    assert (slopes >= 1).all()
    assert slopes[300] <= 3


@every_prior
@pytest.mark.parametrize("alpha", [0.02, 1.0, 8.0])
def test_coordinates_and_weights_are_inverse_to_each_other(prior, alpha):
    a, b = sticks_of(prior, alpha)
    t = 4 * np.random.default_rng(2).normal(size=(5, K - 1))
    log_weights = log_weights_from_coordinates(t, a, b)
    assert_close(special.logsumexp(log_weights, axis=-1), 0)
    assert_close(coordinates_from_log_weights(log_weights, a, b), t, rtol=1e-9, atol=1e-9)


def test_weights_of_coordinates_are_broken_sticks():
    a, b = sticks_of(Dirichlet, 1.3)
    t = np.random.default_rng(3).normal(size=K - 1)
    v = special.expit(np.asarray(stick_logit(t, a, b)))
    expected = np.append(v, 1) * np.concatenate([[1], np.cumprod(1 - v)])
    assert_close(np.exp(log_weights_from_coordinates(t, a, b)), expected)


def test_an_absent_component_has_a_finite_coordinate():
    a, b = sticks_of(Dirichlet, 1.0)
    log_weights = np.array([np.log(0.5), -np.inf, np.log(0.5), -np.inf])
    assert np.isfinite(coordinates_from_log_weights(log_weights, a, b)).all()


# Settings ----------------------------------------------------------------------------------------


@every_prior
def test_sticks_are_the_textbooks(prior):
    for alpha in (0.2, np.array([0.2, 1.5])):
        a, b = prior(0.2).sticks(alpha, K)
        expected = [sticks_of(prior, one) for one in np.atleast_1d(alpha)]
        shape = (*np.shape(alpha), K - 1)
        assert_close(a, np.reshape([one[0] for one in expected], shape))
        assert_close(b, np.reshape([one[1] for one in expected], shape))


@every_prior
@pytest.mark.parametrize(
    "bad",
    [
        0,
        -1.0,
        np.nan,
        np.inf,
        "1",
        True,
        [1.0, 2.0],
        dist.Normal(0, 1),
        dist.Poisson(3),
        dist.Gamma(np.ones(2), 1),
    ],
)
def test_a_bad_concentration_is_refused(prior, bad):
    with pytest.raises(ValueError, match=rf"(?s)Expected.*{prior.__name__}.*got.*\. "):
        prior(bad).resolve()


@every_prior
@pytest.mark.parametrize(
    "good", [1, 0.3, np.float32(2), dist.Gamma(1, 20), dist.HalfNormal(1), dist.LogNormal(0, 1)]
)
def test_a_number_or_a_law_of_positive_numbers_is_taken(prior, good):
    resolved = prior(good).resolve()
    if is_random(good):
        assert resolved.concentration is good
    else:
        assert resolved.concentration == float(good)
    assert resolved.resolve() == resolved


def test_defaults_are_made_explicit():
    assert Dirichlet().resolve().concentration == 1.0
    sparse = SparseDirichlet().resolve().concentration
    process = DirichletProcess().resolve().concentration
    assert (float(sparse.concentration), float(sparse.rate)) == (1, 20)
    assert (float(process.concentration), float(process.rate)) == (2, 4)
    assert (Dirichlet.grows, SparseDirichlet.grows, DirichletProcess.grows) == (False, True, True)
