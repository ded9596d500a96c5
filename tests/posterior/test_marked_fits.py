"""A posterior of rows with missing cells and known labels, in every use of it."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from quick import quick_compilation

import bayesgmm as bg

matplotlib.use("Agg")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Expected (Pareto|draws|log-likelihoods):UserWarning"),
]
N = 40
TRUTH = np.repeat([1, 0], N // 2)


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(1)
    complete = 20 + 5 * (np.where(TRUTH == 1, -1.6, 1.6)[:, None] + random.normal(size=(N, 2)))
    missing = random.random(complete.shape) < 0.25
    missing[missing.all(1), 0] = False
    return np.where(missing, np.nan, complete)


@pytest.fixture(scope="module")
def labels():
    return np.where(np.arange(N) % 10 == 0, TRUTH, -1)


@pytest.fixture(scope="module")
def fit(rows, labels):
    engine = bg.Gibbs(2, 50, 100, 1, progress=False)
    with quick_compilation():
        return bg.fit(rows, bg.MixtureSpec(2), engine=engine, seed=1, labels=labels)


def test_log_likelihoods_of_rows_add_up_to_that_of_the_draws(fit):
    each = bg.pointwise_log_likelihood(fit)
    np.testing.assert_allclose(each.sum(-1), fit.log_likelihood, rtol=1e-10)
    assert np.isfinite(bg.loo(fit).elpd)
    assert np.isfinite(bg.waic(fit).elpd)


def test_the_density_of_a_row_does_not_depend_on_the_rows_beside_it(fit, rows):
    density = bg.log_density(fit, rows)
    estimate = bg.log_density_with_error(fit, rows)
    np.testing.assert_allclose(estimate.log_density, density, rtol=1e-10)
    whole = np.flatnonzero(~np.isnan(rows).any(1))
    np.testing.assert_allclose(bg.log_density(fit, rows[whole]), density[whole], rtol=1e-10)


def test_clusters_have_the_names_of_the_labels(fit, rows, labels):
    clusters = bg.partition(fit)
    known = labels >= 0
    np.testing.assert_array_equal(clusters.labels[known], labels[known])
    assert (clusters.labels == TRUTH).mean() > 0.9
    belongs = bg.membership(fit, clusters, rows).mean
    assert (belongs.argmax(1) == TRUTH).mean() > 0.9
    table = bg.summary(fit, clusters=clusters)
    assert table.loc["mean[0, x0]", "mean"] > table.loc["mean[1, x0]", "mean"]
    assert bg.credible_ball(fit).radius >= 0


def test_checks_trees_and_files_take_them(fit, rows, labels, tmp_path):
    assert bg.diagnose(fit)["value"].notna().all()
    tree = bg.to_datatree(fit)
    np.testing.assert_array_equal(tree["observed_data"]["x"], rows)
    assert (bg.predictive_check(fit)["p_value"] >= 0).all()
    bg.save(fit, tmp_path / "fit.nc")
    again = bg.load(tmp_path / "fit.nc")
    np.testing.assert_array_equal(again.data.labels, labels)
    np.testing.assert_array_equal(again.allocations(), fit.allocations())
    chosen = [3, 0, 21]
    np.testing.assert_array_equal(again.allocations(chosen), fit.allocations()[..., chosen])


def test_cells_are_filled_and_scores_lie_within_zero_and_one(fit, rows):
    filled = bg.impute(fit, rows, n_draws=2)
    assert np.isfinite(filled.values).all()
    np.testing.assert_array_equal(filled.values[~np.isnan(rows)], rows[~np.isnan(rows)])
    scores = bg.anomaly_score(fit, rows)
    assert ((scores > 0) & (scores < 1)).all()


def test_pictures_take_them(fit):
    for kind in ("density", "pairs", "distances"):
        assert np.ravel(bg.plots.ppc(fit, kind)).size
    assert bg.plots.clusters(fit)
    plt.close("all")


def test_the_estimator_takes_both(rows, labels):
    model = bg.BayesianGaussianMixture(2, n_chains=2, n_warmup=50, n_draws=100, random_state=0)
    with quick_compilation():
        found = model.fit_predict(rows, labels)
    np.testing.assert_array_equal(found[labels >= 0], labels[labels >= 0])
    np.testing.assert_array_equal(model.predict(rows), model.predict_proba(rows).argmax(1))
    assert np.isfinite(model.score(rows))
    with pytest.raises(ValueError, match=r"count once each for Gibbs.*engine=bg\.NUTS"):
        model.fit(rows, labels, sample_weight=1.0 + (np.arange(N) < 5))
