"""The table recovers what the draws hold, whatever their labels, and refuses what means nothing."""

from dataclasses import replace

import jax
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from posterior.clustered import handmade, shuffled

import bayesgmm as bg
from bayesgmm.diagnostics.summary import evenly_per_chain, rounded

FAMILIES = ("full", "tied", "diag", "spherical")
TRUTH = np.repeat([0, 1, 2], [60, 40, 30])
CENTRES = np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]])
ROWS = np.random.default_rng(1).normal(CENTRES[TRUTH])
COLUMNS = ["mean", "sd", "eti89_lb", "eti89_ub", "ess_bulk", "ess_tail", "r_hat"]


def posterior_of(family="full"):
    """Three clusters far apart, the components of every draw in random order."""
    known = handmade(ROWS, TRUTH, [1.0, 1.0, 1.0], family)
    noise = np.random.default_rng(5).normal(-300, 2, known.log_likelihood.shape)
    fit, _ = shuffled(replace(known, log_likelihood=noise))
    return fit, known


@pytest.fixture(scope="module")
def fit():
    return posterior_of()[0]


@pytest.fixture(scope="module")
def table(fit):
    return bg.summary(fit)


def names_of(name, n_clusters=3):
    return [f"{name}[{j}, {column}]" for j in range(n_clusters) for column in ("x0", "x1")]


@pytest.mark.parametrize("family", FAMILIES)
def test_clusters_are_recovered_from_shuffled_labels(family):
    fit, known = posterior_of(family)
    table = bg.summary(fit)
    mixture = known.mixture
    weights, means = np.exp(mixture.log_weights), mixture.means
    by_weight = np.argsort(-weights.mean((0, 1)))
    (record,) = mixture.covariance
    sds = {
        "full": lambda: record[..., [0, 1], [0, 1]],
        "tied": lambda: record[..., [0, 1], [0, 1]][:, :, None],
        "diag": lambda: record,
        "spherical": lambda: record[..., None],
    }[family]()
    sds = np.broadcast_to(sds, (2, 400, 3, 2))
    for name, values in (("mean", means), ("sd", sds)):
        rows = table.loc[names_of(name)].astype(float)
        ordered = values[:, :, by_weight].reshape(800, 6)
        assert_equal_but_for_rounding(rows, ordered)
    found = table.loc[[f"weight[{j}]" for j in range(3)]]
    assert_equal_but_for_rounding(found, weights[:, :, by_weight].reshape(800, 3))


def assert_equal_but_for_rounding(rows, draws):
    """Means and standard deviations are rounded to three digits of the latter."""
    sds = draws.std(0, ddof=1)
    assert (np.abs(rows["mean"] - draws.mean(0)) <= 0.006 * sds).all()
    # With one degree of freedom more or less.
    assert (np.abs(rows["sd"] - sds) <= 0.008 * sds).all()


def test_every_row_has_the_columns_of_arviz(table):
    assert list(table.columns[: len(COLUMNS)]) == COLUMNS
    label_free = ["n_clusters", "log_lik", "entropy", *(f"sorted_weights[{r}]" for r in range(3))]
    weights = [f"weight[{j}]" for j in range(3)]
    assert list(table.index) == [*label_free, *weights, *names_of("mean"), *names_of("sd")]
    r_hats = table["r_hat"].astype(float)
    assert np.isnan(r_hats["n_clusters"])
    assert (r_hats.drop("n_clusters") < 1.02).all()


def test_numbers_have_three_digits_of_the_standard_deviation():
    raw = pd.DataFrame(
        {"mean": [191.79432, 5.0], "sd": [0.48765, 0.0], "eti89_lb": [191.01234, 5.0]}
        | {"ess_bulk": [3318.7, np.nan], "r_hat": [1.00056, np.nan], "mcse_mean": [0.0086123, 0.0]}
    )
    first, constant = rounded(raw).itertuples(index=False)
    assert first == (191.794, 0.488, 191.012, 3318.0, 1.001, 0.00861)
    assert constant[:3] == (5.0, 0.0, 5.0)


def test_it_says_what_it_rests_on(table):
    assert table.attrs == {
        "n_clusters": 3,
        "method": "ecr",
        "n_draws_used": 800,
        "n_draws": 800,
        "non_permutation_rate": 0.0,
        "names": "weight",
        "refused": "",
    }


