"""Power scaling: densities by SciPy, a mean of zero under the prior, and exact posteriors of K+."""

from dataclasses import replace

import arviz as az
import jax
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
import textbook as tb
from diagnostics.draws import posterior_of_draws
from quick import slow_after
from scipy import stats
from textbook import STRUCTURES, assert_mean

import bayesgmm as bg
from bayesgmm.diagnostics.sensitivity import (
    clusters_by_prior,
    diagnosis,
    log_prior,
    log_prior_of_components,
    prior_sensitivity,
)
from bayesgmm.model.prior_draws import draw_prior
from bayesgmm.numerics.precision import in_float64

some_structures = pytest.mark.parametrize(
    "structure", slow_after(1, STRUCTURES, lambda one: one.name)
)
PRIORS = {"conjugate": bg.NormalInverseWishart, "independent": bg.IndependentNormalWishart}


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(0).normal([5.0, -2.0], [2.0, 1.0], (60, 2))


def model_of(rows, family, kind):
    spec = bg.MixtureSpec(3, covariance=family, prior=PRIORS[kind](degrees_of_freedom=9.0))
    return bg.resolve(spec, bg.Dataset.from_array(rows))


@in_float64
def draws_and_log_prior(model, counts, n_draws=4_000):
    drawn = draw_prior(jax.random.key(5), model, n_draws)
    counts = np.broadcast_to(np.array(counts), (n_draws, 3))
    found = log_prior_of_components(model.components, drawn.mixture, counts, drawn.scale)
    return drawn, np.asarray(found)


@pytest.mark.slow
@pytest.mark.parametrize("kind", slow_after(1, PRIORS))
@pytest.mark.parametrize("family", slow_after(1, ["full", "tied", "diag", "spherical"]))
def test_components_count_zero_on_average_under_the_prior(rows, family, kind):
    """Whatever the scale: the hyperprior's own density is all that is left."""
    model = model_of(rows, family, kind)
    drawn, found = draws_and_log_prior(model, [5, 0, 55])
    with jax.enable_x64(True):
        of_scale = np.asarray(jax.vmap(model.scale_prior.log_density)(drawn.scale))
    assert_mean(found - of_scale, 0.0)


@pytest.mark.slow
@some_structures
def test_a_component_more_adds_its_density_and_entropy(rows, structure):
    """Differences between draws are those of SciPy's densities; the entropy is the same in all."""
    scale = structure.pack(np.diag([2.0, 3.0])[None])[0]
    scale = np.diag([2.0, 3.0]) if structure.name == "tied" else scale
    prior = bg.NormalInverseWishart(
        mean=[1.0, 2.0], mean_precision=0.5, degrees_of_freedom=9.0, scale=scale
    )
    spec = bg.MixtureSpec(3, covariance=structure.name, prior=prior)
    model = bg.resolve(spec, bg.Dataset.from_array(rows))
    drawn, found = draws_and_log_prior(model, [5, 0, 55], n_draws=4)
    inner = model.prior
    plain = tb.Prior(
        np.asarray(inner.mean),
        float(inner.mean_precision),
        float(inner.degrees_of_freedom),
        np.asarray(inner.scale),
    )
    expected = []
    for s in range(4):
        mixture = jax.tree.map(lambda leaf, s=s: np.asarray(leaf)[s], drawn.mixture)
        parameters = tb.parameters_of(structure, mixture)
        kept = parameters._replace(
            means=parameters.means[[0, 2]], matrices=parameters.matrices[[0, 2]]
        )
        density = tb.log_component_prior(structure, plain, kept)
        # The entropy of a mean given its covariance: ours differ from draw to draw.
        halves = np.linalg.slogdet(2 * np.pi * np.e * kept.matrices / 0.5)[1] / 2
        expected.append(density + halves.sum())
    np.testing.assert_allclose(np.diff(found), np.diff(expected), rtol=0, atol=1e-9)


def test_units_do_not_matter(rows):
    """Rows a thousand times as large have the same log prior but for the hyperprior's units."""
    fits = []
    for factor in (1.0, 1000.0):
        data = bg.Dataset.from_array(factor * rows)
        fits.append(
            posterior_of_draws(data, bg.MixtureSpec(max_components=4), n_chains=2, n_draws=50)
        )
    one, other = (log_prior(fit)["components"] for fit in fits)
    np.testing.assert_allclose(one - other, (one - other).mean(), rtol=0, atol=1e-8)


def test_the_prior_of_weights_is_that_of_the_number_of_clusters(posterior):
    expected = np.log(bg.prior_of_clusters(posterior.model.spec, 70).to_numpy())
    np.testing.assert_allclose(log_prior(posterior)["weights"], expected[1], rtol=1e-12)


