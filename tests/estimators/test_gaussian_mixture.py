"""GaussianMixture against scikit-learn's, number by number, and what only ours promises."""

from functools import cache

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as Reference
from tables import COVARIANCES, N_COMPONENTS, rows, start_for
from textbook import assert_mean

from bayesgmm.api import fit
from bayesgmm.engines.em import EM, RegularisationWarning
from bayesgmm.estimators.gaussian_mixture import GaussianMixture
from bayesgmm.model.spec import MixtureSpec
from bayesgmm.posterior.density import log_responsibilities
from bayesgmm.result import Fit, Outcome

every_table = pytest.mark.parametrize("name", N_COMPONENTS)
every_covariance = pytest.mark.parametrize("covariance_type", COVARIANCES)
# The structure whose programs compile fastest, for tests that need a shape of their own.
CHEAP = {"covariance_type": "spherical"}
PARAMETERS = ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_")


@cache
def pair(name, covariance_type, given):
    """Ours and the reference from the same start: given parameters, or the same seed."""
    start = start_for(name, covariance_type)._asdict() if given else {"random_state": 3}
    settings = {"covariance_type": covariance_type, **start}
    return tuple(
        estimator(N_COMPONENTS[name], **settings).fit(rows(name))
        for estimator in (GaussianMixture, Reference)
    )


