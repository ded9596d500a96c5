"""The prior of the number of clusters, against enumeration of partitions and closed forms."""

import enumeration as en
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import stats
from scipy.special import comb, digamma
from textbook import assert_close

import bayesgmm as bg
from bayesgmm.model.cluster_prior import log_clusters, log_clusters_given

SIZE = 5
MANY = 100_000
DEFAULT_K = en.default_n_components(SIZE)
POISSON_K = en.cut_off(stats.poisson(1.5), SIZE)
FIXED_K = np.log(
    np.arange(1, SIZE + 1) == 3, out=np.full(SIZE, -np.inf), where=np.arange(SIZE) == 2
)


def mixture(law, **settings):
    return bg.MixtureOfFiniteMixtures(**settings), law


CASES = {
    "dirichlet": (bg.Dirichlet(1.5), en.finite(SIZE, 1.5)),
    "dirichlet-gamma": (bg.Dirichlet(dist.Gamma(3, 2)), en.finite(SIZE, stats.gamma(3, scale=0.5))),
    "sparse": (bg.SparseDirichlet(0.3), en.finite(SIZE, 0.3)),
    "sparse-gamma": (bg.SparseDirichlet(), en.finite(SIZE, stats.gamma(1, scale=1 / 20))),
    "process": (bg.DirichletProcess(0.7), en.process(SIZE, 0.7)),
    "process-gamma": (bg.DirichletProcess(), en.process(SIZE, stats.gamma(2, scale=1 / 4))),
    "static": mixture(
        en.mixed(POISSON_K, 0.8, is_dynamic=False),
        n_components_minus_one=dist.Poisson(1.5),
        concentration=0.8,
        dynamic=False,
    ),
    "static-gamma": mixture(
        en.mixed(DEFAULT_K, stats.gamma(1, scale=1 / 2), is_dynamic=False),
        concentration=dist.Gamma(1, 2),
        dynamic=False,
    ),
    "dynamic": mixture(en.mixed(DEFAULT_K, 1.3, is_dynamic=True), concentration=1.3),
    "dynamic-f": mixture(en.mixed(DEFAULT_K, stats.f(6, 3), is_dynamic=True)),
    "known-K": mixture(
        en.mixed(FIXED_K, 0.9, is_dynamic=True), n_components_minus_one=2, concentration=0.9
    ),
}
EVERY_FAMILY = {
    "sparse": bg.SparseDirichlet(),
    "process": bg.DirichletProcess(),
    "static": bg.MixtureOfFiniteMixtures(dynamic=False),
    "dynamic": bg.MixtureOfFiniteMixtures(),
}
every_family = pytest.mark.parametrize("weights", EVERY_FAMILY.values(), ids=EVERY_FAMILY)


def enumerated(law, n_rows):
    """p(K+ = 1, ..., min(SIZE, N)) given that there are no more, by summing over partitions."""
    strings = en.partitions(n_rows)
    _, log_prior = en.log_prior_table(law, strings)
    law = np.bincount(strings.max(1), np.exp(log_prior).sum((0, 2)))[:SIZE]
    return law / law.sum()


def given(weights, n_rows, alphas, size=20):
    """p(K+ = k | alpha), (A, most)."""
    return np.exp(log_clusters_given(weights.resolve(), n_rows, size)(np.atleast_1d(alphas)))


# Against sums over partitions --------------------------------------------------------------------


