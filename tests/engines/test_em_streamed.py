"""EM over rows that stay in a file beside EM over the same rows in memory."""

import numpy as np
import pytest
from passes import interrupt, rows_of_sample, rows_per_block
from quick import quick_compilation, slow_after
from textbook import STRUCTURES, assert_close

import bayesgmm as bg

N, D, K = 7_013, 2, 3
RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(N, D)) + np.array([[0, 0], [4, 1], [0, 5]])[RANDOM.integers(0, 3, N)]


@pytest.fixture(autouse=True)
def ragged(monkeypatch):
    """Four blocks, the last a ragged one, of several chunks each."""
    rows_per_block(monkeypatch, 2_000, D)


@pytest.fixture
def path(tmp_path):
    np.save(tmp_path / "rows.npy", ROWS)
    return tmp_path / "rows.npy"


def both(path, spec, **settings):
    with quick_compilation():
        return bg.fit(ROWS, spec, engine=bg.EM(**settings)), bg.fit(
            path, spec, engine=bg.EM(**settings)
        )


def assert_same_fit(one, other, rtol=1e-10):
    assert_close(other.log_likelihood, one.log_likelihood, rtol=rtol)
    assert_close(other.history["log_likelihood"], one.history["log_likelihood"], rtol=rtol)
    # Restarts that end alike but for the order of components tie, and rounding decides.
    means = (fit.mixture.means[fit.mixture.means[:, 0].argsort()] for fit in (other, one))
    assert_close(*means, rtol=1e-7)
    assert other.status == one.status


NAMES = [one.name for one in STRUCTURES]


@pytest.mark.parametrize("covariance", slow_after(1, [*NAMES, "VEV"]))
def test_it_climbs_as_over_rows_in_memory(path, covariance):
    """The sample holds all rows, so that the starts are the same."""
    spec = bg.MixtureSpec.maximum_likelihood(K, covariance)
    one, other = both(path, spec, n_init=2, tol=1e-6)
    assert_same_fit(one, other)
    assert isinstance(other.data, bg.Streamed)
    assert_close(other.history["restart_agreement"], one.history["restart_agreement"], rtol=1e-12)


def test_with_a_prior_too(path):
    assert_same_fit(*both(path, bg.MixtureSpec(K), tol=1e-6))


def test_a_tight_component_too(tmp_path):
    """Its rows, in units of its width, are known to 1e-16 / 1e-8: rounding of the units decides."""
    rows = np.r_[ROWS, RANDOM.normal([50.0, 50.0], 1e-7, (500, D))]
    np.save(tmp_path / "tight.npy", rows)
    spec = bg.MixtureSpec.maximum_likelihood(K + 1)
    with quick_compilation():
        near = bg.fit(rows, spec, engine=bg.EM(tol=1e-6, reg_covar=0))
        again = bg.EM(start=near.mixture, max_iter=2, tol=0, reg_covar=0)
        one, other = (bg.fit(x, spec, engine=again) for x in (rows, tmp_path / "tight.npy"))
    assert np.linalg.svd(one.mixture.covariance.chol)[1].min() < 1e-6
    assert_same_fit(one, other, rtol=1e-8)


def test_criteria_are_those_of_all_rows(path):
    one, other = both(path, bg.MixtureSpec.maximum_likelihood(K), max_iter=3)
    ours, theirs = bg.information_criteria(other), bg.information_criteria(one)
    assert_close(np.array(ours), np.array(theirs), rtol=1e-9)


def test_starts_are_made_of_the_sample(path, monkeypatch):
    rows_of_sample(monkeypatch, 500)
    spec = bg.MixtureSpec.maximum_likelihood(K)
    with quick_compilation():
        fit = bg.fit(bg.stream(path), spec, engine=bg.EM(tol=1e-8, max_iter=500))
        best = bg.fit(ROWS, spec, engine=bg.EM(tol=1e-8, max_iter=500))
    assert fit.data.sample.n_rows == 500
    assert_close(fit.log_likelihood, best.log_likelihood, rtol=1e-6)


@pytest.mark.slow
def test_checks_and_pictures_take_the_sample(path, monkeypatch):
    rows_of_sample(monkeypatch, 500)
    with quick_compilation():
        fit = bg.fit(path, bg.MixtureSpec.maximum_likelihood(K), engine=bg.EM(tol=1e-6))
    assert set(bg.diagnose(fit)["about"]) == {"run", "model"}
    assert bg.plots.clusters(fit.sampled) is not None
    assert "7,013 x 2" in str(fit)
    with pytest.raises(ValueError, match=r"Use fit\.sampled"):
        bg.plots.clusters(fit)


def test_a_fit_is_saved_with_its_sample(path, tmp_path, monkeypatch):
    rows_of_sample(monkeypatch, 500)
    with quick_compilation():
        fit = bg.fit(path, bg.MixtureSpec.maximum_likelihood(K), engine=bg.EM(max_iter=2))
    bg.save(fit, tmp_path / "fit.nc")
    loaded = bg.load(tmp_path / "fit.nc")
    assert loaded.data.n_rows == N
    np.testing.assert_array_equal(loaded.sampled.data.values, fit.data.sample.values)
    np.testing.assert_array_equal(loaded.mixture.means, fit.mixture.means)
    with pytest.raises(ValueError, match=r"Open them again by bg\.stream"):
        bg.information_criteria(loaded)


def test_an_interruption_keeps_the_last_turn(path, monkeypatch):
    interrupt(monkeypatch, at=4)
    with quick_compilation():
        fit = bg.fit(path, bg.MixtureSpec.maximum_likelihood(K), engine=bg.EM(tol=0, max_iter=50))
    assert fit.status.outcome is bg.Outcome.INTERRUPTED
    assert len(fit.history["log_likelihood"]) - 1 == 3
    assert np.isfinite(fit.log_likelihood)


@pytest.mark.parametrize("engine", [bg.Gibbs(moves=("birth_death",)), bg.NUTS(progress=False)])
def test_samplers_refuse_it(path, engine):
    with pytest.raises(ValueError, match="streamed"):
        bg.fit(path, bg.MixtureSpec(2), engine=engine)


def test_weights_and_labels_are_refused(path):
    with pytest.raises(ValueError, match="Take the rows into memory"):
        bg.fit(path, sample_weight=np.ones(N))
