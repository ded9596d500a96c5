"""Checkpoints where the disk is full, the process is killed, or both."""

import errno
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from quick import quick_compilation
from stopping import assert_identical, stop_after
from textbook import assert_three_parts

import bayesgmm as bg
from bayesgmm.engines import checkpoint_file

RANDOM = np.random.default_rng(5)
ROWS = np.concatenate([RANDOM.normal(c, 1, (30, 2)) for c in ((0, 0), (6, 0), (0, 6))])
SPEC = bg.MixtureSpec(4)
ENGINE = bg.EM(n_init=3, tol=0.0, max_iter=60)
NO_ROOM = OSError(errno.ENOSPC, "No space left on device")


def run(path=None, **settings):
    with quick_compilation():
        return bg.fit(ROWS, SPEC, engine=replace(ENGINE, checkpoint=path, **settings), seed=2)


@pytest.fixture
def path(tmp_path):
    """A good file, of a run that was stopped after a slice."""
    path = tmp_path / "run.checkpoint"
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, 1)
        run(path)
    return path


# Writing -----------------------------------------------------------------------------------------


def half_of_it_then(error):
    def savez(file, **arrays):
        file.write(b"PK" * 1000)
        raise error

    return savez


def test_a_full_disk_costs_the_checkpoint_only(path, monkeypatch):
    made = path.read_bytes()
    monkeypatch.setattr(checkpoint_file.np, "savez", half_of_it_then(NO_ROOM))
    with pytest.warns(bg.CheckpointWarning, match="No space left") as caught:
        fit = run(path, every=0)
    assert len(caught) == 1
    assert_three_parts(str(caught[0].message), "the one before stays")
    assert Path(caught[0].filename).resolve() == Path(__file__).resolve()
    assert path.read_bytes() == made
    assert list(path.parent.iterdir()) == [path]
    monkeypatch.undo()
    assert_identical(fit, run())
    assert_identical(run(path), fit)


def test_without_a_file_no_one_is_sent_to_it(tmp_path, monkeypatch):
    stop_after(monkeypatch, 2)
    monkeypatch.setattr(checkpoint_file.np, "savez", half_of_it_then(NO_ROOM))
    with pytest.warns(bg.CheckpointWarning, match="there is none yet"):
        fit = run(tmp_path / "run.checkpoint")
    assert "start=fit.mixture" in fit.status.message


def test_a_limit_of_the_system_counts_as_a_full_disk(path):
    made, limits = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    run()
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(made) // 2, limits[1]))
    try:
        with pytest.warns(bg.CheckpointWarning, match="File too large"):
            fit = run(path, every=0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == made
    assert_identical(fit, run())


@pytest.mark.slow
def test_a_disk_that_is_really_full(path, tmp_path):
    made = path.read_bytes()
    path.unlink()
    size = f"size={len(made) + 8192}"
    mount = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a file system needs root; the limit above stands in for it elsewhere")
    try:
        path.write_bytes(made)
        with pytest.warns(bg.CheckpointWarning, match="No space left"):
            fit = run(path, every=0)
        assert path.read_bytes() == made
        assert list(tmp_path.iterdir()) == [path]
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
    assert_identical(fit, run())


def test_what_a_killed_process_left_is_removed(path):
    left = path.with_name(f".{path.name}.0123.partial")
    other = path.with_name(".other.0123.partial")
    left.write_bytes(b"PK")
    other.write_bytes(b"PK")
    run(path)
    assert sorted(path.parent.iterdir()) == [other, path]


# Killing -----------------------------------------------------------------------------------------

PROGRAM = """
import os, signal, sys, time
from dataclasses import replace
import bayesgmm as bg, numpy as np
import numpyro.infer, xarray, h5netcdf
from pathlib import Path
from bayesgmm.engines import gibbs

gibbs.SLICE, advance = 4, gibbs.advance_teams
engine = bg.Gibbs(n_chains=2, n_warmup=50, n_draws=1_500, thin=2, moves=(), progress=False,
                  checkpoint="run.checkpoint", every=0)
path = Path("run.checkpoint")

def slowly(*given):
    time.sleep(0.02)
    return advance(*given)

def sample(engine, name):
    rows = np.random.default_rng(0).normal([[0, 0]] * 30 + [[5, 3]] * 30)
    bg.save(bg.fit(rows, bg.MixtureSpec(max_components=5), engine=engine, seed=4), name)

def forked(engine, name):
    process = os.fork()
    if not process:
        sample(engine, name)
        os._exit(0)
    return process

def written_at():
    return path.stat().st_mtime_ns if path.exists() else None

def ended(process):
    return os.waitpid(process, os.WNOHANG)[0]

gibbs.advance_teams = slowly
for number, moment in enumerate(np.random.default_rng(11).uniform(0, 1, 20)):
    before = written_at()
    process = forked(engine, "killed.nc")
    while number % 2 == 0 and written_at() == before:
        assert not ended(process)
        time.sleep(0.001)
    time.sleep(moment)
    assert not ended(process)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    left = len(list(path.parent.glob(".run*")))
    print(f"killed {moment:.2f} s later, {left} left", flush=True)
gibbs.advance_teams = advance
for engine, name in ((engine, "killed.nc"), (replace(engine, checkpoint=None), "whole.nc")):
    assert os.waitpid(forked(engine, name), 0)[1] == 0
"""


@pytest.mark.slow
def test_a_run_that_is_killed_twenty_times_ends_as_if_it_was_not(tmp_path):
    """Every other time while it goes on writing, else before it does."""
    # Processes are forked before JAX has threads: it says that it has some, at any rate.
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("killed") == 20
    killed, whole = (bg.load(tmp_path / name) for name in ("killed.nc", "whole.nc"))
    assert_identical(killed, whole)
    assert killed.status.ok
