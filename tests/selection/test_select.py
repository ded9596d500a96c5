"""The sweep: each model is the one EM finds by itself, and the table says what became of it."""

import warnings
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from decompositions import NAMES, SKLEARN
from quick import quick_compilation, slow_after
from textbook import assert_close, assert_three_parts

import bayesgmm as bg
from bayesgmm.engines import em_grid
from bayesgmm.engines.climb import climb
from bayesgmm.selection import folds
from bayesgmm.selection.folds import fold_masks
from bayesgmm.selection.request import check_structures
from bayesgmm.selection.select import lost_restarts

NUMBERS = (1, 2, 3, 5)
FRAME = bg.datasets.iris().frame.select_dtypes("number")
TREE = {"init_params": "hierarchical", "n_init": 1}


def swept(x=FRAME, numbers=NUMBERS, structures="full", **settings):
    with quick_compilation(), warnings.catch_warnings():
        warnings.simplefilter("ignore", bg.SelectionWarning)
        return bg.select(x, numbers, structures, progress=False, **settings)


def alone(n_components, structure, x=FRAME, *, seed=0, n_init=1, start="hierarchical", **carried):
    spec = bg.MixtureSpec.maximum_likelihood(n_components, structure)
    engine = bg.EM(n_init=n_init, start=start, tol=1e-6, max_iter=1000)
    with quick_compilation():
        return bg.fit(x, spec, engine=engine, seed=seed, **carried)


@pytest.fixture(scope="module")
def four():
    return swept(structures=["full", "tied", "diag", "spherical"], **TREE)


# The models --------------------------------------------------------------------------------------


