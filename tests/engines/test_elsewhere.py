"""One answer wherever the rows are: in memory, in a file, on several devices, in a Dask collection."""

import os
import subprocess
import sys
from pathlib import Path

import dask.array as da
import jax
import numpy as np
import pytest
from passes import rows_per_block
from quick import quick_compilation
from textbook import assert_close

import bayesgmm as bg

D, K = 2, 3
RANDOM = np.random.default_rng(0)
GIBBS = bg.Gibbs(n_chains=2, n_warmup=4, n_draws=6, thin=1, moves=(), progress=False)
AUTO = bg.MixtureSpec(max_components=8)


def table(n_rows):
    centres = np.array([[0, 0], [4, 1], [0, 5]])
    return RANDOM.normal(size=(n_rows, D)) + centres[RANDOM.integers(0, K, n_rows)]


def in_chunks(rows, *sizes):
    """A Dask array of chunks of such sizes and the rest."""
    return da.from_array(rows, chunks=((*sizes, len(rows) - sum(sizes)), rows.shape[1]))


def elsewhere(kind, rows, folder):
    """The same rows, elsewhere."""
    if kind == "sharded":
        return bg.shard(rows)
    if kind == "dask":
        return in_chunks(rows, len(rows) // 5, 13, 0, len(rows) // 2)
    np.save(folder / "rows.npy", rows)
    return folder / "rows.npy"


def assert_same_climb(one, other, rtol):
    assert_close(other.log_likelihood, one.log_likelihood, rtol=rtol)
    assert_close(other.history["log_likelihood"], one.history["log_likelihood"], rtol=rtol)
    assert_close(other.mixture.means, one.mixture.means, rtol=1e-7)
    assert other.status == one.status


def assert_same_draws(one, other):
    np.testing.assert_array_equal(other.counts, one.counts)
    assert_close(other.log_likelihood, one.log_likelihood, rtol=1e-9)
    assert_close(other.mixture.means, one.mixture.means, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", ["sharded", "dask"])
def test_em_climbs_alike(kind, tmp_path):
    rows = table(7_013)
    spec, engine = bg.MixtureSpec.maximum_likelihood(K), bg.EM(tol=1e-6)
    with quick_compilation():
        fits = [bg.fit(x, spec, engine=engine) for x in (rows, elsewhere(kind, rows, tmp_path))]
    assert_same_climb(*fits, rtol=1e-10)
    assert isinstance(fits[1].data, bg.Source)


@pytest.mark.parametrize("kind", ["sharded", "dask"])
def test_gibbs_draws_alike(kind, tmp_path):
    rows = table(7_013)
    with quick_compilation():
        fits = [
            bg.fit(x, AUTO, engine=GIBBS, seed=3) for x in (rows, elsewhere(kind, rows, tmp_path))
        ]
    assert_same_draws(*fits)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["streamed", "sharded", "dask"])
def test_many_rows_in_ragged_parts(kind, tmp_path, monkeypatch):
    rows_per_block(monkeypatch, 17_321, D)
    rows = table(100_000)
    there = elsewhere(kind, rows, tmp_path)
    spec, engine = bg.MixtureSpec.maximum_likelihood(K), bg.EM(tol=1e-8, max_iter=300)
    assert_same_climb(*(bg.fit(x, spec, engine=engine) for x in (rows, there)), rtol=1e-9)
    engine = bg.Gibbs(n_chains=2, n_warmup=0, n_draws=50, thin=1, progress=False)
    assert_same_draws(*(bg.fit(x, AUTO, engine=engine, seed=3) for x in (rows, there)))


@pytest.mark.parametrize("kind", ["sharded", "dask"])
def test_weights_and_labels_are_refused(kind, tmp_path):
    rows = table(100)
    with pytest.raises(ValueError, match="Take the rows into memory"):
        bg.fit(elsewhere(kind, rows, tmp_path), sample_weight=np.ones(100))


@pytest.mark.parametrize("kind", ["sharded", "dask"])
def test_uses_of_all_rows_name_the_sample(kind, tmp_path):
    there = bg.shard(table(500)) if kind == "sharded" else in_chunks(table(500), 100)
    with quick_compilation():
        fit = bg.fit(there, bg.MixtureSpec.maximum_likelihood(2), engine=bg.EM(max_iter=1))
    with pytest.raises(ValueError, match=r"Use fit\.sampled"):
        fit.allocations()
    assert fit.sampled.allocations().shape == (1, 1, 500)


def test_a_mesh_takes_whole_rows():
    with pytest.raises(ValueError, match="A mesh of devices takes whole rows"):
        bg.shard(np.array([[0.0, 1.0], [np.nan, 2.0], [3.0, 4.0]]))
    with pytest.raises(ValueError, match="Expected devices"):
        bg.shard(table(10), devices=[])


def test_selection_wants_rows_in_memory():
    with pytest.raises(ValueError, match="Expected rows in memory, got Dask's ones"):
        bg.select(in_chunks(table(100), 50), n_components=2)


PROGRAM = """
import jax, numpy as np, bayesgmm as bg
from jax.sharding import Mesh, NamedSharding, PartitionSpec
assert len(jax.devices()) == 4
rows = np.load("rows.npy")
mesh = Mesh(np.array(jax.devices()), ("x",))
divided = jax.device_put(rows[:20_008], NamedSharding(mesh, PartitionSpec("x")))
spec, engine = bg.MixtureSpec.maximum_likelihood(3), bg.EM(tol=1e-6)
for here, there in ((rows, bg.shard(rows)), (np.asarray(divided), divided)):
    one, other = (bg.fit(x, spec, engine=engine) for x in (here, there))
    assert len(other.data.parts.values.sharding.device_set) == other.data.mesh.size == 4
    np.testing.assert_allclose(one.log_likelihood, other.log_likelihood, rtol=1e-9)
gibbs = bg.Gibbs(n_chains=2, n_warmup=0, n_draws=50, thin=1, progress=False)
auto = bg.MixtureSpec(max_components=8)
one, other = (bg.fit(x, auto, engine=gibbs, seed=3) for x in (rows, bg.shard(rows, jax.devices()[:3])))
np.testing.assert_array_equal(one.counts, other.counts)
np.testing.assert_allclose(one.log_likelihood, other.log_likelihood, rtol=1e-9)
print("alike")
"""


@pytest.mark.slow
def test_several_devices(tmp_path):
    np.save(tmp_path / "rows.npy", table(20_011))
    asked = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu"}
    path = {"PYTHONPATH": str(Path(bg.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path,
        env=os.environ | asked | path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "alike", done.stderr


def test_one_device_is_no_mesh():
    rows = jax.numpy.asarray(table(50))
    with quick_compilation():
        fit = bg.fit(rows, bg.MixtureSpec.maximum_likelihood(1), engine=bg.EM(max_iter=1))
    assert isinstance(fit.data, bg.Dataset)