def assert_relatively_close(actual, expected, rtol=1e-7):
    """Close beside the largest entry: zeros of a triangle have no relative error."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= rtol * np.abs(expected).max()


# The same numbers --------------------------------------------------------------------------------


@every_table
@every_covariance
@pytest.mark.parametrize("given", [True, False], ids=["given start", "same seed"])
def test_fitted_attributes_are_scikit_learns(name, covariance_type, given):
    ours, reference = pair(name, covariance_type, given)
    for attribute in PARAMETERS:
        value = getattr(ours, attribute)
        assert isinstance(value, np.ndarray)
        assert value.dtype == np.float64
        assert_relatively_close(value, getattr(reference, attribute))
    assert ours.converged_ is True
    assert ours.n_iter_ == reference.n_iter_
    assert_relatively_close(ours.lower_bounds_[:-1], reference.lower_bounds_[1:])


@every_table
@every_covariance
def test_answers_about_rows_are_scikit_learns(name, covariance_type):
    ours, reference = pair(name, covariance_type, given=True)
    values = rows(name)
    new = values + 0.1 * values.std(0)
    for question in ("score_samples", "score", "aic", "bic", "predict", "predict_proba"):
        for asked in (values, new):
            answer = getattr(ours, question)(asked)
            assert_relatively_close(answer, getattr(reference, question)(asked))
    assert isinstance(ours.score(new), float)
    assert isinstance(ours.bic(new), float)
    assert ours.predict(new).dtype == reference.predict(new).dtype
    assert np.array_equal(ours.fit_predict(values), reference.fit_predict(values))


@pytest.mark.parametrize("init_params", ["k-means++", "random", "random_from_data"])
def test_restarts_consume_random_numbers_as_scikit_learn_does(init_params):
    settings = {"init_params": init_params, "n_init": 3, "random_state": 7, **CHEAP}
    ours = GaussianMixture(2, **settings).fit(rows("faithful"))
    reference = Reference(2, **settings).fit(rows("faithful"))
    order, expected = ours.means_[:, 0].argsort(), reference.means_[:, 0].argsort()
    # Restarts that end in a tie may be told apart by rounding; their ends differ by the tolerance.
    assert_relatively_close(ours.means_[order], reference.means_[expected], rtol=1e-3)
    assert ours.lower_bound_ >= reference.score(rows("faithful")) - 1e-3


@pytest.mark.parametrize("given", ["weights_init", "means_init", "precisions_init"])
@every_covariance
def test_a_start_may_be_given_in_part(covariance_type, given):
    value = getattr(start_for("faithful", covariance_type), given)
    settings = {"covariance_type": covariance_type, "random_state": 0, given: value}
    ours = GaussianMixture(2, **settings).fit(rows("faithful"))
    reference = Reference(2, **settings).fit(rows("faithful"))
    for attribute in PARAMETERS:
        assert_relatively_close(getattr(ours, attribute), getattr(reference, attribute))


def test_max_iter_0_returns_the_start_without_complaint():
    start = start_for("faithful", "spherical")
    ours = GaussianMixture(2, max_iter=0, **CHEAP, **start._asdict()).fit(rows("faithful"))
    assert_relatively_close(ours.means_, start.means_init, rtol=1e-12)
    assert_relatively_close(ours.weights_, start.weights_init, rtol=1e-12)
    assert_relatively_close(ours.precisions_, start.precisions_init, rtol=1e-12)
    assert (ours.n_iter_, len(ours.lower_bounds_), ours.converged_) == (0, 0, False)
    assert_relatively_close(ours.lower_bound_, ours.score(rows("faithful")), rtol=1e-12)


# What only ours promises -------------------------------------------------------------------------


@every_table
@every_covariance
def test_the_lower_bound_belongs_to_the_returned_parameters(name, covariance_type):
    ours, _ = pair(name, covariance_type, given=False)
    assert_relatively_close(ours.lower_bound_, ours.score(rows(name)), rtol=1e-12)
    assert ours.lower_bounds_.shape == (ours.n_iter_,)
    assert ours.lower_bounds_[-1] == ours.lower_bound_


@every_table
@every_covariance
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_log_likelihood_never_falls(name, covariance_type):
    start = start_for(name, covariance_type)._asdict()
    settings = {"covariance_type": covariance_type, "reg_covar": 0, "tol": 1e-9}
    ours = GaussianMixture(N_COMPONENTS[name], **settings, **start).fit(rows(name))
    densities = ours.score_samples(rows(name))
    # Each row's density is a handful of rounded operations; their errors add up over the rows.
    rounding = 64 * np.finfo(float).eps * (1 + np.abs(densities)).sum()
    assert np.diff(ours.fit_.history["log_likelihood"]).min() > -rounding


def test_the_fit_is_kept():
    ours, _ = pair("faithful", "full", given=False)
    assert isinstance(ours.fit_, Fit)
    assert isinstance(ours.fit_.engine, EM)
    assert ours.fit_.provenance.seed == 3
    with pytest.raises(AttributeError, match="means_"):
        ours.means_ = np.zeros((2, 2))


# Types -------------------------------------------------------------------------------------------


@every_covariance
def test_float32_stays_float32(covariance_type):
    values = rows("faithful").astype(np.float32)
    ours = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(values)
    assert {getattr(ours, name).dtype for name in PARAMETERS} == {np.dtype(np.float32)}
    answers = ours.predict_proba(values), ours.score_samples(values), ours.sample(3)[0]
    assert {answer.dtype for answer in answers} == {np.dtype(np.float32)}
    double = GaussianMixture(2, covariance_type=covariance_type, random_state=0)
    double.fit(values.astype(float))
    for name in PARAMETERS:
        assert_relatively_close(getattr(ours, name), getattr(double, name), rtol=1e-6)


def test_integers_and_lists_become_float64():
    whole = np.round(10 * rows("faithful")).astype(int)
    ours = GaussianMixture(2, random_state=0).fit(whole)
    assert ours.means_.dtype == np.float64
    again = GaussianMixture(2, random_state=0).fit(whole.tolist())
    assert np.array_equal(ours.means_, again.means_)


# Warm starts, endings and draws ------------------------------------------------------------------


def test_a_warm_start_goes_on_where_the_last_fit_ended():
    whole, _ = pair("iris", "spherical", given=True)
    start = start_for("iris", "spherical")._asdict()
    parts = GaussianMixture(3, max_iter=4, warm_start=True, **CHEAP, **start)
    for part in (slice(0, 4), slice(4, 8)):
        with pytest.warns(ConvergenceWarning):
            parts.fit(rows("iris"))
        assert_relatively_close(parts.lower_bounds_, whole.lower_bounds_[part], rtol=1e-12)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_warm_start_of_single_updates_ends():
    settings = {"warm_start": True, "init_params": "random_from_data", "reg_covar": 0.1}
    ours = GaussianMixture(2, max_iter=1, random_state=0, **settings, **CHEAP)
    assert not ours.fit(rows("faithful")).converged_
    assert any(ours.fit(rows("faithful")).converged_ for _ in range(100))


def test_a_cold_start_forgets():
    ours = GaussianMixture(2, random_state=0).fit(rows("faithful"))
    first = ours.means_
    assert np.array_equal(ours.fit(rows("faithful")).means_, first)


def test_not_converging_is_warned_of_as_scikit_learn_does():
    expected = (
        "Best performing initialization did not converge. Try different init parameters, or "
        "increase max_iter, tol, or check for degenerate data. Stopped at max_iter=4"
    )
    start = start_for("iris", "spherical")._asdict() | CHEAP
    with pytest.warns(ConvergenceWarning, match=expected) as caught:
        ours = GaussianMixture(3, max_iter=4, **start).fit(rows("iris"))
    assert caught[0].filename == __file__
    assert ours.converged_ is False
    assert ours.n_iter_ == 4


def test_a_collapse_is_warned_of_and_the_last_regular_parameters_kept():
    """Two equal rows far from the others take a component to themselves."""
    values = rows("faithful").copy()
    values[:2] = [40.0, 800.0]
    start = start_for("faithful", "full")._asdict() | {"means_init": [values[5], [35.0, 700.0]]}
    ours = GaussianMixture(2, reg_covar=0, **start)
    with pytest.warns(ConvergenceWarning, match="Component 1 collapsed"):
        ours.fit(values)
    assert ours.fit_.status.outcome is Outcome.COLLAPSED
    assert not ours.converged_
    assert all(np.isfinite(getattr(ours, name)).all() for name in PARAMETERS)
    assert (np.linalg.eigvalsh(ours.covariances_) > 0).all()
    assert np.isfinite(ours.score(values))
    assert_relatively_close(ours.lower_bound_, ours.score(values), rtol=1e-9)


@every_covariance
def test_draws_have_the_moments_of_the_mixture(covariance_type):
    ours, _ = pair("iris", covariance_type, given=False)
    drawn, labels = ours.sample(20_000)
    assert drawn.shape == (20_000, 4)
    assert (np.diff(labels) >= 0).all()  # grouped by component, as scikit-learn's are
    assert_mean(labels[:, None] == np.arange(3), ours.weights_)
    assert_mean(drawn, ours.weights_ @ ours.means_)
    columns = np.arange(4)
    for k, covariance in enumerate(dense_covariances(ours)):
        offsets = drawn[labels == k] - ours.means_[k]
        assert_mean(offsets**2, np.diag(covariance))
        crossed = columns[::-1]
        assert_mean(offsets * offsets[:, crossed], covariance[columns, crossed])


def dense_covariances(ours):
    """One matrix per component, whatever the structure's shape."""
    values, (n_components, n_columns) = ours.covariances_, ours.means_.shape
    if ours.covariance_type in ("full", "tied"):
        return np.broadcast_to(values, (n_components, n_columns, n_columns))
    return [np.diag(np.broadcast_to(value, n_columns)) for value in values]