def test_for_a_known_number_it_is_the_density_of_weights_and_concentration(data):
    hyperprior = dist.Gamma(2.0, 4.0)
    spec = bg.MixtureSpec(2, weights=bg.Dirichlet(hyperprior))
    fit = posterior_of_draws(data, spec, n_chains=2, n_draws=5)
    found = log_prior(fit)["weights"]
    for place in np.ndindex(found.shape):
        alpha, weights = fit.concentration[place], np.exp(fit.scaled.log_weights[place])
        expected = stats.dirichlet(np.full(2, alpha)).logpdf(weights / weights.sum())
        expected += stats.gamma(2, scale=1 / 4).logpdf(alpha)
        assert found[place] == pytest.approx(expected, abs=1e-8)


def test_values_are_those_of_arviz(posterior):
    """On a quantity that follows the prior of the components; ArviZ smooths the weights as well."""
    density = log_prior(posterior)["components"]
    pulled = replace(
        posterior,
        concentration=1 + density - density.min(),
        log_likelihood=bg.pointwise_log_likelihood(posterior).sum(-1),
    )
    table = prior_sensitivity(pulled)
    tree = bg.to_datatree(pulled, prior=2, posterior_predictive=0)
    for group, part in (("prior", "components"), ("likelihood", None)):
        names = ["concentration", "entropy"]
        found = az.psense(tree, var_names=names, group=group, group_var_names=part)
        for name in names:
            ours = table.loc[name, part or group]
            assert ours == pytest.approx(float(found[name]), rel=0.05)
    assert table.loc["concentration", "weights"] < 1e-5
    assert table.loc["concentration", "components"] > 10 * table.loc["entropy", "components"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((0.01, 0.04, 0.2), "hardly depends on the prior"),
        ((0.01, 0.2, 0.2), "prior of components and data pull apart"),
        ((0.2, 0.2, 0.01), "prior of weights and components decides, the data say little"),
    ],
)
def test_sensitivities_are_put_into_words(values, words):
    row = pd.Series(values, ["weights", "components", "likelihood"])
    assert diagnosis(row) == words


def test_a_point_is_refused(point):
    with pytest.raises(ValueError, match="Expected a posterior, got a point fit: Power scaling"):
        prior_sensitivity(point)
    with pytest.raises(ValueError, match="Expected a posterior with a prior on the weights"):
        clusters_by_prior(point)


def test_other_priors_of_the_number_of_clusters_by_bayes(posterior):
    counts = posterior.counts.copy()
    visits = np.random.default_rng(0).random(counts.shape[:2]) < 0.3
    counts[visits, 2] = 1
    fit = replace(posterior, counts=counts)
    table = clusters_by_prior(fit)
    p = visits.mean()
    prior = bg.prior_of_clusters(fit.model.spec, 70).to_numpy()[1:3]
    assert list(table.index) == [2, 3]
    np.testing.assert_allclose(table["prior"], prior, rtol=1e-12)
    np.testing.assert_allclose(table["posterior"], [1 - p, p], rtol=1e-12)
    for name, power in {"half": 0.5, "double": 2.0, "flat": 0.0}.items():
        odds = p / (1 - p) * (prior[1] / prior[0]) ** (power - 1)
        np.testing.assert_allclose(table[name], [1 / (1 + odds), odds / (1 + odds)], rtol=1e-12)
    # Independent draws.
    np.testing.assert_allclose(table["error"], np.sqrt(p * (1 - p) / 1200), rtol=0.2)


def test_a_number_the_prior_decides_is_said_to_be(posterior):
    """Between two and three clusters, even chances that the prior has made."""
    counts = posterior.counts.copy()
    counts[:, ::2, 2] = 1
    checks = bg.diagnose(replace(posterior, counts=counts)).set_index("check")
    row = checks.loc["sensitivity of the number of clusters to its prior"]
    prior = bg.prior_of_clusters(posterior.model.spec, 70).to_numpy()[1:3]
    ratio = np.sqrt(prior[0] / prior[1])
    # Half the power moves the odds by the root of the ratio, twice the power by the ratio.
    moved = max(abs(0.5 - 1 / (1 + ratio)), abs(0.5 - 1 / (1 + ratio**2)))
    assert row["value"] == pytest.approx(moved, rel=1e-9)
    assert row["passed"] == (moved <= 0.12)


@pytest.mark.slow
@some_structures
def test_the_entropy_of_a_covariance_is_minus_its_mean_log_density(structure):
    with jax.enable_x64(True):
        prior = tb.prior_of(structure, tb.random_prior(np.random.default_rng(2), structure, 3))
        keys = jax.random.split(jax.random.key(3), 4_000)
        covariances = jax.vmap(lambda key: prior.draw(key, (1,))[1])(keys)
        log_density = np.asarray(jax.vmap(prior.log_covariance_density)(covariances))
        assert_mean(-log_density, float(prior.covariance_entropy()))
