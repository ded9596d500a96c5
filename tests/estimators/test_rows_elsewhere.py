"""Estimators over rows that stay where they are."""

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from quick import quick_compilation
from textbook import assert_close

import bayesgmm as bg

N, D = 600, 2
RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(N, D)) + 6 * RANDOM.integers(0, 2, (N, 1))
FRAME = pd.DataFrame(ROWS, columns=["a", "b"])


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("rows.npy", ROWS)
    FRAME.to_parquet("rows.parquet")


KINDS = {
    "dask array": lambda: da.from_array(ROWS, chunks=(170, D)),
    "dask frame": lambda: dd.from_pandas(FRAME, npartitions=3),
    "opened": lambda: bg.stream(da.from_array(ROWS, chunks=(170, D))),
    "file": lambda: "rows.npy",
    "parquet": lambda: "rows.parquet",
    "devices": lambda: bg.shard(ROWS),
}
NAMED = {"dask frame", "parquet"}
LAZY = {"dask array", "dask frame", "opened"}


@pytest.mark.parametrize("kind", KINDS)
def test_em_is_that_of_the_rows_in_memory(kind):
    there = KINDS[kind]()
    with quick_compilation():
        here = bg.GaussianMixture(2, random_state=0).fit(FRAME if kind in NAMED else ROWS)
        model = bg.GaussianMixture(2, random_state=0).fit(there)
        assert isinstance(model.fit_.data, bg.Source)
        assert model.n_features_in_ == D
        assert getattr(model, "feature_names_in_", None) is None or kind in NAMED
        assert_close(model.lower_bound_, here.lower_bound_, rtol=1e-10)
        assert_close(model.means_, here.means_, rtol=1e-7)
        for name in ("aic", "bic", "icl"):
            whole = getattr(here, name)(FRAME if kind in NAMED else ROWS)
            assert_close(getattr(model, name)(there), whole, rtol=1e-9)
        if kind not in LAZY:
            with pytest.raises(ValueError, match="Expected rows in memory or in a Dask collection"):
                model.predict(there)
            return
        labels = model.fit_predict(there)
        assert isinstance(labels, da.Array)
        np.testing.assert_array_equal(labels, here.predict(FRAME if kind in NAMED else ROWS))
        assert_close(model.score(there), here.lower_bound_, rtol=1e-9)


def test_a_memory_map_is_an_array():
    """As scikit-learn and joblib hand it around."""
    mapped = np.load("rows.npy", mmap_mode="r")
    with quick_compilation():
        model = bg.GaussianMixture(2, random_state=0).fit(mapped)
        assert isinstance(model.fit_.data, bg.Dataset)
        assert isinstance(
            bg.GaussianMixture(2, max_iter=1, tol=9).fit(bg.stream(mapped)).fit_.data, bg.Source
        )


def test_weights_are_refused():
    with pytest.raises(ValueError, match="once each"):
        bg.GaussianMixture(2).fit(KINDS["dask array"](), sample_weight=np.ones(N))


def test_the_criteria_are_of_the_rows_that_are_given():
    """In their own units, whatever those of the fit are."""
    with quick_compilation():
        model = bg.GaussianMixture(2, random_state=0).fit(ROWS)
        other = 1e3 + 40 * ROWS[:400]
        moved = bg.GaussianMixture(2, random_state=0, reg_covar=0).fit(other)
        for fitted, rows in ((model, ROWS[50:450]), (moved, other[:300])):
            there = da.from_array(rows, chunks=(90, D))
            assert_close(fitted.bic(there), fitted.bic(rows), rtol=1e-10)
            assert_close(fitted.icl(there), fitted.icl(rows), rtol=1e-10)
    with pytest.raises(ValueError, match="Expected 2 columns as in the fit, got 1"):
        model.bic(da.from_array(ROWS[:, :1], chunks=100))
    named = bg.GaussianMixture(1).fit(FRAME)
    with pytest.raises(ValueError, match=r"Expected columns \['a', 'b'\]"):
        named.bic(dd.from_pandas(FRAME[["b", "a"]], npartitions=2))
    with pytest.raises(ValueError, match="once each"):
        model.bic(KINDS["dask array"](), sample_weight=np.ones(N))


@pytest.mark.slow
def test_the_posterior_is_looked_at_by_its_sample():
    settings = {"n_chains": 1, "n_warmup": 30, "n_draws": 4, "random_state": 0}
    there = KINDS["dask array"]()
    model = bg.BayesianGaussianMixture(**settings)
    with quick_compilation():
        labels = model.fit_predict(there)
        assert isinstance(labels, da.Array)
        found = np.asarray(labels)
        assert found.shape == (N,)
        # All rows are in the sample here, and the clusters are far apart.
        assert (found == model.partition_.labels).mean() > 0.99
        assert model.n_clusters_ == 2
        with pytest.raises(ValueError, match=r"Use model\.predict"):
            _ = model.labels_
        assert model.co_clustering([0, 1, 2]).shape == (3, 3)
        assert len(model.summary())
        assert np.isfinite(model.score(there))


@pytest.mark.parametrize("kind", [bg.GaussianMixture, bg.BayesianGaussianMixture])
def test_a_checkpoint_is_gone_on_from(kind):
    few = {} if kind is bg.GaussianMixture else {"n_chains": 1, "n_warmup": 5, "n_draws": 5}
    with quick_compilation():
        fits = [
            kind(2, random_state=0, checkpoint="run.checkpoint", **few).fit(ROWS).fit_
            for _ in range(2)
        ]
        np.testing.assert_array_equal(*(one.log_likelihood for one in fits))
        with pytest.raises(ValueError, match="Expected a checkpoint of this seed"):
            kind(2, random_state=1, checkpoint="run.checkpoint", **few).fit(ROWS)
