"""Draws from the prior follow it: exact laws of K+, SciPy's laws of components, and the check's power."""

import arviz as az
import jax
import numpy as np
import numpyro.distributions as dist
import pytest
from quick import slow_after
from scipy import stats
from textbook import STRUCTURES

import bayesgmm as bg
from bayesgmm.diagnostics.prior import prior_predictive_check, sample_prior
from bayesgmm.model.prior_draws import draw_prior
from bayesgmm.numerics.precision import in_float64

N_DRAWS = 2_000
WEIGHTS = {
    "finite mixture": ("auto", bg.MixtureOfFiniteMixtures()),
    "static mixture": ("auto", bg.MixtureOfFiniteMixtures(dynamic=False)),
    "process": ("auto", bg.DirichletProcess(1.0)),
    "sparse": ("auto", bg.SparseDirichlet(0.3)),
    "known": (4, bg.Dirichlet(0.5)),
}


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(0).normal([5.0, -2.0], [2.0, 1.0], (60, 2))


@pytest.mark.parametrize("name", slow_after(1, WEIGHTS))
def test_the_number_of_clusters_has_its_exact_law(rows, name):
    n_components, weights = WEIGHTS[name]
    spec = bg.MixtureSpec(n_components, max_components=30, weights=weights)
    tree = sample_prior(spec, rows, n_draws=N_DRAWS, n_data_sets=0)
    drawn = tree["prior"]["n_clusters"].values.ravel()
    expected = bg.prior_of_clusters(spec, len(rows)).to_numpy()
    # Numbers with five draws or more expected; the others together.
    common = expected * N_DRAWS >= 5
    seen = np.bincount(drawn, minlength=len(expected) + 1)[1:]
    counts = [*seen[common], seen[~common].sum()]
    masses = [*expected[common], expected[~common].sum()]
    keep = np.array(masses) * N_DRAWS >= 1
    counts, masses = np.array(counts)[keep], np.array(masses)[keep]
    assert stats.chisquare(counts, masses / masses.sum() * counts.sum()).pvalue > 1e-3


@pytest.mark.parametrize("structure", slow_after(1, STRUCTURES, lambda one: one.name))
def test_components_have_their_law(rows, structure):
    """Precision of the first column: gamma; its mean given it: normal."""
    scale = (
        structure.pack(np.diag([2.0, 3.0])[None])[0]
        if structure.name != "tied"
        else np.diag([2.0, 3.0])
    )
    prior = bg.NormalInverseWishart(
        mean=[1.0, 2.0], mean_precision=0.5, degrees_of_freedom=7.0, scale=scale
    )
    spec = bg.MixtureSpec(2, covariance=structure.name, prior=prior)
    model = bg.resolve(spec, bg.Dataset.from_array(rows))
    drawn = in_float64(draw_prior)(jax.random.key(1), model, N_DRAWS)
    with jax.enable_x64(True):
        matrices = np.asarray(model.family.matrices(drawn.mixture)) * model.affine.scale**2
    variance = matrices[:, 0, 0, 0]
    nu, s = 7.0, np.ravel(scale)[0]
    shape = {"full": (nu - 1) / 2, "tied": (nu - 1) / 2}.get(structure.name, nu / 2)
    assert stats.kstest(s / 2 / variance, stats.gamma(shape).cdf).pvalue > 1e-3
    means = model.affine.inverse(np.asarray(drawn.mixture.means))[:, 0, 0]
    assert stats.kstest((means - 1.0) * np.sqrt(0.5 / variance), "norm").pvalue > 1e-3


@pytest.mark.slow
def test_the_concentration_has_its_hyperprior(rows):
    spec = bg.MixtureSpec(weights=bg.SparseDirichlet(dist.Gamma(2.0, 3.0)))
    tree = sample_prior(spec, rows, n_draws=N_DRAWS, n_data_sets=0)
    drawn = tree["prior"]["concentration"].values.ravel()
    assert stats.kstest(drawn, stats.gamma(2, scale=1 / 3).cdf).pvalue > 1e-3


@pytest.mark.slow
def test_the_scale_has_its_hyperprior(rows):
    spec = bg.MixtureSpec(prior=bg.NormalInverseWishart(scale=dist.Wishart(4.0, np.eye(2))))
    tree = sample_prior(spec, rows, n_draws=N_DRAWS, n_data_sets=0)
    drawn = tree["prior"]["scale"].values[0, :, 0, 0]
    assert stats.kstest(drawn, stats.chi2(4).cdf).pvalue > 1e-3


def test_data_sets_lie_where_their_mixtures_are(rows):
    """With an all but fixed component every data set is normal around the prior mean."""
    prior = bg.NormalInverseWishart(
        mean=[1.0, 2.0], mean_precision=1e8, degrees_of_freedom=1e6, scale=1e6 * np.eye(2)
    )
    tree = sample_prior(bg.MixtureSpec(1, prior=prior), rows, n_draws=50, n_data_sets=50)
    drawn = tree["prior_predictive"]["x"].values.reshape(-1, 2)
    for column, mean in zip(drawn.T, (1.0, 2.0), strict=True):
        assert stats.kstest(column, stats.norm(mean, 1).cdf).pvalue > 1e-3
    assert tree["prior_predictive"]["x"].shape == (1, 50, 60, 2)


@pytest.mark.slow
def test_arviz_draws_the_prior_beside_the_data(rows):
    tree = sample_prior(bg.MixtureSpec(), rows, n_draws=150)
    assert {"prior", "prior_predictive", "observed_data"} == set(tree.children)
    assert az.plot_ppc_dist(tree, group="prior_predictive")


@pytest.mark.slow
def test_a_default_prior_expects_the_rows_and_another_does_not(rows):
    assert (prior_predictive_check(bg.MixtureSpec(), rows)["p_value"] > 0.05).all()
    narrow = bg.NormalInverseWishart(mean=[0.0, 0.0], mean_precision=100.0, scale=1e-2 * np.eye(2))
    table = prior_predictive_check(bg.MixtureSpec(prior=narrow), rows)
    assert (table["p_value"] < 0.01).all()
    assert next(iter(table.index)) == "mean of x0"
    assert table.loc["mean of x0", "observed"] == pytest.approx(rows[:, 0].mean())


def test_maximum_likelihood_has_no_prior_to_draw_from(rows):
    with pytest.raises(ValueError, match="Expected a model with priors, got maximum likelihood"):
        sample_prior(bg.MixtureSpec.maximum_likelihood(2), rows)


@pytest.mark.parametrize("numbers", [{"n_draws": 0}, {"n_draws": 5, "n_data_sets": 6}])
def test_numbers_out_of_range_are_refused(rows, numbers):
    with pytest.raises(ValueError, match="Expected n_draws >= 1 and n_data_sets in"):
        sample_prior(bg.MixtureSpec(), rows, **numbers)
