"""Exact draws of parameters, labels and rows from the prior, by NumPy and SciPy."""

from collections.abc import Callable
from typing import Any, NamedTuple

import enumeration as en
import numpy as np
import numpyro.distributions as dist
import textbook as tb
from scipy import stats
from scipy.special import logsumexp

import bayesgmm as bg
from bayesgmm.model.components import GammaScale, IndependentPrior, WishartScale, components_of
from bayesgmm.model.families import FAMILIES

N_ROWS = 7


class Case(NamedTuple):
    """What is simulated."""

    family: str
    weights: str
    components: str
    has_moves: bool
    n_columns: int = 2
    has_births: bool = False


class Point(NamedTuple):
    """Draws from the joint distribution, in plain matrices.

    Attributes:
        concentration: (R,).
        n_components: (R,), zero where K is known.
        log_weights: (R, K).
        scale: of the covariances' prior, in the family's shape, (R, ...).
        means: (R, K, D).
        matrices: (R, K, D, D).
        labels: (R, N).
        rows: (R, N, D).
    """

    concentration: np.ndarray
    n_components: np.ndarray
    log_weights: np.ndarray
    scale: np.ndarray
    means: np.ndarray
    matrices: np.ndarray
    labels: np.ndarray
    rows: np.ndarray


# Weights -----------------------------------------------------------------------------------------


class Weights(NamedTuple):
    """One weight prior, twice: for the package and as (rng, R) -> (alpha, K, log w)."""

    prior: Any
    max_components: int
    draw: Callable


def draw_log_dirichlet(rng, parameters, active=True):
    """Gamma variates in logarithms, for small parameters: gamma(a) = gamma(a + 1) U^(1/a)."""
    log_mass = np.log(rng.gamma(parameters + 1)) + np.log(rng.uniform(size=parameters.shape)) / (
        parameters
    )
    log_mass = np.where(active, log_mass, -np.inf)
    return log_mass - logsumexp(log_mass, -1, keepdims=True)


def finite(max_components, law):
    def draw(rng, n):
        alpha = law(rng, n)
        parameters = np.repeat(alpha[:, None], max_components, 1)
        return alpha, np.zeros(n, int), draw_log_dirichlet(rng, parameters)

    return draw


def mixed(log_prior, law, is_dynamic):
    slots = np.arange(len(log_prior))

    def draw(rng, n):
        alpha = law(rng, n)
        n_components = 1 + rng.choice(slots, n, p=np.exp(log_prior))
        each = alpha / n_components if is_dynamic else alpha
        active = slots < n_components[:, None]
        parameters = np.repeat(each[:, None], len(slots), 1)
        return alpha, n_components, draw_log_dirichlet(rng, parameters, active)

    return draw


def sticks(max_components, law):
    """So many sticks that what the last one takes does not matter."""

    def draw(rng, n):
        alpha = law(rng, n)
        log_left = np.log(rng.uniform(size=(n, max_components))) / alpha[:, None]
        log_taken = np.log(-np.expm1(log_left))
        log_taken[:, -1] = 0
        return alpha, np.zeros(n, int), log_taken + log_left.cumsum(1) - log_left

    return draw


def fixed(value):
    return lambda rng, n: np.full(n, value)


def gamma(shape, rate):
    return lambda rng, n: rng.gamma(shape, size=n) / rate


WEIGHTS = {
    "dirichlet": Weights(bg.Dirichlet(1.5), 3, finite(3, fixed(1.5))),
    "sparse": Weights(bg.SparseDirichlet(dist.Gamma(1.0, 2.0)), 6, finite(6, gamma(1, 2))),
    "process": Weights(bg.DirichletProcess(), 14, sticks(14, gamma(2, 4))),
    "static": Weights(
        bg.MixtureOfFiniteMixtures(dist.Poisson(1.5), dist.Gamma(2.0, 2.0), dynamic=False),
        6,
        mixed(en.cut_off(stats.poisson(1.5), 6), gamma(2, 2), is_dynamic=False),
    ),
    "dynamic": Weights(
        bg.MixtureOfFiniteMixtures(),
        6,
        mixed(en.default_n_components(6), lambda rng, n: rng.f(6, 3, n), is_dynamic=True),
    ),
}


# Components --------------------------------------------------------------------------------------

COMPONENTS = ("fixed", "random", "independent")
MATRIX_FAMILIES = ("full", "tied")