def test_an_integer_seed_repeats_draws_and_a_random_state_goes_on():
    ours, _ = pair("faithful", "full", given=False)
    assert np.array_equal(ours.sample(5)[0], ours.sample(5)[0])
    assert [len(part) for part in ours.sample()] == [1, 1]
    going = GaussianMixture(2, random_state=np.random.RandomState(0)).fit(rows("faithful"))
    assert not np.array_equal(going.sample(5)[0], going.sample(5)[0])


# Invariances -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plain():
    """Rows on a grid of 2^-10, so that an offset of 1e8 can be added exactly, and their labels."""
    values = np.round(rows("faithful") * 2**10) / 2**10
    return values, GaussianMixture(2, random_state=0).fit(values)


@every_covariance
def test_an_offset_of_1e8_changes_no_label(plain, covariance_type):
    values, _ = plain
    settings = {"covariance_type": covariance_type, "random_state": 0}
    here = GaussianMixture(2, **settings).fit(values)
    moved = values + 1e8
    assert np.array_equal(moved - 1e8, values)
    there = GaussianMixture(2, **settings).fit(moved)
    assert np.array_equal(there.predict(moved), here.predict(values))
    assert_relatively_close(there.covariances_, here.covariances_, rtol=1e-6)
    assert_relatively_close(there.score(moved), here.score(values), rtol=1e-9)


def test_a_scale_of_1e_8_changes_no_label_and_is_warned_of(plain):
    values, here = plain
    with pytest.warns(RegularisationWarning, match="reg_covar"):
        there = GaussianMixture(2, random_state=0).fit(1e-8 * values)
    assert np.array_equal(there.predict(1e-8 * values), here.predict(values))
    assert_relatively_close(1e8 * there.means_, here.means_, rtol=1e-3)


def test_the_function_underneath_is_as_blind_to_units(plain):
    values, here = plain
    spec = MixtureSpec.maximum_likelihood(2)
    for factor, offset in ((1.0, 1e8), (1e-8, 0.0), (1e8, -1e8)):
        moved = factor * values + offset
        result = fit(moved, spec, engine=EM(reg_covar=1e-6 * factor**2))
        labels = log_responsibilities(result, moved).argmax(1)
        assert np.array_equal(labels, here.predict(values))


@pytest.mark.parametrize("factor", [1e-100, 1e100])
def test_extreme_units_change_no_label(plain, factor):
    values, here = plain
    there = GaussianMixture(2, random_state=0, reg_covar=0).fit(factor * values)
    assert np.array_equal(there.predict(factor * values), here.predict(values))


def test_one_cluster_a_millionth_as_wide_as_the_data_comes_out_right():
    rng = np.random.default_rng(2)
    values = 100 * rng.normal(size=(272, 2))
    tight = 1e-4 * rng.normal(size=(100, 2)) @ np.array([[1.0, 0.5], [0.0, 1.0]]) + [50.0, -30.0]
    values[:100] = tight
    spread = np.stack([np.eye(2), 1e-4 * np.eye(2)])
    ours = GaussianMixture(
        2,
        reg_covar=0,
        weights_init=[0.4, 0.6],
        means_init=[[50.0, -30.0], [0.0, 0.0]],
        precisions_init=spread,
    ).fit(values)
    assert np.array_equal(ours.predict(values), np.arange(272) >= 100)
    # The rows themselves are rounded to 7e-15 against a width of 1e-4.
    assert_relatively_close(ours.covariances_[0], np.cov(tight.T, bias=True), rtol=1e-8)
    assert_relatively_close(ours.means_[0], tight.mean(0), rtol=1e-12)