@pytest.mark.parametrize("n_rows", [1, 4, 7])
@pytest.mark.parametrize("case", CASES)
def test_it_is_the_sum_over_all_partitions(case, n_rows):
    weights, law = CASES[case]
    actual = np.exp(log_clusters(weights, n_rows, SIZE))
    np.testing.assert_allclose(actual, enumerated(law, n_rows), rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("case", ["process", "dynamic-f"])
def test_the_series_is_that_of_the_model(case):
    weights, law = CASES[case]
    series = bg.prior_of_clusters(bg.MixtureSpec(max_components=SIZE, weights=weights), 7)
    assert series.index.tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(series, enumerated(law, 7), rtol=1e-7)


# Closed forms ------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.01, 0.7, 12.0])
def test_a_process_has_ewenss_mean_and_variance(alpha):
    """K+ is a sum of independent coins with probabilities alpha / (alpha + i)."""
    n_rows = 300
    law = given(bg.DirichletProcess(), n_rows, alpha, size=n_rows)[0]
    coins = alpha / (alpha + np.arange(n_rows))
    numbers = np.arange(1, n_rows + 1)
    mean = law @ numbers
    assert_close(mean, coins.sum(), rtol=1e-10)
    assert_close(law @ (numbers - mean) ** 2, (coins * (1 - coins)).sum(), rtol=1e-9)


@pytest.mark.parametrize("n_rows", [40, 5000])
def test_a_uniform_dirichlet_draws_compositions(n_rows):
    """With alpha = 1 all counts are equally likely: C(K, k) C(N - 1, k - 1) / C(N + K - 1, N)."""
    K, k = 6, np.arange(1, 7)
    expected = comb(K, k) * comb(n_rows - 1, k - 1) / comb(n_rows + K - 1, K - 1)
    assert_close(given(bg.Dirichlet(), n_rows, 1.0, size=K)[0], expected, rtol=1e-9)


@pytest.mark.parametrize("alpha", [0.02, 0.5, 4.0])
def test_a_finite_mixture_has_the_mean_of_its_empty_components(alpha):
    """A component is empty with probability G(m - a + N) G(m) / G(m + N) G(m - a), m = K a."""
    K, n_rows = 8, 150
    rows = np.arange(n_rows)
    empty = np.exp(np.log1p(-alpha / (K * alpha + rows)).sum())
    mean = given(bg.SparseDirichlet(), n_rows, alpha, size=K)[0] @ np.arange(1, K + 1)
    assert_close(mean, K * (1 - empty), rtol=1e-9)


def test_all_families_agree_on_two_rows():
    """Two rows share a cluster with probability (1 + a) / (1 + K a), or 1 / (1 + alpha)."""
    alpha, K = 0.4, 5
    known = bg.MixtureOfFiniteMixtures(n_components_minus_one=K - 1)
    static = bg.MixtureOfFiniteMixtures(n_components_minus_one=K - 1, dynamic=False)
    expected = (1 + alpha) / (1 + K * alpha)
    assert_close(given(bg.SparseDirichlet(), 2, alpha, size=K)[0, 0], expected)
    assert_close(given(static, 2, alpha)[0, 0], expected)
    assert_close(given(known, 2, alpha)[0, 0], (1 + alpha / K) / (1 + alpha))
    assert_close(given(bg.DirichletProcess(), 2, alpha)[0, 0], 1 / (1 + alpha))


def test_many_components_with_little_concentration_are_a_process():
    """Dirichlet(alpha / K) over K components tends to the process as K grows."""
    alpha, K = 0.9, 3000
    finite = given(bg.SparseDirichlet(), 30, alpha / K, size=K)[0]
    np.testing.assert_allclose(finite, given(bg.DirichletProcess(), 30, alpha, K)[0], atol=2e-3)


def test_many_rows_fill_every_component():
    """As N grows, a static mixture's K+ tends to K, whose prior is then that of K+."""
    weights = bg.MixtureOfFiniteMixtures(dist.Poisson(4.0), dynamic=False)
    expected = np.exp(en.cut_off(stats.poisson(4), 20))
    np.testing.assert_allclose(given(weights, MANY, 3.0)[0], expected, atol=1e-8)


# What must be true -------------------------------------------------------------------------------


@every_family
def test_more_concentration_means_more_clusters(weights):
    """The distribution functions are in order, not only the means."""
    laws = given(weights, 200, np.geomspace(1e-4, 1e3, 60))
    cumulative = np.cumsum(laws / laws.sum(1, keepdims=True), -1)
    assert (np.diff(cumulative, axis=0) <= 1e-9).all()


@every_family
def test_more_rows_mean_more_clusters(weights):
    laws = [np.exp(log_clusters(weights, n_rows, 20)) for n_rows in (25, 100, 1000)]
    cumulative = np.cumsum(laws, -1)
    assert (np.diff(cumulative, axis=0) <= 1e-9).all()


@every_family
def test_so_many_rows_are_no_trouble(weights):
    log_law = log_clusters(weights, MANY, 20)
    assert log_law.shape == (20,)
    assert np.isfinite(log_law).all()
    assert_close(np.exp(log_law).sum(), 1.0, rtol=1e-12)


@every_family
def test_extreme_concentrations_give_no_nan(weights):
    log_law = log_clusters_given(weights.resolve(), MANY, 20)(np.array([1e-12, 1e-3, 1e6, 1e10]))
    assert not np.isnan(log_law).any()
    assert_close(log_law[0, 0], 0.0, atol=1e-8)


def test_a_process_of_many_rows_keeps_its_mean():
    alpha, size = 0.8, 60
    mean = given(bg.DirichletProcess(), MANY, alpha, size=size)[0] @ np.arange(1, size + 1)
    assert_close(mean, alpha * (digamma(alpha + MANY) - digamma(alpha)), rtol=1e-8)


# Refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_rows", [0, -3, 2.0, "5", True, None])
def test_a_number_of_rows_is_whole_and_positive(n_rows):
    with pytest.raises(ValueError, match="Expected n_rows to be a whole number >= 1"):
        bg.prior_of_clusters(bg.MixtureSpec(), n_rows)


def test_maximum_likelihood_has_no_prior():
    with pytest.raises(ValueError, match="Expected a model with a prior on the weights"):
        bg.prior_of_clusters(bg.MixtureSpec.maximum_likelihood(3), 10)


def test_a_foreign_weight_prior_is_refused():
    class Foreign(bg.Dirichlet):
        def partition_prior(self, n_components):
            return None

    with pytest.raises(ValueError, match="Expected a weight prior of this package, got Foreign"):
        bg.prior_of_clusters(bg.MixtureSpec(3, weights=Foreign()), 10)


def test_truncation_error_is_the_prior_probability_of_more_clusters():
    # Three rows in three clusters: alpha^2 / ((alpha + 1) (alpha + 2)).
    def of_three(alpha):
        return alpha**2 / ((alpha + 1) * (alpha + 2))

    assert_close(bg.DirichletProcess(0.7).truncation_error(3, 2), of_three(0.7))
    expected = stats.gamma(2, scale=1 / 4).expect(of_three)
    assert_close(bg.DirichletProcess().truncation_error(3, 2), expected, rtol=1e-7)
    # K+ is a sum of independent indicators of probability alpha / (alpha + i), i = 0, ..., N - 1.
    law = np.zeros(40)
    law[0] = 1.0
    for chance in 1 / (1 + np.arange(10_000)):
        law[1:] = law[1:] * (1 - chance) + law[:-1] * chance
        law[0] *= 1 - chance
    for size in (5, 10, 20):
        error = bg.DirichletProcess(1.0).truncation_error(10_000, size)
        assert_close(error, 1 - law[: size + 1].sum(), rtol=1e-7, atol=1e-11)
    assert bg.DirichletProcess(1.0).truncation_error(20, 20) == 0


@pytest.mark.parametrize(("n_rows", "size"), [(0, 20), (2.5, 20), (10, 0), (10, 1.5)])
def test_truncation_error_refuses_what_is_no_number_of_rows_or_components(n_rows, size):
    with pytest.raises(ValueError, match="whole number >= 1"):
        bg.DirichletProcess(1.0).truncation_error(n_rows, size)
