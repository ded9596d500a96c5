"""Runs that were stopped and go on make the draws of runs that were not, to the bit."""

import signal
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, NamedTuple

import dask.array as da
import numpy as np
import pytest
from quick import quick_compilation
from stopping import assert_identical, stop_after

import bayesgmm as bg
from bayesgmm.engines import checkpoint as module
from bayesgmm.engines import driver, em, gibbs, nuts

RANDOM = np.random.default_rng(5)
ROWS = np.concatenate([RANDOM.normal(c, 1, (30, 2)) for c in ((0, 0), (6, 0), (0, 6))])
HOLES = np.where(RANDOM.random(ROWS.shape) < 0.1, np.nan, ROWS)
HOLES[np.isnan(HOLES).all(1)] = 0.0
IN_CHUNKS = da.from_array(ROWS, chunks=(40, 2))
FEW = {"n_chains": 2, "n_warmup": 20, "progress": False}
SLICE = 7


class Case(NamedTuple):
    """A run of several slices."""

    engine: Any
    spec: bg.MixtureSpec
    rows: Any = ROWS


EM = bg.EM(n_init=3, tol=0.0, max_iter=60)
GIBBS = bg.Gibbs(**FEW, n_draws=9, thin=2)
NUTS = bg.NUTS(**FEW, n_draws=15, max_tree_depth=4)
AUTO = bg.MixtureSpec(max_components=6)
CASES = {
    "em": Case(EM, bg.MixtureSpec.maximum_likelihood(4)),
    "em, with priors": Case(EM, bg.MixtureSpec(4)),
    "em, streamed": Case(EM, bg.MixtureSpec.maximum_likelihood(3), "rows.npy"),
    "em, dask": Case(EM, bg.MixtureSpec.maximum_likelihood(3), IN_CHUNKS),
    "gibbs": Case(GIBBS, AUTO),
    "gibbs, missing cells": Case(GIBBS, AUTO, HOLES),
    "gibbs, streamed": Case(replace(GIBBS, moves=()), AUTO, "rows.npy"),
    "gibbs, streamed, with moves": Case(GIBBS, AUTO, "rows.npy"),
    "gibbs, dask": Case(replace(GIBBS, moves=()), AUTO, IN_CHUNKS),
    "gibbs, devices": Case(GIBBS, AUTO, bg.shard(ROWS)),
    "nuts, threads": Case(replace(NUTS, chain_method="threads"), bg.MixtureSpec(2)),
    "nuts, vectorized": Case(replace(NUTS, chain_method="vectorized"), bg.MixtureSpec(2)),
}
SLOW = {"gibbs, missing cells", "gibbs, streamed, with moves", "gibbs, dask", "gibbs, devices",
        "nuts, threads", "nuts, vectorized"}  # fmt: skip
STARTS = {"em": (em, "starting_mixture"), "gibbs": (gibbs, "overdispersed_mixtures"),
          "nuts": (nuts, "overdispersed_mixtures")}  # fmt: skip
every_case = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else []) for name in CASES]
)


@pytest.fixture(autouse=True)
def _short_slices(monkeypatch, tmp_path):
    """Slices of one length, whatever time they take."""
    monkeypatch.setattr(gibbs, "SLICE", SLICE)
    monkeypatch.setattr(nuts, "SLICE", SLICE)
    monkeypatch.setattr(driver, "next_size", lambda size, seconds, longest: size)
    monkeypatch.chdir(tmp_path)
    np.save("rows.npy", ROWS)


def uneven(size, seconds, longest):
    return min(longest, {7: 3, 3: 5}.get(size, 7))


def run(case, **settings):
    with quick_compilation():
        return bg.fit(case.rows, case.spec, engine=replace(case.engine, **settings), seed=2)


def stopped(monkeypatch, case, n_slices, **settings):
    """The fit, or the message, of a run that is stopped after so many slices, of other lengths."""
    with monkeypatch.context() as patch:
        patch.setattr(driver, "next_size", uneven)
        stop_after(patch, n_slices)
        try:
            return run(case, checkpoint="run.checkpoint", **settings)
        except KeyboardInterrupt as message:
            return str(message)


@every_case
def test_a_run_that_is_stopped_again_and_again_ends_as_if_it_was_not(name, monkeypatch):
    case = CASES[name]
    whole = run(case)
    for n_slices in (0, 2, 3):
        part = stopped(monkeypatch, case, n_slices)
        said = part if isinstance(part, str) else part.status.message
        assert "Run the same again to go on from" in said
        assert isinstance(part, str) or part.status.outcome is bg.Outcome.INTERRUPTED
    with monkeypatch.context() as patch:
        module_of_start, start = STARTS[name.split(",")[0]]
        patch.setattr(module_of_start, start, None)
        assert_identical(run(case, checkpoint="run.checkpoint"), whole)
        stop_after(patch, 0)
        assert_identical(run(case, checkpoint="run.checkpoint"), whole)


