"""GaussianMixture among scikit-learn's other parts: its own checks, clones, pipelines, searches."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.mixture import GaussianMixture as Reference
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_param_validation,
    parametrize_with_checks,
)
from tables import rows

from bayesgmm import datasets
from bayesgmm.estimators.gaussian_mixture import GaussianMixture


@parametrize_with_checks([GaussianMixture()])
@pytest.mark.filterwarnings("ignore::bayesgmm.DataWarning")
def test_scikit_learns_checks_pass(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning")
@pytest.mark.filterwarnings("ignore:X has feature names:UserWarning")
def test_column_names_are_kept_and_compared():
    check_dataframe_column_names_consistency("GaussianMixture", GaussianMixture())


def test_parameters_are_validated():
    check_param_validation("GaussianMixture", GaussianMixture())


def test_parameters_and_defaults_are_scikit_learns():
    """And one more, off by default."""
    assert GaussianMixture().get_params() == Reference().get_params() | {"checkpoint": None}


def test_public_attributes_and_methods_of_scikit_learns_are_there():
    ours, reference = fitted(), Reference(2).fit(rows("faithful"))
    public = {name for name in dir(reference) if not name.startswith("_")}
    assert public <= set(dir(ours))
    assert all(getattr(ours, name) is not None for name in public if name.endswith("_"))


def fitted(**settings):
    return GaussianMixture(2, random_state=0, **settings).fit(rows("faithful"))


def test_a_pickled_fit_answers_alike():
    ours = fitted()
    copied = pickle.loads(pickle.dumps(ours))
    for question in ("predict", "predict_proba", "score_samples"):
        expected = getattr(ours, question)(rows("faithful"))
        assert np.array_equal(getattr(copied, question)(rows("faithful")), expected)
    assert np.array_equal(copied.sample(4)[0], ours.sample(4)[0])
    assert copied.fit_.status == ours.fit_.status


def test_a_clone_has_the_parameters_and_no_fit():
    ours = fitted(tol=1e-4)
    copied = clone(ours)
    assert copied.get_params() == ours.get_params()
    assert not hasattr(copied, "fit_")
    assert not hasattr(copied, "means_")
    assert np.array_equal(copied.fit(rows("faithful")).means_, ours.means_)


def test_starts_given_by_the_user_are_left_as_they_are():
    start = {"weights_init": [0.5, 0.5], "means_init": [[2.0, 50.0], [4.0, 80.0]]}
    ours = fitted(**start)
    assert {name: ours.get_params()[name] for name in start} == start


def test_it_ends_a_pipeline():
    pipeline = make_pipeline(StandardScaler(), GaussianMixture(2, random_state=0))
    labels = pipeline.fit_predict(rows("faithful"))
    expected = make_pipeline(StandardScaler(), Reference(2, random_state=0))
    assert np.array_equal(labels, expected.fit_predict(rows("faithful")))
    assert pipeline.score(rows("faithful")) == pytest.approx(expected.score(rows("faithful")))


def test_a_grid_search_over_the_score_chooses_as_with_scikit_learns():
    grid = {"n_components": [1, 2]}

    def search(estimator):
        rng = np.random.default_rng(0).permutation(272)
        settings = {"cv": 2, "error_score": "raise"}
        return GridSearchCV(estimator, grid, **settings).fit(rows("faithful")[rng])

    settings = {"random_state": 0, "covariance_type": "spherical"}
    ours, expected = search(GaussianMixture(**settings)), search(Reference(**settings))
    assert ours.best_params_ == expected.best_params_ == {"n_components": 2}
    scores, other = ours.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"]
    np.testing.assert_allclose(scores, other, rtol=1e-9)


@pytest.mark.parametrize(
    "convert", [pd.DataFrame, pl.from_pandas, None], ids=["pandas", "polars", "-"]
)
def test_names_of_frames_are_kept(convert):
    frame = datasets.faithful().frame
    table = frame.to_numpy() if convert is None else convert(frame)
    ours = GaussianMixture(2, random_state=0).fit(table)
    # Another order of the table in memory may round sums differently.
    np.testing.assert_allclose(ours.means_, fitted().means_, rtol=1e-12)
    assert ours.n_features_in_ == 2
    assert hasattr(ours, "feature_names_in_") == (convert is not None)
    if convert is not None:
        assert list(ours.feature_names_in_) == ["eruptions", "waiting"]
        assert ours.fit_.data.names == ("eruptions", "waiting")
        with pytest.raises(ValueError, match="feature names should match"):
            ours.predict(table[["waiting", "eruptions"]])
        with pytest.warns(UserWarning, match="does not have valid feature names"):
            ours.predict(rows("faithful"))


def test_it_shows_itself_in_a_notebook():
    page = fitted()._repr_html_()
    assert "GaussianMixture" in page
    assert "covariances_" in page
    assert repr(fitted()) == "GaussianMixture(n_components=2, random_state=0)"


# verbose -----------------------------------------------------------------------------------------


def said(capsys, **settings):
    start = {"init_params": "random", "covariance_type": "spherical", "tol": 1e-5}
    ours = GaussianMixture(2, n_init=3, random_state=0, **start, **settings)
    ours.fit(rows("faithful"))
    return ours, capsys.readouterr().out.splitlines()


def test_verbose_0_says_nothing(capsys):
    assert said(capsys)[1] == []


def test_verbose_1_tells_restarts_and_every_few_updates(capsys):
    ours, lines = said(capsys, verbose=1, verbose_interval=5)
    expected = []
    for restart, n_iter in enumerate(ours.fit_.history["restart_n_iter"]):
        expected.append(f"Initialization {restart}")
        expected += [f"  Iteration {update}" for update in range(5, n_iter + 1, 5)]
        expected.append("Initialization converged.")
    assert lines == expected
    assert any("Iteration 5" in line for line in lines)


def test_verbose_2_tells_log_likelihoods_too(capsys):
    ours, lines = said(capsys, verbose=2, verbose_interval=1)
    gains = np.diff(ours.fit_.history["log_likelihood"]) / 272
    told = [float(line.split()[-1]) for line in lines if "ll change" in line]
    np.testing.assert_allclose(told, gains, atol=1e-5)
    ends = [line for line in lines if "lower bound" in line]
    assert len(ends) == 3
    assert any(f"lower bound {ours.lower_bound_:.5f}" in line for line in ends)