@pytest.mark.parametrize("structure", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("n_components", NUMBERS)
def test_a_model_is_that_of_em_by_itself(four, structure, n_components):
    ours, theirs = four.fits[structure, n_components], alone(n_components, structure)
    assert_close(ours.log_likelihood, theirs.log_likelihood, rtol=1e-10)
    assert_close(ours.history["log_likelihood"], theirs.history["log_likelihood"], rtol=1e-10)
    assert_close(ours.mixture.means, theirs.mixture.means, rtol=1e-6)
    assert ours.status.ok


@pytest.mark.parametrize("structure", slow_after(3, sorted({*NAMES} - {*SKLEARN})))
def test_constrained_structures_too(structure):
    found = swept(numbers=(1, 3), structures=structure, **TREE)
    expected = alone(3, structure).log_likelihood
    assert_close(found.fits[structure, 3].log_likelihood, expected, rtol=1e-8)


@pytest.mark.parametrize("start", ["k-means++", "random", "random_from_data", "annealed"])
def test_every_start_of_em_has_an_effect(start):
    found = swept(numbers=(2, 3), structures="diag", init_params=start, n_init=2)
    logs = found.fits["diag", 3].history["restart_log_likelihood"]
    assert logs.shape == (2,)
    assert np.isfinite(logs).all()


@pytest.mark.slow
def test_rows_with_missing_cells_weights_and_labels():
    rng = np.random.default_rng(0)
    x = FRAME.mask(pd.DataFrame(rng.uniform(size=FRAME.shape) < 0.1, columns=FRAME.columns))
    weights = rng.uniform(0.5, 2, len(x))
    labels = np.where(np.arange(len(x)) < 20, 0, -1)
    carried = {"sample_weight": weights, "labels": labels}
    found = swept(x, (2, 3), "diag", **TREE, **carried)
    for n_components in (2, 3):
        fit = found.fits["diag", n_components]
        expected = alone(n_components, "diag", x, **carried).log_likelihood
        assert_close(fit.log_likelihood, expected, rtol=1e-6)
        row = found.table.set_index("n_components").loc[n_components]
        ours = row[["log_likelihood", "n_parameters", "aic", "bic", "icl"]].astype(float)
        assert_close(ours, bg.information_criteria(fit), rtol=1e-9)


def test_criteria_are_those_of_the_fits(four):
    for _, row in four.table.iterrows():
        fit = four.fits[row["covariance_type"], row["n_components"]]
        ours = row[["log_likelihood", "n_parameters", "aic", "bic", "icl"]].astype(float)
        assert_close(ours, bg.information_criteria(fit), rtol=1e-9)


@pytest.mark.slow
def test_k_means_reaches_what_separate_restarts_reach():
    found = swept(numbers=(2, 3), n_init=5)
    for n_components in (2, 3):
        theirs = alone(n_components, "full", n_init=5, start="kmeans").log_likelihood
        assert found.fits["full", n_components].log_likelihood > theirs - 1e-2


@pytest.mark.slow
def test_the_best_models_of_mclust():
    """mclustBIC(iris[, 1:4]) and mclustBIC(faithful): VEV, 2, -561.7285 and EEE, 3, -2314.316."""
    iris = swept(numbers=(1, 2, 3), structures=["VEV", "VVV", "EEE"], reg_covar=0)
    assert iris.best == ("VEV", 2)
    assert_close(iris.best_.bic(FRAME), 561.7285, rtol=1e-6)
    faithful = bg.datasets.faithful().frame
    found = swept(faithful, (2, 3), ["EEE", "VVV"], reg_covar=0)
    assert found.best == ("EEE", 3)
    # mclust stops a little short of the maximum.
    assert_close(found.best_.bic(faithful), 2314.316, rtol=1e-5)


def test_a_structure_is_compiled_once():
    before = climb._cache_size()
    swept(numbers=range(1, 7), structures=["VII", "VVI"], n_init=2)
    swept(numbers=range(1, 7), structures=["VII", "VVI"], n_init=2, seed=3)
    assert climb._cache_size() - before == 2


# Cross-validation --------------------------------------------------------------------------------


@pytest.mark.slow
def test_left_out_rows_are_predicted_by_fits_without_them():
    x = FRAME.to_numpy()
    found = swept(numbers=(2, 3), structures="diag", criterion="cv", cv=3, **TREE)
    for n_components in (2, 3):
        parts = []
        for left_out in fold_masks(np.arange(len(x)), len(x), 3, seed=0):
            fit = alone(n_components, "diag", x[~left_out])
            parts.append(bg.log_density(fit, x[left_out]).sum())
        row = found.table.set_index("n_components").loc[n_components]
        assert_close(row["cv_log_likelihood"], np.sum(parts), rtol=1e-6)
        assert_close(row["cv_error"], np.sqrt(3) * np.std(parts, ddof=1), rtol=1e-5)
    assert found.best[1] == found.table["cv_log_likelihood"].idxmax() + 2


def test_folds_part_the_rows():
    masks = np.array(fold_masks(np.arange(1, 12), 12, 4, seed=1))
    assert masks.sum(0).tolist() == [0] + 11 * [1]
    assert sorted(masks.sum(1)) == [2, 3, 3, 3]


def test_a_fold_that_collapses_leaves_no_score():
    x = np.r_[np.random.default_rng(1).normal(size=24), 6, 6, 6, 6.3][:, None]
    settings = {"init_params": "random", "n_init": 2, "reg_covar": 0}
    found = swept(x, (1, 2), criterion="cv", cv=10, **settings)
    assert found.best == ("full", 1)
    last = found.table.iloc[1]
    assert np.isnan(last["cv_log_likelihood"])
    assert "Cross-validation" in last["reason"]


@pytest.mark.parametrize("start", ["kmeans", "hierarchical", "random_from_data"])
def test_folds_too_small_for_a_model_leave_no_score(start):
    x = np.random.default_rng(0).normal(size=(6, 2))
    found = swept(x, (1, 4), "EII", criterion="cv", cv=2, init_params=start, n_init=2)
    assert np.isfinite(found.table["cv_log_likelihood"].iloc[0])
    assert np.isnan(found.table["cv_log_likelihood"].iloc[1])
    assert found.best == ("EII", 1)


def test_a_fold_without_spread_leaves_no_score():
    x = np.array([[0.0], [0.0], [0.0], [0.0], [1.0]])
    found = swept(x, (1,), "EII", criterion="cv", cv=5)
    assert np.isnan(found.table["cv_log_likelihood"].iloc[0])
    with pytest.raises(ValueError, match="Cross-validation"):
        _ = found.best_


def test_an_interrupted_fold_keeps_the_models(monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(folds, "left_out_values", interrupted)
    found = swept(numbers=(1, 2), structures="EII", criterion="cv", cv=2)
    assert len(found.fits) == 2
    assert found.table["cv_log_likelihood"].isna().all()


# The result --------------------------------------------------------------------------------------


def test_the_best_model_is_an_estimator(four):
    structure, n_components = four.best
    assert four.best_.covariance_type == structure
    assert four.best_.n_components == n_components
    assert list(four.best_.feature_names_in_) == list(FRAME.columns)
    assert four.best_.predict(FRAME).max() == n_components - 1
    assert four.best_.restarts_["agreement"].tolist() == [1.0]
    assert_close(four.best_.bic(FRAME), four.table["bic"].min())
    other = four.estimator("tied", 2)
    assert other.n_components == 2
    assert other.covariances_.shape == (4, 4)
    with pytest.raises(KeyError, match="tied"):
        four.estimator("tied", 17)


def test_any_model_has_its_restarts_and_checks():
    found = swept(numbers=(2, 3), structures="diag", n_init=4)
    loser = ({2, 3} - {found.best[1]}).pop()
    table = found.estimator("VVI", loser).restarts_
    assert len(table) == 4
    assert table["agreement"].isna().all()
    assert found.best_.restarts_["agreement"].notna().all()
    assert bg.diagnose(found.best_.fit_)["passed"].all()


@pytest.mark.parametrize("max_iter", [0, 1, 3])
def test_no_restart_makes_more_updates_than_allowed(max_iter):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bg.EarlyStopWarning)
        found = swept(numbers=(1, 3), structures="diag", max_iter=max_iter, n_init=2)
    for fit in found.fits.values():
        assert fit.history["restart_n_iter"].max() <= max_iter
        assert_close(fit.history["log_likelihood"][-1], fit.log_likelihood, rtol=1e-12)


def test_the_table_has_a_row_for_each_model(four):
    assert len(four.table) == 4 * len(NUMBERS)
    assert four.table["delta"].min() == 0
    assert four.ranked["delta"].is_monotonic_increasing
    assert (four.table["status"] == "converged").all()
    tied = four.table[four.table["covariance_type"] == "tied"]
    assert_close(four.pivot()["tied"], tied["bic"])
    structure, size = four.best
    said = f"Selection(16 of 16 models fitted, by bic: {structure}, {size} components)"
    assert repr(four) == said


def test_it_is_drawn(four):
    ax = four.plot()
    assert [line.get_label() for line in ax.lines[:4]] == ["full", "tied", "diag", "spherical"]
    assert ax.get_xlabel() == "number of components"
    plt.close("all")


def test_a_fit_is_saved(four, tmp_path):
    fit = four.fits[four.best]
    bg.save(fit, tmp_path / "best.nc")
    assert_close(bg.load(tmp_path / "best.nc").log_likelihood, fit.log_likelihood)


# What goes wrong ---------------------------------------------------------------------------------


def test_more_components_than_rows_stay_in_the_table():
    x = np.random.default_rng(0).normal(size=(5, 1))
    found = swept(x, (1, 2, 9), "EII", n_init=2)
    last = found.table.iloc[-1]
    assert last["status"] == "failed"
    assert "5 distinct" in last["reason"]
    assert np.isnan(last["bic"])
    assert ("EII", 9) not in found.fits


def test_a_collapsed_model_is_shown_but_not_chosen():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(30, 2)), np.full((6, 2), 7.0)])
    found = swept(x, (1, 2, 3), "full", reg_covar=0, n_init=2)
    status = found.table["status"].tolist()
    assert status[0] == "converged"
    assert set(status[1:]) <= {"collapsed", "failed"}
    assert found.table["reason"].iloc[1:].str.contains("singular|collapsed").all()
    assert found.best == ("full", 1)


