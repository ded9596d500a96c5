"""Weighted and partly labelled rows: repeated rows, class moments, and EM written out."""

import numpy as np
import pytest
import textbook as tb
from quick import slow_after
from sklearn.mixture import GaussianMixture
from textbook import STRUCTURES, assert_close

import bayesgmm as bg
from bayesgmm.engines.starts import NAMES

N, D, K = 60, 2, 3
RIDGE = 1e-4
every_structure = pytest.mark.parametrize("structure", STRUCTURES, ids=lambda one: one.name)


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(3)
    return random.normal(size=(N, D)) + 3 * random.integers(0, K, (N, 1))


@pytest.fixture(scope="module")
def table():
    return np.random.default_rng(4).dirichlet(np.ones(K), N)


def fitted(structure, rows, start, *, n_updates=7, spec=None, **marks):
    spec = spec or bg.MixtureSpec.maximum_likelihood(K, structure.name)
    engine = bg.EM(start=start, tol=0, max_iter=n_updates, reg_covar=RIDGE)
    return bg.fit(rows, spec, engine=engine, **marks)


def assert_same(one, other):
    assert_close(one.log_likelihood, other.log_likelihood)
    assert_close(one.mixture.log_weights, other.mixture.log_weights)
    assert_close(one.mixture.means, other.mixture.means)
    assert_close(one.mixture.covariance[0], other.mixture.covariance[0])


# Weights -----------------------------------------------------------------------------------------


@every_structure
def test_whole_weights_are_repeated_rows(structure, rows, table):
    weights = np.random.default_rng(5).integers(0, 4, N)
    weighted = fitted(structure, rows, table, sample_weight=weights)
    repeated = fitted(structure, np.repeat(rows, weights, 0), np.repeat(table, weights, 0))
    assert_same(weighted, repeated)
    ours, theirs = bg.information_criteria(weighted), bg.information_criteria(repeated)
    assert_close(ours, theirs)


@pytest.mark.parametrize("structure", slow_after(1, STRUCTURES, lambda one: one.name))
def test_with_a_prior_too(structure, rows, table):
    weights = np.random.default_rng(5).integers(1, 4, N)
    spec = bg.MixtureSpec(K, covariance=structure.name, weights=bg.Dirichlet(2.0))
    weighted = fitted(structure, rows, table, spec=spec, sample_weight=weights)
    repeated = fitted(
        structure, np.repeat(rows, weights, 0), np.repeat(table, weights, 0), spec=spec
    )
    assert_same(weighted, repeated)


def test_a_common_factor_changes_the_likelihood_only(rows, table):
    one, many = (
        fitted(STRUCTURES[0], rows, table, sample_weight=np.full(N, c)) for c in (1.0, 7.5)
    )
    assert_close(one.mixture.means, many.mixture.means)
    assert_close(7.5 * one.log_likelihood, many.log_likelihood)


@pytest.mark.parametrize("value", [1e6, 1e20, 1e200])
@pytest.mark.parametrize("spec", [bg.MixtureSpec.maximum_likelihood(K), bg.MixtureSpec(K)])
def test_values_that_count_nothing_change_nothing(rows, table, value, spec):
    """The first row holds a filler: neither units nor prior nor start hear of it."""
    filled = np.concatenate([np.full((1, D), value), rows])
    weights = np.concatenate([[0.0], np.ones(N)])
    engine = bg.EM(max_iter=300, tol=1e-10)
    ours = bg.fit(filled, spec, engine=engine, sample_weight=weights)
    theirs = bg.fit(rows, spec, engine=engine)
    assert_close(ours.log_likelihood, theirs.log_likelihood, rtol=1e-6)
    assert str(ours.model).splitlines()[3:] == str(theirs.model).splitlines()[3:]


def test_medians_are_those_of_repeated_rows(rows):
    weights = np.random.default_rng(5).integers(0, 4, N)
    data = bg.Dataset.from_array(rows, weights=weights)
    np.testing.assert_array_equal(data.medians(), np.median(np.repeat(rows, weights, 0), 0))


@pytest.mark.parametrize("start", NAMES)
def test_rows_that_count_nothing_are_not_there(rows, start):
    """Far away, they would draw any start and any component to them."""
    far = np.concatenate([rows, np.full((5, D), 1e6)])
    weights = np.concatenate([np.ones(N), np.zeros(5)])
    fit = bg.fit(
        far,
        bg.MixtureSpec.maximum_likelihood(K),
        engine=bg.EM(start=start, n_init=3, max_iter=500, tol=1e-7),
        sample_weight=weights,
    )
    assert np.abs(fit.mixture.means).max() < 20


