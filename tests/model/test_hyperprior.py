"""Quadrature over hyperpriors, against moments and transforms that are known."""

import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import stats
from scipy.special import digamma
from textbook import assert_close

from bayesgmm.model.hyperprior import quadrature
from bayesgmm.model.weights import DirichletProcess, MixtureOfFiniteMixtures, SparseDirichlet

F63 = MixtureOfFiniteMixtures().resolve().concentration
HYPERPRIORS = {
    "gamma(1, 20)": (SparseDirichlet().resolve().concentration, stats.gamma(1, scale=1 / 20)),
    "gamma(2, 4)": (DirichletProcess().resolve().concentration, stats.gamma(2, scale=1 / 4)),
    "F(6, 3)": (F63, stats.f(6, 3)),
    "gamma(1/20)": (dist.Gamma(0.05, 1.0), stats.gamma(0.05)),
    "gamma(400, 400)": (dist.Gamma(400.0, 400.0), stats.gamma(400, scale=1 / 400)),
    "log-normal": (dist.LogNormal(-3.0, 2.0), stats.lognorm(2, scale=np.exp(-3))),
    "half-Cauchy": (dist.HalfCauchy(0.1), stats.halfcauchy(scale=0.1)),
    "half-normal": (dist.HalfNormal(2.0), stats.halfnorm(scale=2)),
    "uniform": (dist.Uniform(0.0, 3.0), stats.uniform(0, 3)),
    "away from zero": (dist.Uniform(0.5, 0.75), stats.uniform(0.5, 0.25)),
}
every_hyperprior = pytest.mark.parametrize(
    ("hyperprior", "law"), HYPERPRIORS.values(), ids=HYPERPRIORS
)


def expectation(hyperprior, function):
    rule = quadrature(hyperprior)
    return np.exp(rule.log_weights) @ function(rule.concentrations)


@every_hyperprior
def test_weights_sum_to_one_on_positive_nodes(hyperprior, law):
    rule = quadrature(hyperprior)
    assert (rule.concentrations > 0).all()
    assert_close(np.exp(rule.log_weights).sum(), 1.0, rtol=1e-12)


@every_hyperprior
def test_a_smooth_expectation_is_that_of_scipy(hyperprior, law):
    """E 1 / (1 + alpha), the probability that a process joins two rows.

    By parts it is the integral of F(e^u) times the logistic density of u.
    """
    u = np.linspace(-40, 40, 80_001)
    expected = np.trapezoid(law.cdf(np.exp(u)) * stats.logistic.pdf(u), u)
    actual = expectation(hyperprior, lambda alpha: 1 / (1 + alpha))
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


@pytest.mark.parametrize("shape", [0.05, 1.0, 30.0])
def test_a_gamma_has_its_moments(shape):
    hyperprior = dist.Gamma(shape, 20.0)
    assert_close(expectation(hyperprior, lambda alpha: alpha), shape / 20, rtol=1e-8)
    assert_close(expectation(hyperprior, np.square), shape * (shape + 1) / 400, rtol=1e-8)
    logarithm = digamma(shape) - np.log(20)
    np.testing.assert_allclose(expectation(hyperprior, np.log), logarithm, rtol=1e-7)
    transform = (20 / 21) ** shape
    assert_close(expectation(hyperprior, lambda alpha: np.exp(-alpha)), transform, rtol=1e-8)


def test_f_has_its_moments_heavy_tail_included():
    """F(6, 3) has mean 3 and no variance; its logarithm has both."""
    assert_close(expectation(F63, lambda alpha: alpha), 3.0, rtol=1e-5)
    logarithm = digamma(3) - np.log(3) - digamma(1.5) + np.log(1.5)
    assert_close(expectation(F63, np.log), logarithm, rtol=1e-7)


def test_a_number_is_one_node():
    rule = quadrature(0.7)
    np.testing.assert_array_equal(rule.concentrations, [0.7])
    np.testing.assert_array_equal(rule.log_weights, [0.0])


def test_a_hyperprior_without_unit_mass_is_refused():
    halved = dist.Gamma(1.0, 20.0).mask(False)
    with pytest.raises(ValueError, match="Expected a hyperprior whose density integrates to 1"):
        quadrature(halved)
