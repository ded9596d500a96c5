"""The partition sampler against the posterior over all partitions of a few rows.

A case is a covariance family, a weight prior, and the moves beside the blocked updates. Partitions,
K+, K, the concentration and the predictive density come from enumeration; how far the draws may be
from them follows from the spread between chains, which are independent.
"""

from typing import NamedTuple

import enumeration as en
import jax
import numpy as np
import numpyro.distributions as dist
import pytest
import textbook as tb
from quick import quick_compilation
from scipy import stats
from textbook import assert_close

import bayesgmm as bg

FAMILIES = tuple(one.name for one in tb.STRUCTURES)
N_CHAINS = 32
MAX_COMPONENTS = 10
MOVES = ("split_merge",)
BIRTHS = ("birth_death",)
LARGEST_DISTANCE = 0.02
NEW_ROW = np.array([1.9, 0.6])

ROWS = np.array([[0.0, 0.0], [2.6, 1.1], [0.6, 0.5], [3.5, -1.0], [1.0, -0.4], [2.2, 1.5]])
SCALE = np.array([[1.2, 0.3], [0.3, 0.9]])


class Weights(NamedTuple):
    """One weight prior, twice: for the package and for the enumeration."""

    spec: dict
    law: en.PartitionLaw


def growing(weights, law, max_components=MAX_COMPONENTS):
    return Weights({"max_components": max_components, "weights": weights}, law)


def finite_mixtures(law, **settings):
    return growing(bg.MixtureOfFiniteMixtures(**settings), law)


DEFAULT_K = en.default_n_components(MAX_COMPONENTS)
POISSON_K = en.cut_off(stats.poisson(1.5), MAX_COMPONENTS)

WEIGHTS = {
    "dirichlet": Weights({"n_components": 3, "weights": bg.Dirichlet(1.5)}, en.finite(3, 1.5)),
    "sparse": growing(bg.SparseDirichlet(0.3), en.finite(6, 0.3), max_components=6),
    "sparse-gamma": growing(
        bg.SparseDirichlet(dist.Gamma(1.0, 2.0)), en.finite(6, stats.gamma(1, scale=1 / 2)), 6
    ),
    "process": growing(bg.DirichletProcess(0.7), en.process(MAX_COMPONENTS, 0.7)),
    "process-gamma": growing(
        bg.DirichletProcess(), en.process(MAX_COMPONENTS, stats.gamma(2, scale=1 / 4))
    ),
    "static": finite_mixtures(
        en.mixed(POISSON_K, 1.0, is_dynamic=False),
        n_components_minus_one=dist.Poisson(1.5),
        dynamic=False,
    ),
    "dynamic": finite_mixtures(en.mixed(DEFAULT_K, stats.f(6, 3), is_dynamic=True)),
    "dynamic-fixed": finite_mixtures(en.mixed(DEFAULT_K, 0.8, is_dynamic=True), concentration=0.8),
}


class Case(NamedTuple):
    """What is sampled, from how many rows and columns, by how many draws per chain."""

    family: str
    weights: str
    has_moves: bool
    n_columns: int
    n_rows: int
    n_draws: int
    components: str = "conjugate"
    has_births: bool = False


# One of everything, within a minute; the rest is slow.
QUICK = [
    Case("full", "dynamic", True, 2, 5, 2500),
    Case("diag", "process", True, 2, 5, 1500),
    Case("spherical", "sparse-gamma", False, 2, 5, 2500),
    Case("tied", "static", True, 1, 5, 1500),
    Case("spherical", "dynamic-fixed", True, 2, 5, 2500, "independent"),
]
REST = [
    Case("full", "process-gamma", False, 2, 5, 5000, has_births=True),
    *(Case("full", weights, True, 2, 6, 6000) for weights in WEIGHTS),
    # Weights know nothing of families, so that each kind meets two of them.
    *(Case(FAMILIES[1 + i % 3], one, True, 2, 5, 3000) for i, one in enumerate(WEIGHTS)),
    # A sweep with moves makes every blocked update too: by themselves these meet each family once.
    *(
        Case(FAMILIES[i], weights, False, 1 + i % 2, 6, 12000)
        for i, weights in enumerate(("dynamic", "process-gamma", "dirichlet", "sparse"))
    ),
    *(Case(family, "static", True, 1, 6, 8000, "independent") for family in FAMILIES),
    Case("diag", "process", True, 2, 6, 8000, "independent"),
    *(
        Case(FAMILIES[(i + 1) % 4], weights, False, 2 - i % 2, 6, 16000, has_births=True)
        for i, weights in enumerate(WEIGHTS)
        if i % 2 or weights == "dynamic"
    ),
    *(
        Case(family, "dynamic-fixed", False, n_columns, 6, 16000, "independent", has_births=True)
        for family, n_columns in zip(FAMILIES, (1, 1, 2, 2), strict=True)
    ),
]