def test_without_any_fit_there_is_no_best():
    x = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]])
    found = swept(x, (1, 2), "full", reg_covar=0)
    assert not found.fits or not found.table["delta"].notna().any()
    with pytest.raises(ValueError, match=r"singular|collapsed") as caught:
        _ = found.best_
    assert_three_parts(str(caught.value), "table")


def test_an_interruption_returns_what_is_fitted(monkeypatch):
    calls = []

    def stopped_at_the_second_call(family, *arguments):
        calls.append(family.name)
        if calls.count("tied") > 1:
            raise KeyboardInterrupt
        return climb(family, *arguments)

    monkeypatch.setattr(em_grid, "climb", stopped_at_the_second_call)
    found = swept(structures=["full", "tied", "diag"], n_init=4)
    assert len(found.table) == 12
    known = ["converged", "interrupted", "failed", "not run"]
    assert found.table["status"].isin(known).all()
    assert (found.table["status"].iloc[:4] == "converged").all()
    assert (found.table["status"].iloc[4:8] == "interrupted").any()
    assert (found.table["status"].iloc[8:] == "not run").all()
    assert found.best[0] == "full"


def test_the_end_of_the_range_is_warned_of():
    with pytest.warns(bg.SelectionWarning, match="the largest tried"), quick_compilation():
        bg.select(FRAME, (1, 2), progress=False, n_init=2)


