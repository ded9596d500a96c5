"""Fits on a Dask cluster of two processes, workers lost on the way."""

import os
import pickle
import signal
import threading
from dataclasses import replace

import dask.array as da
import dask.dataframe as dd
import jax
import numpy as np
import pytest
from distributed import Client, LocalCluster
from stopping import assert_identical, stop_after
from textbook import assert_close

import bayesgmm as bg
from bayesgmm.data.sources import Kernel
from bayesgmm.engines.outside import shared_with, summed
from bayesgmm.engines.sweep_over import labelled_sums
from bayesgmm.model.families import FAMILIES
from bayesgmm.model.kernel import PRODUCT, RESIDUAL
from bayesgmm.posterior.criteria import sums_of_rows

D = 3
SPEC = bg.MixtureSpec.maximum_likelihood(3)


def made(block):
    """The rows of a chunk, a function of its number."""
    rng = np.random.default_rng(int(block[0]))
    centres = np.array([[0, 0, 0], [3, 1, 0], [0, 4, 2]])
    return rng.normal(size=(2_000, D)) + centres[rng.integers(0, 3, 2_000)]


def rows_in(n_chunks):
    """A Dask array whose chunks are made where they are asked for."""
    numbers = da.arange(n_chunks, chunks=1)
    return numbers.map_blocks(made, chunks=((2_000,) * n_chunks, (D,)), new_axis=1, dtype=float)


@pytest.fixture(scope="module")
def client():
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.mark.parametrize("form", [PRODUCT, RESIDUAL])
@pytest.mark.parametrize("function", [summed, labelled_sums])
def test_kernels_travel_by_name(function, form):
    """Else each worker would compile them anew in every pass."""
    for family in FAMILIES.values():
        for kernel in (
            Kernel(function, (family, form)),
            Kernel(shared_with, (family,)),
            Kernel(sums_of_rows, (family,)),
        ):
            assert pickle.loads(pickle.dumps(kernel)) == kernel


def n_compiled(dask_worker):
    """Programs that a worker has compiled for its blocks."""
    from bayesgmm.data.sources.blocks import with_block

    return with_block._cache_size()


@pytest.mark.slow
def test_chunks_stay_with_their_workers(client):
    """A collection that nobody but the fit has a hand on."""
    engine = bg.EM(tol=0, max_iter=20, n_init=2)
    here = bg.fit(rows_in(7).compute(scheduler="sync"), SPEC, engine=engine)
    there = bg.fit(rows_in(7).persist(), SPEC, engine=engine)
    assert_close(there.log_likelihood, here.log_likelihood, rtol=1e-9)
    assert_close(there.mixture.means, here.mixture.means, rtol=1e-6)
    assert_close(bg.information_criteria(there).icl, bg.information_criteria(here).icl, rtol=1e-9)
    assert len(there.data.bundles) == 2
    # EM's two passes, and that of the criteria.
    assert set(client.run(n_compiled).values()) <= {2, 3}


@pytest.mark.slow
def test_frames_that_are_persisted_are_bundled_too(client):
    frame = dd.from_dask_array(rows_in(6), columns=["a", "b", "c"])
    bundles = bg.stream(frame.persist()).bundles
    assert len(bundles) <= 2
    assert sorted(index for bundle in bundles for index in bundle) == list(range(6))
    assert len(bg.stream(frame).bundles) == 6


@pytest.mark.slow
def test_a_run_goes_on_wherever_its_chunks_are_by_then(client, tmp_path, monkeypatch):
    """Other workers add up other chunks, in another order, and a machine's rows are others' too."""
    rows = bg.stream(rows_in(9).persist())
    auto = bg.MixtureSpec(max_components=6)
    engine = bg.Gibbs(n_chains=2, n_warmup=0, n_draws=60, thin=1, progress=False)
    whole = bg.fit(rows, auto, engine=engine, seed=3)
    kept = replace(engine, checkpoint=tmp_path / "run.checkpoint")
    for n_slices, bundles in (
        (20, [[8, 0, 3], [1], [2, 6, 5, 4, 7]]),
        (20, [[7], [6, 5, 4, 3, 2, 1, 0, 8]]),
    ):
        with monkeypatch.context() as patch:
            stop_after(patch, n_slices)
            bg.fit(replace(rows, bundles=bundles), auto, engine=kept, seed=3)
    assert_identical(bg.fit(rows, auto, engine=kept, seed=3), whole)


@pytest.mark.slow
@pytest.mark.parametrize("moment", np.random.default_rng(0).uniform(0.05, 0.9, 5).round(2))
def test_a_lost_worker_changes_nothing(client, moment):
    """The moment is a part of the time that a run takes."""
    rows = bg.stream(rows_in(8).persist())
    auto = bg.MixtureSpec(max_components=6)
    engine = bg.Gibbs(n_chains=2, n_warmup=0, n_draws=60, thin=1, moves=(), progress=False)
    bg.fit(rows, auto, engine=engine, seed=3)
    whole = bg.fit(rows, auto, engine=engine, seed=3)
    seconds = whole.provenance.seconds
    pids = client.run(os.getpid)
    killer = threading.Timer(moment * seconds, os.kill, (min(pids.values()), signal.SIGKILL))
    killer.start()
    again = bg.fit(rows, auto, engine=engine, seed=3)
    killer.join()
    client.wait_for_workers(2)
    assert set(client.run(os.getpid).values()) != set(pids.values())
    np.testing.assert_array_equal(again.counts, whole.counts)
    jax.tree.map(np.testing.assert_array_equal, again.scaled, whole.scaled)
    np.testing.assert_array_equal(again.log_likelihood, whole.log_likelihood)