def test_a_checkpoint_changes_no_draw_and_says_nothing(tmp_path):
    case = CASES["gibbs"]
    whole = run(case, checkpoint=tmp_path / "run.checkpoint", every=0)
    assert_identical(whole, run(case))
    assert list(tmp_path.glob("*run*")) == [tmp_path / "run.checkpoint"]


def test_what_was_drawn_before_an_interruption_is_in_the_fit(monkeypatch):
    case = CASES["gibbs"]
    whole = run(case)
    part = stopped(monkeypatch, case, 5)
    n_kept = part.log_likelihood.shape[1]
    assert f"{n_kept} of 9 draws" in part.status.message
    assert stopped(monkeypatch, case, 0).log_likelihood.shape[1] == n_kept
    np.testing.assert_array_equal(part.counts, whole.counts[:, :n_kept])


def test_an_interruption_between_a_slice_and_its_note_loses_that_slice_only(monkeypatch):
    case, note, noted = CASES["gibbs"], module.Checkpoint.note, []

    def late(self, progress):
        noted.append(progress.n_done)
        if len(noted) == 5:
            raise KeyboardInterrupt
        note(self, progress)

    with monkeypatch.context() as patch:
        patch.setattr(module.Checkpoint, "note", late)
        run(case, checkpoint="run.checkpoint")
    assert noted == [0, SLICE, 2 * SLICE, 3 * SLICE, 4 * SLICE]
    assert_identical(run(case, checkpoint="run.checkpoint"), run(case))


def test_teams_stay_as_they_were_where_there_are_fewer_cores(monkeypatch):
    case = CASES["gibbs"]
    whole = run(case)
    stopped(monkeypatch, case, 4)
    monkeypatch.setattr(gibbs, "divided", None)
    assert_identical(run(case, checkpoint="run.checkpoint"), whole)


def test_an_error_leaves_what_was_done(monkeypatch):
    case, advance, calls = CASES["gibbs"], gibbs.advance_teams, []

    def broken(*given):
        calls.append(given)
        if len(calls) == 3:
            raise ZeroDivisionError
        return advance(*given)

    with monkeypatch.context() as patch:
        patch.setattr(gibbs, "advance_teams", broken)
        with pytest.raises(ZeroDivisionError):
            run(case, checkpoint="run.checkpoint")
    assert_identical(run(case, checkpoint="run.checkpoint"), run(case))


def test_it_is_written_from_time_to_time(monkeypatch):
    written = []
    monkeypatch.setattr(module, "write", lambda *given: written.append(given))
    n_slices = -(-(20 + 2 * 9) // SLICE)
    for every, expected in ((0, n_slices), (1e9, 1)):
        written.clear()
        run(CASES["gibbs"], checkpoint="run.checkpoint", every=every)
        assert len(written) == expected
    clock = iter(range(0, 10_000, 10))
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    written.clear()
    run(CASES["gibbs"], checkpoint="run.checkpoint", every=25)
    assert 1 < len(written) < n_slices


def test_em_path_keeps_the_climb_only():
    spec, engine = bg.MixtureSpec.maximum_likelihood(3), bg.EM(max_iter=4, checkpoint="em")
    path = bg.em_path(ROWS, spec, engine=engine)
    assert len(path) == len(bg.em_path(ROWS, spec, engine=engine))
    assert path[-1].engine == engine


PROGRAM = """
import sys, bayesgmm as bg, numpy as np
rows = np.random.default_rng(0).normal(size=(40, 2))
engine = bg.Gibbs(n_chains=1, n_warmup=0, n_draws=100_000, thin=1, progress=False,
                  checkpoint="run.checkpoint", every=0)
print("ready", flush=True)
fit = bg.fit(rows, bg.MixtureSpec(2), engine=engine)
bg.save(fit, "fit.nc")
print(fit.status.message)
"""


@pytest.mark.slow
def test_sigterm_ends_in_a_fit_that_is_marked(tmp_path):
    given = {"cwd": tmp_path, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", PROGRAM], **given) as process:
        assert process.stdout.readline() == "ready\n"
        while not (tmp_path / "run.checkpoint").exists():
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=60)[0]
    assert process.returncode == 0
    assert said.startswith("Interrupted: ")
    fit = bg.load(tmp_path / "fit.nc")
    assert fit.status.outcome is bg.Outcome.INTERRUPTED
    assert 0 < fit.log_likelihood.shape[1] < 100_000
