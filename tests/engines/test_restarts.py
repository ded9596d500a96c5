"""Restarts side by side: their agreement, their table, and what a loose tolerance leaves behind."""

import dataclasses

import jax
import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

import bayesgmm as bg
from bayesgmm.engines.em import warn_of_early_stop
from bayesgmm.engines.restarts import adjusted_rand

K = 4


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(0)
    return np.round(random.normal(size=(240, 2)) + 3 * random.integers(0, 3, (240, 1)), 3)


@pytest.fixture(scope="module")
def fit(rows):
    engine = bg.EM(n_init=6, start="random_from_data", max_iter=400)
    return bg.fit(rows, bg.MixtureSpec.maximum_likelihood(K), engine=engine, seed=1)


def test_the_index_is_scikit_learns():
    random = np.random.default_rng(2)
    labels = random.integers(0, 3, (5, 50))
    labels[3] = (labels[0] + 1) % 3
    labels[4] = 0
    members = np.eye(3)[labels]
    tables = np.einsum("bnj,nk->bjk", members, members[0])
    with jax.enable_x64(True):
        found = adjusted_rand(tables)
    expected = [adjusted_rand_score(labels[0], one) for one in labels]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_two_partitions_of_one_cluster_agree():
    with jax.enable_x64(True):
        assert adjusted_rand(np.array([[[50.0, 0.0], [0.0, 0.0]]])) == 1


def test_the_table_has_the_best_first(fit):
    table = bg.restarts(fit)
    assert list(table.columns) == [
        "log_likelihood",
        "n_iter",
        "converged",
        "collapsed",
        "agreement",
    ]
    assert table.index[0] == fit.history["best_restart"]
    assert table["log_likelihood"].is_monotonic_decreasing
    assert table["log_likelihood"].iloc[0] == fit.log_likelihood
    assert table["agreement"].iloc[0] == 1
    assert table["agreement"].between(-0.5, 1).all()
    assert table["agreement"].nunique() > 1


def test_agreement_is_that_of_the_labels(rows):
    """The first of two starts, fitted again by itself."""
    spec = bg.MixtureSpec.maximum_likelihood(K)
    weights = np.random.default_rng(3).integers(1, 4, len(rows))
    engine = bg.EM(n_init=2, start="random_from_data", max_iter=400, tol=1e-8)
    both = bg.fit(rows, spec, engine=engine, seed=5, sample_weight=weights)
    table = bg.restarts(both)
    other = bg.EM(start="random_from_data", max_iter=400, tol=1e-8)
    alone = bg.fit(rows, spec, engine=other, seed=5, sample_weight=weights)
    ours, theirs = (one.allocations()[0, 0] for one in (both, alone))
    expected = adjusted_rand_score(ours, theirs)
    assert table.loc[0, "agreement"] == pytest.approx(expected, abs=1e-9)


def test_small_weights_leave_the_index_as_it_is(rows):
    spec = bg.MixtureSpec.maximum_likelihood(K)
    engine = bg.EM(n_init=3, start="random_from_data", max_iter=50)
    one, other = (
        bg.restarts(bg.fit(rows, spec, engine=engine, sample_weight=np.full(len(rows), w)))
        for w in (1.0, 1 / len(rows))
    )
    np.testing.assert_allclose(one["agreement"], other["agreement"], atol=1e-9)


def test_with_a_prior_the_one_that_was_kept_comes_first(rows):
    engine = bg.EM(n_init=6, start="random_from_data", max_iter=300)
    for seed in range(3):
        fit = bg.fit(rows, bg.MixtureSpec(K), engine=engine, seed=seed)
        table = bg.restarts(fit)
        assert table.index[0] == fit.history["best_restart"]
        assert table["agreement"].iloc[0] == 1
        assert table["log_likelihood"].iloc[1:].is_monotonic_decreasing


def test_samplers_have_no_restarts():
    fit = bg.fit(np.random.default_rng(0).normal(size=(20, 1)), bg.MixtureSpec(1), engine=bg.EM())
    drawn = dataclasses.replace(fit, engine=bg.Gibbs(), kind="posterior", history={})
    with pytest.raises(ValueError, match="Expected a fit by EM, got one by Gibbs"):
        bg.restarts(drawn)


def test_a_tolerance_met_on_a_slow_climb_is_warned_of():
    """Two overlapping halves of 20,000 rows: EM creeps, and 1e-3 a row is 20 in all."""
    rows = np.random.default_rng(0).normal(np.repeat([[0.0], [2.0]], 10_000, 0))
    spec = bg.MixtureSpec.maximum_likelihood(2)
    with pytest.warns(bg.EarlyStopWarning, match=r"still to be gained, .* Lower tol"):
        early = bg.fit(rows, spec, engine=bg.EM(tol=1e-3))
    late = bg.fit(rows, spec, engine=bg.EM(tol=1e-9, max_iter=5_000))
    gained = float(late.log_likelihood - early.log_likelihood)
    assert gained > 5
    assert late.history["remaining_gain"] < 0.01
    # An extrapolation from the first steps: its size, not its digits.
    assert gained / 10 < early.history["remaining_gain"]


def test_steps_that_do_not_shrink_leave_an_unknown_amount(fit):
    unknown = dataclasses.replace(fit, history={**fit.history, "remaining_gain": np.inf})
    with pytest.warns(bg.EarlyStopWarning, match=r"an unknown amount \(its steps do not shrink\)"):
        warn_of_early_stop(unknown)


def test_the_estimator_has_the_table(rows):
    model = bg.GaussianMixture(2, n_init=3, random_state=0).fit(rows)
    assert len(model.restarts_) == 3
