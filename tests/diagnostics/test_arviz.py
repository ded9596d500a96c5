"""ArviZ's own functions take the tree as it is."""

from dataclasses import replace

import arviz as az
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

import bayesgmm as bg

matplotlib.use("Agg")

PLOTS = {
    "trace_dist": az.plot_trace_dist,
    "rank": az.plot_rank,
    "ppc_dist": az.plot_ppc_dist,
    "forest": az.plot_forest,
    "ess": az.plot_ess,
}


@pytest.fixture(autouse=True)
def _figures_closed():
    yield
    plt.close("all")


def tree_of(fit):
    model = bg.BayesianGaussianMixture()
    model.fit_ = fit
    return model.datatree_


@pytest.fixture(scope="module")
def tree(posterior):
    """Two or three clusters, so that nothing is constant, and a random scale of the prior."""
    counts = posterior.counts.copy()
    shape = posterior.log_likelihood.shape
    random = np.random.default_rng(2)
    counts[..., 2] = random.random(shape) < 0.3
    factors = random.normal(np.eye(2), 0.1, (*shape, 2, 2))
    scale = factors @ np.swapaxes(factors, -1, -2)
    return tree_of(replace(posterior, counts=counts, scale=scale))


@pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS)
def test_it_plots(tree, plot):
    plot(tree)
    assert plt.get_fignums()


def test_it_summarises_what_needs_no_labels(tree):
    table = az.summary(tree)
    assert np.isfinite(table.astype(float).to_numpy()).all()
    names = {name.partition("[")[0] for name in table.index}
    assert names == {"n_clusters", "log_lik", "entropy", "concentration", "sorted_weights", "scale"}


def test_it_computes_loo_and_plots_it(tree):
    found = az.loo(tree)
    assert found.n_data_points == 70
    assert np.isfinite(found.elpd)
    az.plot_khat(found)


def test_replicates_can_be_seen_by_column(tree):
    collection = az.plot_ppc_dist(tree, cols=["feature"])
    assert collection.viz["plot"].sizes == {"feature": 2}


def test_it_shows_the_prior_beside_the_posterior(tree):
    names = ["n_clusters", "entropy", "concentration"]
    assert az.plot_prior_posterior(tree, var_names=names)
    assert az.plot_ppc_dist(tree, group="prior_predictive")


def test_it_scales_the_power_of_the_prior(tree):
    table = az.psense_summary(tree, var_names=["entropy", "log_lik"])
    assert np.isfinite(table[["prior", "likelihood"]].astype(float).to_numpy()).all()


# ArviZ divides by the variance, and smooths the values, of a quantity that is always the same.
@pytest.mark.filterwarnings("ignore:invalid value encountered in scalar divide:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:Your data appears to have a single value:UserWarning")
@pytest.mark.parametrize("function", [az.summary, *PLOTS.values()])
def test_a_number_of_clusters_that_never_changes_breaks_nothing(posterior, function):
    assert np.ptp(posterior.n_clusters) == 0
    function(tree_of(posterior))


def test_components_of_draws_stay_out_of_the_way(tree):
    assert "means" not in tree["posterior"]
    assert "means" in az.summary(tree, group="components", var_names="means").index[0]
