"""Rows with missing cells: EM written out row by row, predictions, and what is turned away."""

from typing import NamedTuple

import jax
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import textbook as tb
from textbook import STRUCTURES, assert_close

import bayesgmm as bg
from bayesgmm.data.dataset import Dataset
from bayesgmm.model.kernel import PRODUCT, expectation, pass_in
from bayesgmm.numerics.rows import chunk_patterns, chunk_rows, pattern_length

matplotlib.use("Agg")

N, D, K = 90, 3, 2
RIDGE = 1e-5
every_structure = pytest.mark.parametrize("structure", STRUCTURES, ids=lambda one: one.name)


@pytest.fixture(scope="module")
def complete():
    random = np.random.default_rng(0)
    rows = random.normal(size=(N, D)) @ random.normal(size=(D, D))
    return 1e3 + rows + 4 * random.integers(0, K, (N, 1))


@pytest.fixture(scope="module")
def rows(complete):
    """Three cells in ten are missing, in no row all of them."""
    missing = np.random.default_rng(1).random((N, D)) < 0.3
    missing[missing.all(1), 0] = False
    return np.where(missing, np.nan, complete)


class Expected(NamedTuple):
    """What a row's observed cells say of it, component by component."""

    log_joint: np.ndarray
    means: np.ndarray
    squares: np.ndarray


def by_hand(parameters, row):
    """Little & Rubin (2019), section 11.2, for one row: conditional moments of its missing cells."""
    there = ~np.isnan(row)
    log_joint, means, squares = [], [], []
    for weight, mean, matrix in zip(*parameters, strict=True):
        inner, cross = matrix[np.ix_(there, there)], matrix[np.ix_(~there, there)]
        away = row[there] - mean[there]
        _, log_det = np.linalg.slogdet(2 * np.pi * inner)
        log_joint.append(np.log(weight) - (log_det + away @ np.linalg.solve(inner, away)) / 2)
        slope = cross @ np.linalg.inv(inner)
        filled, left = row.copy(), np.zeros((D, D))
        filled[~there] = mean[~there] + slope @ away
        left[np.ix_(~there, ~there)] = matrix[np.ix_(~there, ~there)] - slope @ cross.T
        means.append(filled)
        squares.append(np.outer(filled - mean, filled - mean) + left)
    return Expected(np.array(log_joint), np.array(means), np.array(squares))


def step_by_hand(structure, parameters, rows, weights=None, labels=None):
    """One EM step; returns the log-likelihood before it and the parameters after it."""
    weights = np.ones(N) if weights is None else weights
    found = [by_hand(parameters, row) for row in rows]
    joint = np.array([one.log_joint for one in found])
    if labels is not None:
        joint = np.where((labels[:, None] < 0) | (labels[:, None] == np.arange(K)), joint, -np.inf)
    log_density = np.logaddexp.reduce(joint, 1)
    r = np.exp(joint - log_density[:, None]) * weights[:, None]
    counts = r.sum(0)
    means = np.einsum("nk,nkd->kd", r, [one.means for one in found]) / counts[:, None]
    shift = means - parameters.means
    scatter = np.einsum("nk,nkij->kij", r, [one.squares for one in found])
    scatter -= counts[:, None, None] * np.einsum("ki,kj->kij", shift, shift)
    matrices = structure.estimate(counts, scatter) + RIDGE * np.eye(D)
    return weights @ log_density, tb.Parameters(counts / counts.sum(), means, matrices)


def start_of(structure, complete):
    random = np.random.default_rng(3)
    start = tb.random_parameters(random, structure, K, D)
    return start._replace(means=complete[random.choice(N, K, replace=False)])


def fitted(structure, rows, start, n_updates=4, **marks):
    given = bg.Mixture(np.log(start.weights), start.means, structure.record(start.matrices))
    engine = bg.EM(start=given, max_iter=n_updates, tol=0, reg_covar=RIDGE)
    spec = bg.MixtureSpec.maximum_likelihood(K, structure.name)
    return bg.fit(rows, spec, engine=engine, **marks)


MARKS = {
    "plain": {},
    "weights": {"sample_weight": np.random.default_rng(5).integers(0, 3, N).astype(float)},
    "labels": {"labels": np.where(np.arange(N) % 5 == 0, np.arange(N) % K, -1)},
}


@every_structure
@pytest.mark.parametrize("marks", MARKS.values(), ids=MARKS)
def test_it_is_em_written_out(structure, marks, complete, rows):
    parameters = start_of(structure, complete)
    fit = fitted(structure, rows, parameters, **marks)
    climbed = []
    for _ in range(4):
        total, parameters = step_by_hand(
            structure, parameters, rows, marks.get("sample_weight"), marks.get("labels")
        )
        climbed.append(total)
    np.testing.assert_allclose(fit.history["log_likelihood"][:4], climbed, rtol=1e-8)
    assert_close(fit.mixture.means, parameters.means, rtol=1e-8)
    ours = tb.parameters_of(structure, fit.mixture)
    assert_close(
        ours.matrices, np.broadcast_to(parameters.matrices, (K, D, D)), rtol=1e-7, atol=1e-8
    )


