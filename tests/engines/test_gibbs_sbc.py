"""The partition sampler's posterior of the default model, calibrated over simulated data.

Parameters come from the prior, rows from the parameters, draws from the sampler given the rows. The
rank of a true value among its independent posterior draws is uniform then (Talts, Betancourt,
Simpson, Vehtari & Gelman 2018, arXiv:1804.06788).
"""

from typing import NamedTuple

import enumeration as en
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import stats
from scipy.special import entr, logsumexp

import bayesgmm as bg

N_REPLICATIONS = 256
N_ROWS, N_COLUMNS, MAX_COMPONENTS = 40, 2, 6
N_CHAINS, N_DRAWS, THIN = 3, 21, 20
N_WARMUP = 300
N_BINS = 8
FALSE_ALARMS = 1e-3

MEAN = np.array([10.0, -2.0])
MEAN_PRECISION = 0.1
DEGREES_OF_FREEDOM = 6.0
SCALE_DEGREES = 4.0
SCALE_RATE = np.array([[0.5, 0.1], [0.1, 0.3]])
NEW_ROW = np.array([11.0, -1.0])

SPEC = bg.MixtureSpec(
    max_components=MAX_COMPONENTS,
    prior=bg.NormalInverseWishart(
        mean=MEAN,
        mean_precision=MEAN_PRECISION,
        degrees_of_freedom=DEGREES_OF_FREEDOM,
        scale=dist.Wishart(concentration=SCALE_DEGREES, rate_matrix=SCALE_RATE),
    ),
)
ENGINE = bg.Gibbs(n_chains=N_CHAINS, n_warmup=N_WARMUP, n_draws=N_DRAWS, thin=THIN, progress=False)


class Truth(NamedTuple):
    """One draw from the prior, components that are absent left out, and its rows."""

    concentration: float
    weights: np.ndarray
    means: np.ndarray
    matrices: np.ndarray
    labels: np.ndarray
    rows: np.ndarray


def draw_truth(rng):
    alpha = rng.f(6, 3)
    log_prior = en.default_n_components(MAX_COMPONENTS)
    n_components = 1 + rng.choice(MAX_COMPONENTS, p=np.exp(log_prior))
    weights = draw_weights(rng, alpha / n_components, n_components)
    scale = stats.wishart(SCALE_DEGREES, np.linalg.inv(SCALE_RATE)).rvs(random_state=rng)
    matrices = stats.invwishart(DEGREES_OF_FREEDOM, scale).rvs(n_components, rng)
    matrices = matrices.reshape(-1, N_COLUMNS, N_COLUMNS)
    means = MEAN + coloured(matrices / MEAN_PRECISION, rng.normal(size=(n_components, N_COLUMNS)))
    labels = rng.choice(n_components, N_ROWS, p=weights)
    rows = means[labels] + coloured(matrices[labels], rng.normal(size=(N_ROWS, N_COLUMNS)))
    return Truth(alpha, weights, means, matrices, labels, rows)


def draw_weights(rng, parameter, size):
    """Gamma variates in logarithms, for small parameters: gamma(a) = gamma(a + 1) U^(1/a)."""
    log_mass = np.log(rng.gamma(parameter + 1, size=size))
    log_mass += np.log(rng.uniform(size=size)) / parameter
    return np.exp(log_mass - logsumexp(log_mass))


def coloured(matrices, noise):
    return np.einsum("...ij,...j->...i", np.linalg.cholesky(matrices), noise)


def log_density(weights, means, matrices, x):
    """log p(x) of rows (N, D) under mixtures (..., K, ...), (..., N)."""
    lower = np.linalg.inv(np.linalg.cholesky(matrices))
    offsets = x[:, None] - means[..., None, :, :]
    squared = (np.einsum("...kij,...nkj->...nki", lower, offsets) ** 2).sum(-1)
    constant = np.linalg.slogdet(2 * np.pi * matrices)[1][..., None, :]
    return logsumexp(-(squared + constant) / 2, -1, b=weights[..., None, :])


def true_values(truth):
    mixture = truth.weights, truth.means, truth.matrices
    return {
        "log-likelihood": log_density(*mixture, truth.rows).sum(),
        "clusters": len(np.unique(truth.labels)),
        "K": len(truth.weights),
        "entropy of weights": entr(truth.weights).sum(),
        "concentration": truth.concentration,
        "density": log_density(*mixture, NEW_ROW[None])[0],
    }


def drawn_values(truth, seed):
    """The same values of the posterior draws, (L,) each."""
    fit = bg.fit(truth.rows, SPEC, engine=ENGINE, seed=seed)
    lower = fit.mixture.covariance.chol
    mixture = np.exp(fit.mixture.log_weights), fit.mixture.means, lower @ lower.swapaxes(-1, -2)
    values = {
        "log-likelihood": fit.log_likelihood,
        "clusters": fit.n_clusters,
        "K": fit.n_components,
        "entropy of weights": entr(mixture[0]).sum(-1),
        "concentration": fit.concentration,
        "density": log_density(*mixture, NEW_ROW[None]),
    }
    return {name: drawn.ravel() for name, drawn in values.items()}


def rank(rng, true, drawn):
    """Number of draws below the true value, ties broken at random."""
    return (drawn < true).sum() + rng.integers((drawn == true).sum() + 1)


@pytest.fixture(scope="module")
def ranks():
    """Ranks of each value, (R,)."""
    rng = np.random.default_rng(0)
    found = []
    for seed in range(N_REPLICATIONS):
        truth = draw_truth(rng)
        true, drawn = true_values(truth), drawn_values(truth, seed)
        found.append({name: rank(rng, true[name], drawn[name]) for name in true})
    return {name: np.array([one[name] for one in found]) for name in found[0]}


@pytest.mark.slow
def test_true_values_have_uniform_ranks_among_posterior_draws(ranks):
    n_ranks = N_CHAINS * N_DRAWS + 1
    for name, values in ranks.items():
        counts = np.bincount(values * N_BINS // n_ranks, minlength=N_BINS)
        print(f"{name}: {counts}", end="; ")
        assert stats.chisquare(counts).pvalue >= FALSE_ALARMS / len(ranks), name