def name_of(case):
    moves = "moves" if case.has_moves else "births" if case.has_births else "plain"
    return f"{case.family}-{case.weights}-{moves}-{case.n_columns}-{case.components}"


def cases(quick, rest):
    slow = [pytest.param(case, marks=pytest.mark.slow, id=name_of(case)) for case in rest]
    return [*(pytest.param(case, id="quick-" + name_of(case)) for case in quick), *slow]


# Running -----------------------------------------------------------------------------------------


def prior_of(family, n_columns):
    """Weak enough for clusters of one row, strong enough that many partitions have mass."""
    matrix = SCALE[:n_columns, :n_columns]
    scale = {
        "full": matrix,
        "tied": matrix,
        "diag": np.diag(matrix).copy(),
        "spherical": np.asarray(np.trace(matrix) / n_columns),
    }[family]
    return en.NormalWishart(np.array([1.5, 0.3])[:n_columns], 0.3, 5.0, scale)


def independent_prior_of(family, n_columns):
    scale = np.array([1.2, 0.9])[:n_columns]
    if family in ("spherical", "tied") or n_columns == 1:
        scale = np.asarray(1.1)
    mean, spread = np.array([1.5, 0.3])[:n_columns], np.array([4.0, 3.0])[:n_columns]
    return en.IndependentNormal(mean, spread, 5.0, scale)


def spec_of(family, weights, n_columns, components="conjugate"):
    if components == "independent":
        prior = bg.IndependentNormalWishart(*independent_prior_of(family, n_columns))
        return bg.MixtureSpec(covariance=family, prior=prior, **WEIGHTS[weights].spec)
    prior = bg.NormalInverseWishart(*prior_of(family, n_columns))
    return bg.MixtureSpec(covariance=family, prior=prior, **WEIGHTS[weights].spec)


def sample(x, spec, seed=0, moves=MOVES, labels=None, **settings):
    asked = {"n_chains": N_CHAINS, "n_warmup": 100, "n_draws": 100, "thin": 1} | settings
    engine = bg.Gibbs(**asked, moves=moves, progress=False)
    with quick_compilation():
        return bg.fit(x, spec, engine=engine, seed=seed, labels=labels)


def numbers_of(case):
    of_kind = {"conjugate": prior_of, "independent": independent_prior_of}[case.components]
    return of_kind(case.family, case.n_columns)


def draws_of(case):
    x = ROWS[: case.n_rows, : case.n_columns]
    moves = MOVES * case.has_moves + BIRTHS * case.has_births
    spec = spec_of(case.family, case.weights, case.n_columns, case.components)
    return x, sample(x, spec, moves=moves, n_draws=case.n_draws)


# Distances ---------------------------------------------------------------------------------------


def frequencies(values, n_values):
    """Relative frequencies within each chain, (C, n_values)."""
    return np.stack([np.bincount(chain, minlength=n_values) / len(chain) for chain in values])


def distance(frequencies, exact):
    """Total variation between the frequencies of all chains together and the exact ones."""
    return np.abs(frequencies.mean(0) - exact).sum() / 2


