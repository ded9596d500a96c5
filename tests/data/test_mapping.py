"""Functions of rows that are elsewhere: what they say of the same rows in memory."""

import pickle
from functools import partial

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from passes import rows_of_sample, rows_per_block
from quick import quick_compilation

import bayesgmm as bg
from bayesgmm.data.sources import mapping

N, D = 3_001, 2
RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(N, D)) + np.array([[0, 0], [4, 1]])[RANDOM.integers(0, 2, N)]
SIZES = (1_000, 0, 1, 2_000)


@pytest.fixture(scope="module")
def fit():
    with quick_compilation():
        return bg.fit(ROWS, bg.MixtureSpec.maximum_likelihood(2), engine=bg.EM(max_iter=5))


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch):
    monkeypatch.setattr(mapping, "BLOCK_BYTES", 8 * D * 1_024)


@pytest.fixture
def path(tmp_path):
    np.save(tmp_path / "rows.npy", ROWS)
    return tmp_path / "rows.npy"


def in_chunks():
    return da.from_array(ROWS, chunks=(SIZES, D))


def both_norms(rows):
    return np.stack([np.abs(rows).sum(1), (rows**2).sum(1)], 1)


def test_from_file_to_file(fit, path, tmp_path):
    out = tmp_path / "density.npy"
    with quick_compilation():
        found = bg.map_rows(partial(bg.log_density, fit), path, out)
        np.testing.assert_allclose(found, bg.log_density(fit, ROWS), rtol=1e-12)
    np.testing.assert_array_equal(np.load(out), found)
    assert isinstance(found, np.memmap)
    assert {one.name for one in tmp_path.iterdir()} == {"rows.npy", "density.npy"}
    again = bg.map_rows(both_norms, bg.stream(path), out)
    np.testing.assert_array_equal(again, both_norms(ROWS))


def test_a_failure_leaves_the_file_as_it_was(path, tmp_path):
    out = tmp_path / "out.npy"
    bg.map_rows(both_norms, path, out)
    before = out.read_bytes()

    def fails_late(rows):
        if len(rows) < 1_024:
            raise KeyboardInterrupt
        return rows[:, 0]

    with pytest.raises(KeyboardInterrupt):
        bg.map_rows(fails_late, path, out)
    assert out.read_bytes() == before
    assert {one.name for one in tmp_path.iterdir()} == {"rows.npy", "out.npy"}


def test_from_dask_to_dask(fit):
    lazy = bg.map_rows(both_norms, in_chunks())
    assert isinstance(lazy, da.Array)
    assert np.isnan(lazy.shape[0])
    np.testing.assert_array_equal(lazy, both_norms(ROWS))
    known = bg.map_rows(both_norms, bg.stream(in_chunks()))
    assert known.shape == (N, 2)
    assert known.chunks[0] == (1_000, 1, 2_000)
    np.testing.assert_array_equal(known, both_norms(ROWS))


def test_frames_keep_their_names(fit):
    """A function that looks at names is given them, and not the order alone."""
    frame = pd.DataFrame(ROWS, columns=["a", "b"])
    spec, engine = bg.MixtureSpec.maximum_likelihood(1), bg.EM(max_iter=1)
    with quick_compilation():
        named = partial(bg.log_density, bg.fit(frame, spec, engine=engine))
        found = bg.map_rows(named, dd.from_pandas(frame, npartitions=3))
        np.testing.assert_allclose(found, named(frame), rtol=1e-12)
    with pytest.raises(ValueError, match=r"Expected the columns \['a', 'b'\]"):
        bg.map_rows(named, dd.from_pandas(frame[["b", "a"]], npartitions=3))


def test_estimators_take_collections():
    with quick_compilation():
        model = bg.GaussianMixture(2, max_iter=5, random_state=0, tol=1).fit(ROWS)
        for name in ("predict", "predict_proba", "score_samples"):
            lazy = getattr(model, name)(in_chunks())
            assert isinstance(lazy, da.Array)
            np.testing.assert_allclose(lazy, getattr(model, name)(X=ROWS), rtol=1e-12)


@pytest.mark.parametrize("kind", ["file", "dask"])
def test_labels_are_those_behind_the_counts(kind, path, tmp_path, monkeypatch):
    rows_per_block(monkeypatch, 1_024, D)
    rows_of_sample(monkeypatch, 100)
    engine = bg.Gibbs(n_chains=2, n_warmup=2, n_draws=3, thin=1, progress=False)
    there = path if kind == "file" else in_chunks()
    with quick_compilation():
        fit = bg.fit(there, bg.MixtureSpec(max_components=5), engine=engine)
        out = tmp_path / "labels.npy" if kind == "file" else None
        labels = np.asarray(bg.map_rows(fit.labels_at, there, out, numbered=True))
        few = fit.labels_at(ROWS[70:90], np.arange(70, 90), draws=[4])
    counted = (labels.T[..., None] == np.arange(5)).sum(1)
    np.testing.assert_array_equal(counted.reshape(2, 3, 5), fit.counts)
    np.testing.assert_array_equal(few[:, 0], labels[70:90, 4])


def test_a_fit_travels_without_its_rows(monkeypatch):
    rows_of_sample(monkeypatch, 100)
    with quick_compilation():
        fit = bg.fit(in_chunks(), bg.MixtureSpec.maximum_likelihood(2), engine=bg.EM(max_iter=1))
    back = pickle.loads(pickle.dumps(fit))
    assert len(pickle.dumps(fit)) < 20_000
    np.testing.assert_array_equal(back.data.sample.values, fit.data.sample.values)
    np.testing.assert_array_equal(back.mixture.means, fit.mixture.means)


def test_wrong_ways_are_refused(path, tmp_path):
    with pytest.raises(ValueError, match=r"Expected out="):
        bg.map_rows(both_norms, path)
    with pytest.raises(ValueError, match=r"Expected no out="):
        bg.map_rows(both_norms, in_chunks(), tmp_path / "out.npy")
    with pytest.raises(ValueError, match=r"ends in \.npy"):
        bg.map_rows(both_norms, path, tmp_path / "out.csv")
    with pytest.raises(ValueError, match=r"ends in \.npy"):
        bg.map_rows(both_norms, path, tmp_path / "nowhere" / "out.npy")
    with pytest.raises(ValueError, match="Apply the function to the rows themselves"):
        bg.map_rows(both_norms, bg.shard(ROWS), tmp_path / "out.npy")