@every_structure
def test_where_nothing_is_missing_it_is_the_plain_pass(structure, complete):
    with jax.enable_x64(True):
        parameters = tb.random_parameters(np.random.default_rng(3), structure, K, D)
        mixture = jax.tree.map(lambda leaf: leaf[None], tb.mixture_of(structure, parameters))
        plain = chunk_rows(complete - 1e3, 32)
        whole = plain._replace(observed=np.ones((len(plain.values), D), bool))
        expected = pass_in(PRODUCT, structure.family, mixture, plain)
        found = expectation(structure.family, mixture, whole)
        jax.tree.map(lambda a, b: assert_close(a, b, rtol=1e-10), found, expected)


def test_the_likelihood_never_falls(rows):
    for name in ("full", "tied", "diag", "spherical"):
        spec = bg.MixtureSpec.maximum_likelihood(K, name)
        fit = bg.fit(rows, spec, engine=bg.EM(max_iter=60, tol=0, reg_covar=0))
        assert np.diff(fit.history["log_likelihood"]).min() > -1e-9


@pytest.mark.slow
def test_with_a_prior_the_density_climbs(rows):
    fit = bg.fit(rows, bg.MixtureSpec(K), engine=bg.EM(max_iter=200, tol=1e-10))
    assert fit.status.ok


# Rows by pattern ---------------------------------------------------------------------------------


def test_every_row_is_in_one_chunk_with_its_pattern(rows):
    weights, labels = np.arange(1.0, N + 1), np.arange(N) % 3 - 1
    cut = chunk_patterns(rows, 64, weights, labels)
    there = np.asarray(cut.weights) > 0
    found = np.asarray(cut.values).swapaxes(1, 2)[there]
    observed = np.repeat(cut.observed[:, None], there.shape[1], 1)[there]
    order = np.argsort(np.asarray(cut.weights)[there])
    np.testing.assert_array_equal(np.asarray(cut.weights)[there][order], weights)
    np.testing.assert_array_equal(np.where(observed, found, np.nan)[order], rows)
    np.testing.assert_array_equal(np.asarray(cut.labels)[there][order], labels)


def test_the_chunk_length_suits_the_patterns():
    assert pattern_length(np.array([100_000]), 16_384) >= 4096
    assert pattern_length(np.full(500, 20), 16_384) <= 32


# Using the fit -----------------------------------------------------------------------------------


@every_structure
def test_predictions_use_the_cells_that_are_there(structure, complete, rows):
    start = start_of(structure, complete)
    fit = fitted(structure, rows, start)
    parameters = tb.parameters_of(structure, fit.mixture)
    joint = np.array([by_hand(parameters, row).log_joint for row in rows])
    log_density = np.logaddexp.reduce(joint, 1)
    assert_close(bg.log_density(fit, rows), log_density, rtol=1e-8)
    assert_close(bg.pointwise_log_likelihood(fit), log_density, rtol=1e-8)
    assert_close(log_density.sum(), fit.log_likelihood, rtol=1e-9)
    np.testing.assert_array_equal(fit.allocations()[0, 0], joint.argmax(1))
    criteria = bg.information_criteria(fit)
    assert criteria.log_likelihood == pytest.approx(float(fit.log_likelihood), rel=1e-9)


def test_the_estimator_takes_and_fills_them(rows):
    model = bg.GaussianMixture(K, random_state=0).fit(rows)
    assert model.predict_proba(rows).sum(1) == pytest.approx(np.ones(N))
    np.testing.assert_array_equal(model.fit_predict(rows), model.predict(rows))
    filled = model.impute(rows).values
    assert np.isfinite(filled).all()
    np.testing.assert_array_equal(filled[~np.isnan(rows)], rows[~np.isnan(rows)])
    frame = pd.DataFrame(rows, columns=list("abc"))
    named = bg.GaussianMixture(K, random_state=0).fit(frame)
    assert_close(named.means_, model.means_)


def test_checks_files_and_trees_take_them(rows, tmp_path):
    fit = bg.fit(rows, bg.MixtureSpec.maximum_likelihood(K))
    table = bg.diagnose(fit)
    assert table["value"].notna().all()
    bg.save(fit, tmp_path / "fit.nc")
    again = bg.load(tmp_path / "fit.nc")
    np.testing.assert_array_equal(again.data.values, rows)
    assert_close(bg.log_density(again, rows), bg.log_density(fit, rows))


