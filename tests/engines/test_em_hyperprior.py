"""EM with a random scale of the covariances and with independent means: SciPy's density climbs."""

import numpy as np
import numpyro.distributions as dist
import pytest
import textbook as tb
from climbs import fitted
from scipy import stats
from textbook import assert_close, assert_three_parts

import bayesgmm as bg

N, D, K = 60, 2, 3
NU = 6.0
MEAN = np.array([1.0, -2.0])
SPREAD = np.array([[30.0, 4.0], [4.0, 20.0]])
RATE = np.array([[0.5, 0.1], [0.1, 0.8]])


def draw_rows():
    rng = np.random.default_rng(11)
    centres = np.array([[-3.0, -3.0], [1.0, 2.0], [5.0, -4.0]])
    return centres[np.arange(N) % K] + rng.normal(size=(N, D))


def hyperprior(name):
    """The distribution of the scale, and SciPy's log density of it."""
    if name in ("full", "tied"):
        law = stats.wishart(3, np.linalg.inv(RATE))
        return dist.Wishart(3.0, rate_matrix=RATE), law.logpdf
    law = stats.gamma(0.7, scale=1 / 0.4)
    return dist.Gamma(0.7, 0.4), lambda scale: law.logpdf(scale).sum()


def log_covariance(name, parameters, scale):
    """log p(covariances | scale), with the tied one counted once and variances one by one."""
    matrices = parameters.matrices
    if name in ("full", "tied"):
        each = [stats.invwishart(NU, scale).logpdf(one) for one in matrices]
        return each[0] if name == "tied" else sum(each)
    variances = np.diagonal(matrices, axis1=1, axis2=2)
    variances = variances if name == "diag" else variances[:, :1]
    return stats.invgamma(NU / 2, scale=np.asarray(scale) / 2).logpdf(variances).sum()


def log_means(kind, parameters):
    if kind == "independent":
        return stats.multivariate_normal(MEAN, SPREAD).logpdf(parameters.means).sum()
    pairs = zip(parameters.means, parameters.matrices, strict=True)
    return sum(stats.multivariate_normal(MEAN, one / 0.2).logpdf(mean) for mean, one in pairs)


def best_scale(name, parameters):
    """The mode of the scale given the covariances, by the formula in Gelman et al. (2013), 3.6."""
    precisions = np.linalg.inv(parameters.matrices)
    if name in ("full", "tied"):
        precisions = precisions[:1] if name == "tied" else precisions
        return (3 + len(precisions) * NU - D - 1) * np.linalg.inv(RATE + precisions.sum(0))
    halves = np.diagonal(precisions, axis1=1, axis2=2) / 2
    halves = halves if name == "diag" else halves[:, :1]
    return (0.7 + K * NU / 2 - 1) / (0.4 + halves.sum(0))


def log_prior(name, kind, parameters):
    scale = best_scale(name, parameters)
    total = log_covariance(name, parameters, scale) + log_means(kind, parameters)
    return (
        total
        + hyperprior(name)[1](scale)
        + stats.dirichlet(np.full(K, 2.0)).logpdf(parameters.weights / parameters.weights.sum())
    )


def spec_of(name, kind):
    scale = hyperprior(name)[0]
    prior = {
        "conjugate": bg.NormalInverseWishart(MEAN, 0.2, NU, scale),
        "independent": bg.IndependentNormalWishart(MEAN, SPREAD, NU, scale),
    }[kind]
    return bg.MixtureSpec(K, covariance=name, weights=bg.Dirichlet(2.0), prior=prior)


QUICK = {("diag", "conjugate")}
CASES = [
    pytest.param(
        *(one, kind),
        marks=[] if (one.name, kind) in QUICK else pytest.mark.slow,
        id=f"{one.name}-{kind}",
    )
    for one in tb.STRUCTURES
    for kind in ("conjugate", "independent")
]


@pytest.mark.parametrize(("structure", "kind"), CASES)
def test_density_climbs_to_a_maximum(structure, kind):
    x, name = draw_rows(), structure.name
    spec = spec_of(name, kind)
    path = [bg.fit(x, spec, engine=bg.EM(max_iter=n, tol=0.0)) for n in (1, 2, 3, 5, 400)]
    heights = []
    for one in path:
        parameters = fitted(structure, one)
        heights.append(tb.log_likelihood(parameters, x) + log_prior(name, kind, parameters))
    assert (np.diff(heights) > -1e-9).all()
    # Up to the units of the parameters, of which the fit counts in its own.
    ours = [float(one.log_likelihood + one.log_prior) for one in path]
    assert_close(np.diff(ours), np.diff(heights), rtol=1e-6, atol=1e-8)
    parameters = fitted(structure, path[-1])
    rng = np.random.default_rng(2)
    for _ in range(20):
        moved = parameters._replace(means=parameters.means + 1e-3 * rng.normal(size=(K, D)))
        factor = np.exp(1e-3 * rng.normal(size=(1 if name == "tied" else K)))[:, None, None]
        moved = moved._replace(matrices=parameters.matrices * factor)
        assert tb.log_likelihood(moved, x) + log_prior(name, kind, moved) < heights[-1]


def test_default_prior_of_components_is_served():
    fit = bg.fit(draw_rows(), bg.MixtureSpec(K), engine=bg.EM(tol=1e-8, max_iter=500))
    assert fit.status.ok
    assert np.isfinite(fit.log_prior)


def test_scale_without_mode_is_refused():
    prior = bg.NormalInverseWishart(degrees_of_freedom=0.5, scale=dist.Gamma(0.5, 1.0))
    spec = bg.MixtureSpec(1, covariance="spherical", prior=prior)
    with pytest.raises(ValueError, match="mode") as error:
        bg.fit(draw_rows(), spec, engine=bg.EM())
    assert_three_parts(str(error.value), "bg.Gibbs()")
