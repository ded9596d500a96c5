import os
from pathlib import Path

import pytest
from command_line import assert_refused, run

from bayesgmm.cli.output import RESULTS, staged_file, staged_folder
from bayesgmm.cli.refusal import InputError
from bayesgmm.cli.results import PURPOSE


def test_a_folder_with_files_needs_force(numbers, tmp_path):
    for command in (["fit", numbers], ["select", numbers], ["demo"]):
        assert_refused(run(*command, "--out", tmp_path), "--force")


@pytest.mark.parametrize("command", ["fit", "select"])
def test_an_output_that_is_a_file_is_refused(numbers, command):
    assert_refused(run(command, numbers, "--out", numbers), "can be written")
    assert_refused(run(command, numbers, "--out", numbers / "below"), "can be written")


def test_a_place_without_permission_is_refused(numbers, tmp_path, fit_file, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    commands = (["fit", numbers], ["select", numbers], ["predict", fit_file, numbers])
    monkeypatch.setattr(Path, "mkdir", refuse)
    for command in commands:
        out = tmp_path / "new" / "out"
        assert_refused(run(*command, "--out", out), "can be written", "Permission denied")
        assert not out.parent.exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes anywhere")
@pytest.mark.parametrize("name", ["locked", "locked/new"])
def test_an_output_that_cannot_be_written_is_refused(numbers, tmp_path, name):
    (tmp_path / "locked").mkdir(mode=0o500)
    assert_refused(run("fit", numbers, "--out", tmp_path / name), "can be written")


@pytest.mark.parametrize("exists", [True, False])
def test_results_appear_at_the_end(tmp_path, exists):
    out = tmp_path / "deep" / "out"
    if exists:
        out.mkdir(parents=True)
    with staged_folder(out, force=False) as stage:
        (stage / "fit.nc").write_text("new")
        assert not (out / "fit.nc").exists()
    assert [path.name for path in out.iterdir()] == ["fit.nc"]
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def fail_half_way(staged, error):
    with staged as place:
        (place / "fit.nc" if place.is_dir() else place).write_text("half")
        raise error


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("error", [InputError("no"), KeyboardInterrupt(), RuntimeError("no")])
def test_a_failure_leaves_nothing(tmp_path, exists, error):
    out = tmp_path / "deep" / "out"
    if exists:
        out.mkdir(parents=True)
    with pytest.raises(type(error)):
        fail_half_way(staged_folder(out, force=False), error)
    assert list(out.iterdir()) == [] if exists else list(tmp_path.iterdir()) == []


def test_force_replaces_earlier_results_and_keeps_other_files(tmp_path):
    for name in ("fit.nc", "table.csv", "mine.txt"):
        (tmp_path / name).write_text("old")
    with staged_folder(tmp_path, force=True) as stage:
        (stage / "fit.nc").write_text("new")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "fit.nc": "new",
        "mine.txt": "old",
    }


def test_every_result_is_explained():
    assert set(RESULTS) == set(PURPOSE)


def test_a_file_appears_at_the_end_or_never(tmp_path):
    path = tmp_path / "deep" / "table.csv"
    with pytest.raises(RuntimeError):
        fail_half_way(staged_file(path, force=False), RuntimeError("no"))
    assert list(tmp_path.iterdir()) == []
    with staged_file(path, force=False) as part:
        part.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert len(list(path.parent.iterdir())) == 1


def test_a_file_that_exists_needs_force(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(InputError, match="--force"), staged_file(path, force=False):
        pass
    with staged_file(path, force=True) as part:
        part.write_text("new")
    assert path.read_text() == "new"
    with pytest.raises(InputError, match="add a file name"), staged_file(tmp_path, force=True):
        pass