def allowed_distance(frequencies, n_resamples=1000):
    """Mean and four standard deviations of the distance that Monte Carlo error alone makes.

    1. The chains are independent, so that the error of their average is nearly normal with the
       covariance between chains over their number; autocorrelation is in there.
    2. Sums of the chains' deviations with standard normal factors have just that covariance.
    """
    n_chains = len(frequencies)
    deviations = (frequencies - frequencies.mean(0)) / np.sqrt(n_chains * (n_chains - 1))
    factors = np.random.default_rng(0).normal(size=(n_resamples, n_chains))
    distances = np.abs(factors @ deviations).sum(1) / 2
    return distances.mean() + 4 * distances.std()


def assert_same_law(name, values, exact):
    """Draws (C, S) of a discrete variable follow the exact law, and there are enough of them."""
    ours = frequencies(values, len(exact))
    allowed = allowed_distance(ours)
    report(name, f"{distance(ours, exact):.4f} of {allowed:.4f}")
    assert distance(ours, exact) <= allowed, name
    assert allowed <= LARGEST_DISTANCE, name


def assert_same_mean(name, draws, exact):
    """The mean of draws (C, S) lies within four standard errors of the exact one."""
    by_chain = draws.mean(1)
    error = by_chain.std(ddof=1) / np.sqrt(len(by_chain))
    report(name, f"{(by_chain.mean() - exact) / error:.1f} standard errors")
    assert abs(by_chain.mean() - exact) <= 4 * error, (name, by_chain.mean(), exact, error)


def report(name, text):
    """Seen with ``pytest -s``."""
    print(f"{name}: {text}", end="; ")


def density_at(fit, y):
    """p(y | draw), (C, S), in plain NumPy."""
    structure = next(one for one in tb.STRUCTURES if one.name == fit.model.family.name)
    parameters = tb.parameters_of(structure, fit.mixture)
    offsets = y - parameters.means
    solved = np.linalg.solve(parameters.matrices, offsets[..., None])[..., 0]
    log_det = np.linalg.slogdet(2 * np.pi * parameters.matrices)[1]
    each = np.exp(-((offsets * solved).sum(-1) + log_det) / 2)
    return (parameters.weights * each).sum(-1)


def log_predictive(case, x, y):
    """log p(y | x): the evidence of the rows with and without y."""
    prior, law = numbers_of(case), WEIGHTS[case.weights].law
    without, together = (
        en.posterior(case.family, rows, prior, law) for rows in (x, np.vstack([x, y]))
    )
    return together.log_evidence - without.log_evidence


# The exact posterior -----------------------------------------------------------------------------


@pytest.mark.parametrize("case", cases(QUICK[:1], QUICK[1:] + REST))
def test_draws_follow_the_posterior_over_all_partitions(case):
    x, fit = draws_of(case)
    exact = en.posterior(case.family, x, numbers_of(case), WEIGHTS[case.weights].law)
    assert_same_law("partition", en.partition_index(fit.allocations()), exact.of_partition)
    assert_same_law("K+", fit.n_clusters, exact.of_n_clusters)
    assert (fit.n_components is None) == (exact.of_n_components is None)
    if fit.n_components is not None:
        assert_same_law("K", fit.n_components, exact.of_n_components)
        assert (fit.n_components >= fit.n_clusters).all()
    if fit.concentration is not None:
        assert_same_mean("log alpha", np.log(fit.concentration), exact.log_concentration)
    y = NEW_ROW[: case.n_columns]
    assert_same_mean("density", density_at(fit, y), np.exp(log_predictive(case, x, y)))


# The enumeration itself --------------------------------------------------------------------------


@pytest.mark.parametrize(("n_rows", "bell"), [(1, 1), (4, 15), (6, 203), (7, 877)])
def test_all_partitions_are_enumerated_once(n_rows, bell):
    strings = en.partitions(n_rows)
    assert len(strings) == len(np.unique(en.codes(strings))) == bell
    np.testing.assert_array_equal(en.partition_index(strings), np.arange(bell))