def test_the_estimator_weighs_rows_and_scores(rows):
    weights = np.random.default_rng(5).integers(0, 4, N)
    repeated = np.repeat(rows, weights, 0)
    ours = bg.GaussianMixture(random_state=0).fit(rows, sample_weight=weights)
    theirs = GaussianMixture(random_state=0).fit(repeated)
    assert_close(ours.means_, theirs.means_)
    assert_close(ours.covariances_, theirs.covariances_)
    assert ours.score(rows, sample_weight=weights) == pytest.approx(theirs.score(repeated))
    assert ours.lower_bound_ == pytest.approx(theirs.score(repeated))
    for name in ("aic", "bic"):
        expected = getattr(theirs, name)(repeated)
        assert getattr(ours, name)(rows, weights) == pytest.approx(expected)


# Known labels ------------------------------------------------------------------------------------


@every_structure
def test_where_all_labels_are_known_classes_have_their_moments(structure, rows):
    labels = np.arange(N) % K
    fit = fitted(structure, rows, "kmeans", labels=labels)
    counts, means, scatter = tb.moments(np.eye(K)[labels], rows)
    parameters = tb.parameters_of(structure, fit.mixture)
    assert_close(parameters.weights, counts / N)
    assert_close(parameters.means, means)
    matrices = structure.estimate(counts, scatter) + RIDGE * np.eye(D)
    assert_close(parameters.matrices, np.broadcast_to(matrices, (K, D, D)))


@pytest.mark.parametrize("structure", STRUCTURES[:1], ids=lambda one: one.name)
def test_where_some_are_known_it_is_em_with_those_rows_clamped(structure, rows, table):
    labels = np.where(np.arange(N) % 4 == 0, np.arange(N) % K, -1)
    known = labels >= 0
    fit = fitted(structure, rows, table, n_updates=5, labels=labels)
    r = table
    for _ in range(6):
        weights = r.sum(0) / N
        means = r.T @ rows / r.sum(0)[:, None]
        away = rows[:, None] - means
        matrices = np.einsum("nk,nki,nkj->kij", r, away, away) / r.sum(0)[:, None, None]
        parameters = tb.Parameters(weights, means, matrices + RIDGE * np.eye(D))
        joint = tb.log_joint(parameters, rows)
        log_likelihood = np.where(
            known,
            np.take_along_axis(joint, np.maximum(labels, 0)[:, None], 1)[:, 0],
            np.logaddexp.reduce(joint, 1),
        ).sum()
        r = np.where(known[:, None], np.eye(K)[labels], tb.responsibilities(parameters, rows))
    assert_close(fit.mixture.means, means, rtol=1e-9)
    assert_close(fit.log_likelihood, log_likelihood, rtol=1e-9)


@pytest.mark.parametrize("start", NAMES)
def test_components_are_named_by_the_known_rows(start):
    """Three far clusters whose names are given by two rows each, against the order of k-means."""
    truth = np.repeat([2, 0, 1], 30)
    rows = np.random.default_rng(1).normal(np.array([[0.0], [20.0], [40.0]])[truth])
    labels = np.full(90, -1)
    labels[[0, 1, 30, 31, 60, 61]] = truth[[0, 1, 30, 31, 60, 61]]
    fit = bg.fit(
        rows,
        bg.MixtureSpec.maximum_likelihood(3),
        engine=bg.EM(start=start, n_init=5, max_iter=500),
        labels=labels,
        seed=3,
    )
    np.testing.assert_allclose(fit.mixture.means[:, 0], [0, 20, 40], atol=1)


def test_the_estimator_takes_labels_that_say_what_is_unknown(rows):
    labels = np.where(np.arange(N) % 4 == 0, np.arange(N) % K, -1)
    model = bg.GaussianMixture(K, random_state=0)
    found = model.fit_predict(rows, labels)
    np.testing.assert_array_equal(found[labels >= 0], labels[labels >= 0])
    outliers = np.where(np.arange(N) % 9 == 0, -1, 1)
    for no_knowledge in (np.arange(N) % K, labels.astype(float), outliers):
        assert model.fit(rows, no_knowledge).fit_.data.labels is None


def test_a_label_beyond_the_components_is_refused(rows):
    labels = np.full(N, -1)
    labels[7] = K
    with pytest.raises(
        ValueError, match=r"known labels in 0, \.\.\., 2 for n_components=3, got 3 in row 7"
    ):
        fitted(STRUCTURES[0], rows, "kmeans", labels=labels)


# Both --------------------------------------------------------------------------------------------


def test_a_dataset_carries_its_own(rows):
    data = bg.Dataset.from_array(rows, weights=np.ones(N))
    with pytest.raises(ValueError, match="within the Dataset"):
        bg.fit(data, bg.MixtureSpec.maximum_likelihood(2), sample_weight=np.ones(N))


def test_a_file_keeps_both(rows, table, tmp_path):
    labels = np.where(np.arange(N) % 4 == 0, np.arange(N) % K, -1)
    weights = np.arange(N) / 10
    fit = fitted(STRUCTURES[0], rows, table, sample_weight=weights, labels=labels)
    bg.save(fit, tmp_path / "fit.nc")
    again = bg.load(tmp_path / "fit.nc")
    np.testing.assert_array_equal(again.data.weights, weights)
    np.testing.assert_array_equal(again.data.labels, labels)
