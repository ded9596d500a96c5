"""The bootstrap likelihood-ratio test: statistics, levels, and what is refused."""

import types
import warnings

import numpy as np
import pytest
from quick import quick_compilation
from scipy import stats
from textbook import assert_close, assert_three_parts

import bayesgmm as bg
from bayesgmm.selection import bootstrap


def lrt_of(x, numbers, structure="spherical", **settings):
    with quick_compilation(), warnings.catch_warnings():
        warnings.simplefilter("ignore", bg.DataWarning)
        return bg.bootstrap_lrt(x, numbers, structure, progress=False, **settings)


def two_blobs():
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 2)) + 6.0 * np.repeat([0, 1], 30)[:, None]


@pytest.mark.slow
def test_two_clusters_are_found():
    found = lrt_of(two_blobs(), range(1, 5), n_bootstrap=39, n_init=2)
    assert found.n_components == 2
    assert list(found.table.index) == [1, 2]
    assert found.table["p_value"].iloc[0] == 1 / 40
    assert found.table["p_value"].iloc[1] > 0.05
    assert found.bootstrap[2].shape == (39,)
    assert repr(found) == "LikelihoodRatioTest(K = 1, 2: 2 not rejected)"


def test_the_statistic_is_twice_the_difference_of_log_likelihoods():
    x = two_blobs()
    found = lrt_of(x, 1, n_bootstrap=19, n_init=1, init_params="hierarchical")
    logs = []
    for n_components in (1, 2):
        spec = bg.MixtureSpec.maximum_likelihood(n_components, "spherical")
        engine = bg.EM(start="hierarchical", tol=1e-6, max_iter=1000)
        logs.append(bg.fit(x, spec, engine=engine).log_likelihood)
    assert_close(found.table["statistic"].iloc[0], 2 * (logs[1] - logs[0]), rtol=1e-8)
    larger = (found.bootstrap[1] >= found.table["statistic"].iloc[0]).sum()
    assert found.table["p_value"].iloc[0] == (1 + larger) / 20


@pytest.mark.parametrize(
    ("name", "structure", "statistic"),
    [("faithful", "VVV", 319.065353532), ("iris", "EEE", 166.93411070)],
)
def test_statistics_of_mclust(name, structure, statistic):
    """mclustBootstrapLRT(faithful, "VVV") and (iris[, 1:4], "EEE") of mclust 6.0.0, first row."""
    x = bg.datasets.load(name).frame.select_dtypes("number")
    found = lrt_of(x, 1, structure, n_bootstrap=1, level=0.5, n_init=2, reg_covar=0)
    assert_close(found.table["statistic"].iloc[0], statistic, rtol=1e-5)


def test_missing_cells_are_missing_in_the_drawn_rows():
    x = two_blobs()
    x[::7, 1] = np.nan
    found = lrt_of(x, 1, "diag", n_bootstrap=19, n_init=1)
    assert found.table["n_failed"].iloc[0] == 0
    assert found.table["p_value"].iloc[0] == 1 / 20


def test_what_is_missing_does_not_follow_the_components():
    """The second half of the rows misses a column: as many of each drawn cluster."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(200, 2)) + 8.0 * np.tile([0, 1], 100)[:, None]
    x[100:, 1] = np.nan
    drawn = []

    def kept(request, data):
        drawn.append(data.values)
        return 0.0, None

    spec = bg.MixtureSpec.maximum_likelihood(2, "diag")
    fit, data = bg.fit(x, spec), bg.Dataset.from_array(x)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "statistic", kept)
        bar = types.SimpleNamespace(update=lambda: None)
        bootstrap.statistics_of_drawn(None, fit, data, 5, np.random.RandomState(0), bar)
    for rows in drawn:
        is_first, misses = rows[:, 0] < 4, np.isnan(rows[:, 1])
        expected, spread = misses.mean(), 0.5 / np.sqrt(is_first.sum())
        assert abs(misses[is_first].mean() - expected) < 4 * spread


@pytest.mark.slow
def test_a_later_model_that_cannot_be_fitted_ends_the_tests():
    x = np.array([[0.0], [1.0], [5.0], [6.0]])
    with pytest.warns(UserWarning, match="too few distinct rows"):
        found = lrt_of(x, range(1, 6), n_bootstrap=3, level=0.99, n_init=1)
    assert list(found.table.index) == [1, 2, 3]
    with pytest.raises(ValueError, match="4 and 5 components"):
        lrt_of(x, 4, n_bootstrap=3, level=0.99, n_init=1)


def test_the_same_seed_gives_the_same_test():
    one, other = (lrt_of(two_blobs(), 2, n_bootstrap=19, n_init=1, seed=4) for _ in range(2))
    assert np.array_equal(one.bootstrap[2], other.bootstrap[2])


@pytest.mark.slow
def test_p_values_are_uniform_where_k_is_true():
    rng = np.random.default_rng(5)
    # A seed each: tests that share their drawn data sets are not independent.
    p_values = [
        lrt_of(rng.normal(size=(40, 1)), 1, n_bootstrap=19, n_init=2, seed=seed)
        .table["p_value"]
        .iloc[0]
        for seed in range(200)
    ]
    counts = np.bincount(np.rint(20 * np.array(p_values)).astype(int), minlength=21)[1:]
    assert stats.chisquare(counts).pvalue > 1e-3


def test_an_interruption_returns_the_finished_tests(monkeypatch):
    drawn, calls = bootstrap.statistics_of_drawn, []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return drawn(*arguments)

    monkeypatch.setattr(bootstrap, "statistics_of_drawn", interrupted)
    found = lrt_of(two_blobs(), (1, 2), n_bootstrap=19, n_init=1)
    assert found.interrupted
    assert list(found.table.index) == [1]
    assert found.n_components is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"covariance_type": ["full", "tied"]}, ("one covariance structure", "2")),
        ({"n_bootstrap": 0}, ("n_bootstrap", "0")),
        ({"n_bootstrap": 9, "level": 0.05}, ("smallest p-value", "0.05")),
        ({"n_components": 0}, ("whole numbers", "0")),
        ({"X": bg.Dataset.from_array(two_blobs(), weights=np.ones(60))}, ("row weights", "drawn")),
    ],
)
def test_bad_settings_are_refused(settings, words):
    arguments = {"X": two_blobs(), "n_components": 1, "progress": False} | settings
    with pytest.raises(ValueError, match="Expected") as caught:
        bg.bootstrap_lrt(**arguments)
    assert_three_parts(str(caught.value), *words)