def merged(fit, n_first, n_second):
    """The fit with one cluster fewer in the last draws of each chain."""
    largest = fit.counts.argmax(-1)[..., None]
    smallest = fit.counts.argmin(-1)[..., None]
    counts = fit.counts.copy()
    both = np.take_along_axis(counts, largest, -1) + np.take_along_axis(counts, smallest, -1)
    np.put_along_axis(counts, largest, both, -1)
    np.put_along_axis(counts, smallest, 0, -1)
    is_whole = np.arange(400) < np.array([[n_first], [n_second]])
    return replace(fit, counts=np.where(is_whole[..., None], fit.counts, counts))


def test_chains_that_keep_different_numbers_of_draws_are_thinned(fit):
    unequal = merged(fit, 390, 300)
    table = bg.summary(unequal)
    assert (table.attrs["n_draws_used"], table.attrs["n_draws"]) == (600, 800)
    assert table.attrs["n_clusters"] == 3
    chosen = evenly_per_chain(bg.relabel(unequal).chains)
    assert chosen.shape == (2, 300)
    assert_array_equal(chosen[1], 390 + np.arange(300))
    assert chosen[0, 0] == 0
    assert chosen[0, -1] == 389
    assert set(np.diff(chosen[0])) == {1, 2}
    means = table.loc[names_of("mean"), "mean"].astype(float).to_numpy().reshape(3, 2)
    # 5 standard errors of a mean of 600 draws of standard deviation 0.15.
    centres = np.stack([fit.data.values[j == TRUTH].mean(0) for j in range(3)])
    assert_allclose(means, centres, atol=5 * 0.15 / np.sqrt(600))
    assert np.isfinite(table["r_hat"].astype(float)).all()


def test_clusters_without_identity_are_refused_with_the_reason(fit):
    with pytest.warns(UserWarning, match="not identified: chains hold") as caught:
        table = bg.summary(merged(fit, 400, 0))
    assert table.attrs["refused"] == str(caught[0].message)
    assert table.attrs["n_draws_used"] == 0
    assert caught[0].filename == __file__
    assert set(table.index.str.partition("[").get_level_values(0)) == {
        "n_clusters",
        "log_lik",
        "entropy",
        "sorted_weights",
    }


def test_the_estimator_names_clusters_as_its_labels(fit):
    model = bg.BayesianGaussianMixture()
    model.fit_ = fit
    table = model.summary()
    assert table.attrs["names"] == "partition"
    rows = np.asarray(fit.data.values)
    for j in range(3):
        found = table.loc[[f"mean[{j}, x0]", f"mean[{j}, x1]"], "mean"].astype(float)
        assert_allclose(found, rows[model.labels_ == j].mean(0), atol=0.1)


def test_what_is_random_in_the_prior_has_rows(fit):
    random = np.random.default_rng(0)
    table = bg.summary(
        replace(
            fit,
            concentration=random.gamma(2.0, 1.0, (2, 400)),
            n_components=3 + random.integers(0, 3, (2, 400)),
        )
    )
    assert list(table.index[:5]) == [
        "n_clusters", "log_lik", "entropy", "concentration", "n_components"
    ]  # fmt: skip


def test_a_point_is_a_table_of_estimates():
    point = bg.fit(ROWS, bg.MixtureSpec.maximum_likelihood(3), engine=bg.EM(), seed=0)
    table = bg.summary(point)
    assert list(table.columns) == ["estimate"]
    estimates = table["estimate"]
    assert estimates["n_clusters"] == 3
    assert estimates["log_lik"] == float(point.log_likelihood)
    assert_allclose(estimates[names_of("mean")], np.ravel(point.mixture.means))
    chol = np.asarray(point.mixture.covariance.chol)
    variances = np.diagonal(chol @ np.swapaxes(chol, -1, -2), axis1=-2, axis2=-1)
    assert_allclose(estimates[names_of("sd")], np.sqrt(variances).ravel(), rtol=1e-10)
    assert_allclose(estimates[[f"weight[{j}]" for j in range(3)]].sum(), 1)


def test_one_chain_will_do(fit):
    one = jax.tree.map(lambda leaf: leaf[:1], fit.scaled)
    short = replace(fit, scaled=one, log_likelihood=fit.log_likelihood[:1], counts=fit.counts[:1])
    table = bg.summary(short)
    assert table.attrs["n_draws_used"] == 400
    assert len(table) == 6 + 15