def test_masked_cells_of_iris_are_filled_better_than_by_column_means():
    """One cell in ten of each column; root mean square error in units of the column's spread."""
    truth = bg.datasets.iris().frame.to_numpy()
    spread = truth.std(0)
    missing = np.random.default_rng(7).random(truth.shape) < 0.1
    missing[missing.all(1), 0] = False
    rows = np.where(missing, np.nan, truth)
    spec = bg.MixtureSpec.maximum_likelihood(3)
    fit = bg.fit(rows, spec, engine=bg.EM(n_init=5, tol=1e-6, max_iter=500))
    ours = bg.impute(fit, rows).values
    means = np.broadcast_to(np.nanmean(rows, 0), truth.shape)
    ours, theirs = (
        np.sqrt((((one - truth) / spread)[missing] ** 2).mean()) for one in (ours, means)
    )
    assert theirs / ours > 1.8


@pytest.mark.parametrize(
    "start", ["kmeans", "k-means++", "random_from_data", "hierarchical", "annealed"]
)
def test_clusters_are_found_from_any_start(start):
    truth = np.repeat([0, 1, 2], 60)
    random = np.random.default_rng(2)
    rows = random.normal(np.array([[0.0, 0.0, 0], [12, 0, 5], [0, 12, 9]])[truth])
    missing = random.random(rows.shape) < 0.3
    missing[missing.all(1), 0] = False
    fit = bg.fit(
        np.where(missing, np.nan, rows),
        bg.MixtureSpec.maximum_likelihood(3),
        engine=bg.EM(start=start, n_init=8, max_iter=500),
        seed=1,
    )
    found = fit.mixture.means[np.argsort(fit.mixture.means @ [1, 2, 0])]
    np.testing.assert_allclose(found, [[0, 0, 0], [12, 0, 5], [0, 12, 9]], atol=1)


# Bad input ---------------------------------------------------------------------------------------


def test_a_column_that_all_rows_miss_is_named():
    rows = np.array([[1.0, np.nan], [2.0, np.nan], [3.0, np.nan]])
    with pytest.raises(ValueError, match=r"in every column, got none in \['b'\].* Drop the column"):
        Dataset.from_array(pd.DataFrame(rows, columns=["a", "b"]))


def test_a_row_without_a_cell_is_named():
    rows = np.array([[1.0, 2.0], [np.nan, np.nan], [3.0, 1.0]])
    with pytest.raises(ValueError, match="in every row, got none in 1 of them, the first row 1"):
        Dataset.from_array(rows)


def test_a_new_row_without_a_cell_is_named(rows):
    fit = bg.fit(rows, bg.MixtureSpec.maximum_likelihood(K))
    with pytest.raises(ValueError, match="some observed cell in every row, got none in row 1"):
        bg.log_density(fit, [[1.0, 2.0, 3.0], [np.nan] * 3])


def test_rows_without_a_whole_one_have_no_predictive_check():
    random = np.random.default_rng(0)
    rows = random.normal(size=(60, 2))
    rows[np.arange(60), np.arange(60) % 2] = np.nan
    fit = bg.fit(rows, bg.MixtureSpec.maximum_likelihood(1, "diag"))
    with pytest.raises(ValueError, match="Expected rows without missing cells, got none"):
        bg.predictive_check(fit)


@pytest.mark.parametrize("n_rows", [10, 15, 16])
def test_few_rows_will_do(complete, n_rows):
    rows = complete[:n_rows].copy()
    rows[3, 1] = np.nan
    fit = bg.fit(rows, bg.MixtureSpec.maximum_likelihood(1))
    assert np.isfinite(fit.log_likelihood)


def test_anomaly_scores_compare_the_cells_that_are_there(complete, rows):
    """Uniform on rows of the model whatever is missing: the mean of 4,000 is 0.5 to 5 errors."""
    model = bg.GaussianMixture(K, random_state=0).fit(complete)
    drawn, _ = model.sample(4000)
    masked = np.where(np.arange(4000)[:, None] % 3 == np.arange(D), np.nan, drawn)
    masked[::5] = drawn[::5]
    scores = bg.anomaly_score(model.fit_, masked)
    assert abs(scores.mean() - 0.5) < 5 / np.sqrt(12 * 4000)
    assert abs((scores < 0.05).mean() - 0.05) < 5 * np.sqrt(0.05 * 0.95 / 4000)


@pytest.mark.slow
def test_the_prior_expects_rows_with_missing_cells(rows):
    assert (bg.prior_predictive_check(bg.MixtureSpec(), rows)["p_value"] > 0.05).all()


@pytest.mark.parametrize("kind", ["density", "pairs", "distances"])
def test_pictures_take_them(rows, kind):
    fit = bg.fit(rows, bg.MixtureSpec.maximum_likelihood(K))
    assert np.ravel(bg.plots.ppc(fit, kind, columns=[0, 1] if kind == "pairs" else None)).size
    assert bg.plots.clusters(fit, columns=["x0"])
    plt.close("all")