MEAN = np.array([0.5, -0.3])
MEAN_PRECISION = 0.4
MEAN_COVARIANCE = np.array([[3.0, 0.5], [0.5, 2.0]])
DEGREES_OF_FREEDOM = 5.0
# The hyperprior of the scale: Wishart for matrices, else gamma.
SCALE_DEGREES, SCALE_RATE = 4.0, np.array([[1.5, 0.4], [0.4, 1.0]])
SCALE_SHAPE, SCALE_RATES = 1.5, np.array([0.6, 0.4])


def hyperprior(case):
    size = case.n_columns
    if case.family in MATRIX_FAMILIES:
        return WishartScale(np.asarray(SCALE_DEGREES), SCALE_RATE[:size, :size])
    rate = SCALE_RATES[:size] if case.family == "diag" else np.asarray(SCALE_RATES[0])
    return GammaScale(np.asarray(SCALE_SHAPE), rate)


def mean_scale(case):
    if case.family in MATRIX_FAMILIES:
        return SCALE_DEGREES * np.linalg.inv(hyperprior(case).rate)
    return SCALE_SHAPE / hyperprior(case).rate


def package_components(case):
    family, size = FAMILIES[case.family], case.n_columns
    numbers = (MEAN_PRECISION, DEGREES_OF_FREEDOM, mean_scale(case))
    prior = family.prior(MEAN[:size], *map(np.asarray, numbers))
    if case.components == "independent":
        prior = IndependentPrior(prior, np.linalg.cholesky(MEAN_COVARIANCE[:size, :size]))
    return components_of(family, prior, None if case.components == "fixed" else hyperprior(case))


def draw_scale(rng, case, n):
    if case.components == "fixed":
        return np.broadcast_to(mean_scale(case), (n, *np.shape(mean_scale(case))))
    prior = hyperprior(case)
    if case.family in MATRIX_FAMILIES:
        return draw_wishart(rng, SCALE_DEGREES, np.linalg.inv(prior.rate), (n,))
    return rng.gamma(SCALE_SHAPE, size=(n, *prior.rate.shape)) / prior.rate


def draw_wishart(rng, nu, scale, shape):
    drawn = stats.wishart(nu, scale).rvs(int(np.prod(shape)), rng)
    return np.reshape(drawn, (*shape, len(scale), len(scale)))


def draw_matrices(rng, case, scale, n_slots):
    """Covariances given their scale (R, ...), (R, K, D, D)."""
    n, size = len(scale), case.n_columns
    if case.family in MATRIX_FAMILIES:
        n_drawn = 1 if case.family == "tied" else n_slots
        standard = draw_wishart(rng, DEGREES_OF_FREEDOM, np.eye(size), (n, n_drawn))
        lower = np.linalg.cholesky(scale)[:, None]
        matrices = lower @ np.linalg.inv(standard) @ np.swapaxes(lower, -1, -2)
        return np.broadcast_to(matrices, (n, n_slots, size, size))
    standard = rng.gamma(DEGREES_OF_FREEDOM / 2, size=(n, n_slots, *scale.shape[1:]))
    variances = scale[:, None] / 2 / standard
    return tb.as_diagonal(variances) if case.family == "diag" else tb.as_spherical(variances, size)


def draw_means(rng, case, matrices):
    size = case.n_columns
    of_means = matrices / MEAN_PRECISION
    if case.components == "independent":
        of_means = np.broadcast_to(MEAN_COVARIANCE[:size, :size], matrices.shape)
    return MEAN[:size] + draw_noise(rng, of_means)


def draw_noise(rng, matrices):
    return np.einsum(
        "...ij,...j->...i", np.linalg.cholesky(matrices), rng.normal(size=matrices.shape[:-1])
    )


# The prior ---------------------------------------------------------------------------------------


def draw_prior(rng, case, n):
    weights = WEIGHTS[case.weights]
    alpha, n_components, log_weights = weights.draw(rng, n)
    scale = draw_scale(rng, case, n)
    matrices = draw_matrices(rng, case, scale, weights.max_components)
    means = draw_means(rng, case, matrices)
    labels = draw_labels(rng, log_weights)
    rows = of_labels(means, labels) + draw_noise(rng, of_labels(matrices, labels))
    return Point(alpha, n_components, log_weights, scale, means, matrices, labels, rows)


def draw_labels(rng, log_weights):
    noise = rng.gumbel(size=(N_ROWS, *log_weights.shape))
    return (log_weights + noise).argmax(-1).T


def of_labels(values, labels):
    """Each row's own out of (R, K, ...), (R, N, ...)."""
    return values[np.arange(len(labels))[:, None], labels]