@pytest.mark.parametrize("weights", WEIGHTS)
def test_enumerated_priors_sum_to_one(weights):
    """They do if the bound on the clusters is no bound for so few rows."""
    _, log_prior = en.log_prior_table(WEIGHTS[weights].law, en.partitions(6))
    assert_close(np.exp(log_prior).sum(), 1.0, rtol=1e-8)


@pytest.mark.parametrize("structure", tb.STRUCTURES, ids=lambda one: one.name)
def test_enumerated_evidence_is_the_product_of_predictives(structure):
    prior = prior_of(structure.name, 2)
    ours = en.log_rows(structure.name, ROWS, prior)
    for index in (0, 17, 100, 202):
        labels = en.partitions(6)[index]
        theirs = tb.log_marginal(structure, tb.Prior(*prior), ROWS, labels, 6)
        assert_close(ours[index], theirs)


# Draws, seeds and schedules ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def spec():
    """The first quick case once more: nothing is compiled again."""
    return spec_of("full", "dynamic", 2)


X = ROWS[:5]


@pytest.fixture(scope="module")
def run(spec):
    return sample(X, spec, seed=1)


def test_same_seed_same_draws_and_another_seed_others(run, spec):
    again, other = (sample(X, spec, seed=seed) for seed in (1, 2))
    for ours, theirs in zip(
        jax.tree.leaves((run.scaled, run.concentration)),
        jax.tree.leaves((again.scaled, again.concentration)),
        strict=True,
    ):
        np.testing.assert_array_equal(ours, theirs)
    assert not np.array_equal(run.scaled.means, other.scaled.means)


@pytest.mark.parametrize("schedule", [(100, 100, 1), (0, 50, 1), (0, 40, 3), (7, 40, 5)], ids=str)
def test_redrawn_labels_are_those_behind_the_counts(spec, schedule):
    n_warmup, n_draws, thin = schedule
    fit = sample(X, spec, seed=1, n_warmup=n_warmup, n_draws=n_draws, thin=thin)
    labels = fit.allocations()
    assert labels.shape == (N_CHAINS, n_draws, len(X))
    counted = (labels[..., None] == np.arange(MAX_COMPONENTS)).sum(-2)
    np.testing.assert_array_equal(counted, fit.counts)
    np.testing.assert_array_equal((counted > 0).sum(-1), fit.n_clusters)


def test_log_likelihood_is_that_of_the_recorded_parameters(run):
    each = [np.log(density_at(run, row)) for row in X]
    assert_close(run.log_likelihood, np.sum(each, 0), rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("n_chains", [1, 3])
def test_any_number_of_chains_will_do(spec, n_chains):
    fit = sample(X, spec, n_chains=n_chains, n_warmup=0, n_draws=5)
    assert fit.n_clusters.shape == (n_chains, 5)
    labels = fit.allocations()
    np.testing.assert_array_equal(
        fit.n_clusters, 1 + en.partitions(5)[en.partition_index(labels)].max(-1)
    )


@pytest.mark.parametrize("family", ["full", pytest.param("tied", marks=pytest.mark.slow)])
def test_one_component_has_the_conjugate_posterior(family):
    prior = prior_of(family, 2)
    spec = bg.MixtureSpec(1, covariance=family, prior=bg.NormalInverseWishart(*prior))
    fit = sample(ROWS, spec, n_warmup=0, n_draws=1000)
    assert (fit.n_clusters == 1).all()
    assert (fit.mixture.log_weights == 0).all()
    # Murphy (2007), equations 251-254.
    nu, scale = prior.nu + len(ROWS), prior.scale + en.gain(ROWS, prior)
    kappa = prior.kappa + len(ROWS)
    mean = (prior.kappa * prior.mean + ROWS.sum(0)) / kappa
    structure = next(one for one in tb.STRUCTURES if one.name == family)
    parameters = tb.parameters_of(structure, fit.mixture)
    for i in range(2):
        assert_same_mean("mean", parameters.means[..., 0, i], mean[i])
        for j in range(i + 1):
            covariance = parameters.matrices[..., 0, i, j]
            assert_same_mean("covariance", covariance, scale[i, j] / (nu - 3))