def test_a_winner_that_lost_most_restarts_is_doubted():
    best = swept(numbers=2, structures="diag", n_init=4).fits["diag", 2]

    def doubt(collapsed):
        history = {**best.history, "restart_collapsed": np.array(collapsed)}
        return lost_restarts(replace(best, history=history), "diag")

    assert doubt([-1, -1, 0, 1]) == []
    assert "3 of 4 restarts of the best model, diag with 2 components" in doubt([-1, 0, 0, 1])[0]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"n_components": 0}, ("whole numbers", "0")),
        ({"n_components": []}, ("whole numbers", "range")),
        ({"n_components": [1.5]}, ("whole numbers", "1.5")),
        ({"covariance_type": "round"}, ("covariance structure", "round")),
        ({"covariance_type": []}, ("structures", "all")),
        ({"criterion": "dic"}, ("criterion", "bic")),
        ({"cv": 1}, ("folds", "1")),
        ({"short_tol": -1}, ("short_tol", "-1")),
        ({"init_params": "guess"}, ("start", "guess")),
        ({"n_init": 0}, ("n_init", "0")),
        ({"seed": -1}, ("seed", "-1")),
        ({"cv": 151}, ("at most", "151")),
        ({"covariance_type": None}, ("structures", "all")),
        ({"init_params": np.eye(3)}, ("init_params", "ndarray")),
    ],
)
def test_bad_settings_are_refused(settings, words):
    with pytest.raises(ValueError, match="Expected") as caught:
        bg.select(FRAME, progress=False, **settings)
    assert_three_parts(str(caught.value), *words)


def test_all_is_the_fourteen_of_mclust():
    assert check_structures("all") == NAMES
    assert check_structures(["full", "VVV", "tied"]) == ("full", "tied")


def test_labels_must_fit_the_smallest_model():
    labels = np.where(np.arange(len(FRAME)) < 5, 2, -1)
    with pytest.raises(ValueError, match="n_components=2"):
        bg.select(FRAME, (2, 3), labels=labels, progress=False)


def test_rows_that_do_not_count_are_not_counted():
    x, weights = np.random.default_rng(0).normal(size=(10, 2)), np.r_[np.ones(3), np.zeros(7)]
    found = swept(x, (2, 5), "EII", sample_weight=weights, n_init=2)
    assert "3 distinct" in found.table["reason"].iloc[1]


def test_one_model_under_two_names_is_no_close_race():
    x = np.random.default_rng(0).normal(size=(40, 1))
    with warnings.catch_warnings(), quick_compilation():
        warnings.simplefilter("error", bg.SelectionWarning)
        bg.select(x, 1, ["VII", "VVI", "VVV"], progress=False)


def test_structures_that_need_more_rows_stay_in_the_table():
    x = np.random.default_rng(0).normal(size=(9, 3))
    found = swept(x, (1, 3), ["EII", "VVV"], reg_covar=0, n_init=2)
    reasons = found.table.set_index(["covariance_type", "n_components"])["reason"]
    assert "at least 12 rows" in reasons["VVV", 3]
    assert ("VVV", 3) not in found.fits
    assert ("EII", 3) in found.fits
