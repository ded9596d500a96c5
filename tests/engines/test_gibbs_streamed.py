"""Gibbs over rows that stay in a file beside Gibbs over the same rows in memory: the same draws."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from passes import interrupt, rows_of_sample, rows_per_block
from quick import quick_compilation, slow_after
from textbook import assert_close

import bayesgmm as bg
from bayesgmm.model.kernel import is_tight

D = 2
RANDOM = np.random.default_rng(0)
SETTINGS = {"n_chains": 2, "n_warmup": 4, "n_draws": 6, "thin": 1, "moves": (), "progress": False}
AUTO = bg.MixtureSpec(max_components=8)


def table(n_rows):
    noise = RANDOM.normal(size=(n_rows, D))
    return noise + np.array([[0, 0], [4, 1], [0, 5]])[RANDOM.integers(0, 3, n_rows)]


def both(path, rows, spec=AUTO, **settings):
    np.save(path / "rows.npy", rows)
    engine = bg.Gibbs(**SETTINGS | settings)
    with quick_compilation():
        return (bg.fit(x, spec, engine=engine, seed=3) for x in (rows, path / "rows.npy"))


def assert_same_draws(one, other, rtol=1e-9):
    np.testing.assert_array_equal(other.counts, one.counts)
    assert_close(other.log_likelihood, one.log_likelihood, rtol=rtol)
    assert_close(other.mixture.means, one.mixture.means, rtol=1e-6, atol=1e-9)
    assert other.status == one.status


@pytest.fixture
def ragged(monkeypatch):
    """Four blocks of 7,013 rows, the last a ragged one, of several chunks each."""
    rows_per_block(monkeypatch, 2_000, D)


SPECS = [
    AUTO,
    bg.MixtureSpec(max_components=8, covariance="tied"),
    bg.MixtureSpec(3, covariance="diag", prior=bg.IndependentNormalWishart()),
    bg.MixtureSpec(max_components=8, covariance="spherical", weights=bg.DirichletProcess()),
]


@pytest.mark.parametrize("spec", slow_after(2, SPECS, lambda spec: str(spec.covariance)))
def test_it_draws_as_over_rows_in_memory(tmp_path, ragged, spec):
    one, other = both(tmp_path, table(7_013), spec)
    assert_same_draws(one, other)
    assert isinstance(other.data, bg.Streamed)


def test_a_tight_component_too(tmp_path, ragged):
    """The sums are residuals about the drawn means, those in memory about the means of the rows."""
    rows = np.r_[table(6_000), RANDOM.normal([50.0, 50.0], 1e-7, (500, D))]
    one, other = both(tmp_path, rows)
    assert is_tight(other.model.family, jax.tree.map(lambda leaf: leaf[:, 0], other.scaled))
    np.testing.assert_array_equal(other.counts[:, 0], one.counts[:, 0])
    assert_close(other.log_likelihood[:, 0], one.log_likelihood[:, 0], rtol=1e-6)


MOVING = {"moves": ("split_merge",), "n_chains": 4, "n_warmup": 10, "n_draws": 4}


@pytest.mark.parametrize("spec", slow_after(1, SPECS, lambda spec: str(spec.covariance)))
def test_it_moves_as_over_rows_in_memory(tmp_path, ragged, spec):
    """In memory two chains to a team or more, as there are cores; over the file all together."""
    one, other = both(tmp_path, table(7_013), spec, **MOVING)
    assert_same_draws(one, other)
    for name in ("split_accepted", "merge_accepted", "split_proposed", "merge_proposed"):
        np.testing.assert_array_equal(other.sample_stats[name], one.sample_stats[name])
    assert sum(other.sample_stats[f"{name}_proposed"].sum() for name in ("split", "merge")) > 0


@pytest.mark.slow
def test_moves_among_few_rows_lead_to_the_same_posterior(tmp_path):
    """Up to 2,048 rows are all in the sample, where padding makes other random numbers in memory."""
    rows = table(150)
    one, other = both(
        tmp_path, rows, n_warmup=300, n_draws=600, n_chains=4, thin=2, moves=("split_merge",)
    )
    shares = [[(fit.n_clusters == k).mean() for k in range(2, 6)] for fit in (one, other)]
    spread = [
        np.std([(fit.n_clusters == k).mean(1) for k in range(2, 6)], axis=1, ddof=1) / 2
        for fit in (one, other)
    ]
    gap = np.abs(np.subtract(*shares))
    assert (gap < 5 * np.hypot(*spread) + 0.01).all()


@pytest.mark.slow
def test_fifty_sweeps_over_many_rows(tmp_path, monkeypatch):
    rows_per_block(monkeypatch, 17_321, D)
    assert_same_draws(*both(tmp_path, table(100_000), n_warmup=0, n_draws=50))


def test_births_over_rows_elsewhere_are_refused(tmp_path):
    np.save(tmp_path / "rows.npy", table(100))
    with pytest.raises(ValueError, match=r"Pass engine=bg\.Gibbs\(\)"):
        bg.fit(tmp_path / "rows.npy", engine=bg.Gibbs(moves=("split_merge", "birth_death")))


def test_an_interruption_keeps_the_draws(tmp_path, ragged, monkeypatch):
    np.save(tmp_path / "rows.npy", table(5_000))
    interrupt(monkeypatch, at=9)
    with quick_compilation():
        fit = bg.fit(tmp_path / "rows.npy", AUTO, engine=bg.Gibbs(**SETTINGS))
    assert fit.status.outcome is bg.Outcome.INTERRUPTED
    assert fit.counts.shape[:2] == (2, 3)
    assert (fit.counts.sum(-1) == 5_000).all()


def test_the_sample_has_the_labels_it_had_among_all(tmp_path, ragged, monkeypatch):
    rows_of_sample(monkeypatch, 300)
    np.save(tmp_path / "rows.npy", rows := table(5_000))
    with quick_compilation():
        fit = bg.fit(tmp_path / "rows.npy", AUTO, engine=bg.Gibbs(**SETTINGS))
    places = fit.sampled.data.places
    np.testing.assert_array_equal(fit.sampled.data.values, rows[places])
    all_labels = replace(fit, data=bg.Dataset.from_array(rows)).allocations()
    counted = (all_labels[..., None] == np.arange(8)).sum(2)
    np.testing.assert_array_equal(counted, fit.counts)
    np.testing.assert_array_equal(fit.sampled.allocations(), all_labels[..., places])
    bg.save(fit, tmp_path / "fit.nc")
    loaded = bg.load(tmp_path / "fit.nc").sampled
    np.testing.assert_array_equal(loaded.allocations(), all_labels[..., places])
    with pytest.raises(ValueError, match="streamed ones"):
        fit.allocations()


@pytest.mark.slow
def test_checks_partition_and_pictures_take_the_sample(tmp_path, ragged, monkeypatch):
    rows_of_sample(monkeypatch, 500)
    np.save(tmp_path / "rows.npy", table(5_000))
    engine = bg.Gibbs(**SETTINGS | {"n_warmup": 200, "n_draws": 200})
    fit = bg.fit(tmp_path / "rows.npy", bg.MixtureSpec(3), engine=engine)
    assert set(bg.diagnose(fit)["about"]) >= {"run", "model"}
    assert bg.partition(fit.sampled).n_clusters == 3
    assert bg.plots.clusters(fit.sampled) is not None
    assert "5,000 x 2" in str(fit)
