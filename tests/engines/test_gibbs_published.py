"""The partition sampler against a published posterior, and against clusters that are known.

Richardson & Green (1997), JRSSB 59, 731-792, give the posterior of the number of components of the
galaxy data under a hierarchical prior: R is the range, K uniform on 1, ..., 30, w ~ Dirichlet(1),
mu ~ N(mid-range, R^2), sigma^-2 ~ gamma(2, beta), beta ~ gamma(0.2, 10 / R^2).
"""

from functools import partial

import numpy as np
import numpyro.distributions as dist
import pytest
from numpy.testing import assert_array_equal
from scipy.spatial.distance import pdist

import bayesgmm as bg

pytestmark = pytest.mark.slow

N_STANDARD_ERRORS = 4
SEEDS = (1, 2)
LARGEST_DISTANCE = 0.025
# p(K = k | y), k = 3, ..., 10. One run of a reversible jump sampler: these figures carry a Monte
# Carlo error of their own, which was not printed with them.
PUBLISHED = {3: 0.061, 4: 0.128, 5: 0.182, 6: 0.199, 7: 0.160, 8: 0.109, 9: 0.071, 10: 0.040}

SEPARATION = 6.0
# N, D, K.
SEPARATED = [(500, 1, 3), (1000, 5, 8), (5000, 2, 12), (20_000, 20, 20), (100_000, 10, 15)]
MOST_OF_THE_MASS = 0.9


# The published posterior -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def by_chain():
    """Relative frequencies of K in each chain of two long runs, (2, C, len(PUBLISHED))."""
    x = bg.datasets.galaxies().frame.to_numpy()
    spec = richardson_and_green(x)
    engine = bg.Gibbs(n_chains=16, n_warmup=1000, n_draws=1000, thin=5, progress=False)
    runs = [bg.fit(x, spec, engine=engine, seed=seed) for seed in SEEDS]
    return np.array([frequencies(fit.n_components, list(PUBLISHED)) for fit in runs])


def richardson_and_green(x):
    # sigma^-2 ~ gamma(degrees_of_freedom / 2, scale / 2): scale = 2 beta, hence 5 / R^2.
    width = float(np.ptp(x))
    prior = bg.IndependentNormalWishart(
        mean=(x.min() + x.max()) / 2,
        mean_covariance=width**2,
        degrees_of_freedom=4,
        scale=dist.Gamma(0.2, 5 / width**2),
    )
    weights = bg.MixtureOfFiniteMixtures(dist.DiscreteUniform(0, 29), 1.0, dynamic=False)
    return bg.MixtureSpec(max_components=30, weights=weights, prior=prior)


def frequencies(numbers, values):
    """Return the relative frequency of each value in each chain, (C, len(values))."""
    return (numbers[..., None] == values).mean(1)


def test_two_runs_agree(by_chain):
    # Chains are independent, so the variance of a run's frequency is that between chains over C.
    probabilities = by_chain.mean(1)
    variances = by_chain.var(1, ddof=1) / by_chain.shape[1]
    distances = np.abs(probabilities[0] - probabilities[1]) / np.sqrt(variances.sum(0))
    assert (distances < N_STANDARD_ERRORS).all(), distances


def test_published_posterior_of_the_number_of_components(by_chain):
    distances = by_chain.mean(1) - list(PUBLISHED.values())
    assert (np.abs(distances) < LARGEST_DISTANCE).all(), distances


# Known truth -------------------------------------------------------------------------------------


def draw_rows(seed, n_rows, n_columns, n_clusters):
    """Gaussian clusters with weights in the ratio 1 : 2 : ... : K and random covariances."""
    rng = np.random.default_rng(seed)
    centres = separated_centres(rng, n_columns, n_clusters)
    factors = [random_factor(rng, n_columns) for _ in range(n_clusters)]
    weights = np.arange(1, n_clusters + 1) / (n_clusters * (n_clusters + 1) / 2)
    sizes = rng.multinomial(n_rows, weights)
    clusters = [
        centre + rng.normal(size=(n, n_columns)) @ factor.T
        for n, centre, factor in zip(sizes, centres, factors, strict=True)
    ]
    return np.concatenate(clusters)


def separated_centres(rng, n_columns, n_clusters):
    """Centres spread over a cube, the nearest two of them ``SEPARATION`` apart, (K, D)."""
    draw = partial(rng.uniform, 0, 2 * SEPARATION * n_clusters ** (1 / n_columns), n_columns)
    centres = draw()[None]
    while len(centres) < n_clusters:
        new = draw()
        if np.linalg.norm(centres - new, axis=1).min() >= SEPARATION:
            centres = np.vstack([centres, new])
    return centres * SEPARATION / pdist(centres).min() if n_clusters > 1 else centres


def random_factor(rng, n_columns):
    """A factor of a covariance with standard deviations of at most one in every direction."""
    rotation = np.linalg.qr(rng.normal(size=(n_columns, n_columns)))[0]
    return rotation * rng.uniform(0.4, 1.0, n_columns)


def sample(x, max_components, n_chains=2, n_warmup=1000, n_draws=100):
    engine = bg.Gibbs(n_chains, n_warmup, n_draws, thin=1, progress=False)
    return bg.fit(x, bg.MixtureSpec(max_components=max_components), engine=engine, seed=0)


@pytest.mark.parametrize(("n_rows", "n_columns", "n_clusters"), SEPARATED)
def test_separated_clusters_are_counted(n_rows, n_columns, n_clusters):
    # One chain starts from a single cluster, the other from many.
    x = draw_rows(0, n_rows, n_columns, n_clusters)
    # Few rows leave K+ uncertain, and its mode takes some draws to tell.
    fit = sample(x, max(10, 2 * n_clusters), n_warmup=300, n_draws=4000 if n_rows < 1000 else 100)
    by_chain = frequencies(fit.n_clusters, np.arange(fit.model.n_components + 1))
    assert_array_equal(by_chain.argmax(1), n_clusters, str(by_chain.round(2)))


@pytest.mark.parametrize("n_columns", [1, 2, 10])
def test_one_gaussian_is_one_cluster(n_columns):
    """On average over data sets: single samples may look like more than one Gaussian."""
    bound = bg.MixtureSpec().max_components
    shares = []
    for seed in range(5):
        x = draw_rows(seed, 500, n_columns, 1)
        fit = sample(x, bound, n_chains=4, n_draws=1000)
        shares.append((fit.n_clusters == 1).mean())
    assert np.mean(shares) >= MOST_OF_THE_MASS, shares
