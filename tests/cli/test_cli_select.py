from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from command_line import assert_fine, assert_refused, json_of, names_in, run

import bayesgmm as bg
from bayesgmm.selection import select as selection_module

WRITTEN = {"table.csv", "selection.png", "fit.nc", "assignments.csv", "report.html"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--k", "auto"], ("1:10", "'auto'")),
        (["--k", "4:2"], ("1:10", "'4:2'")),
        (["--criterion", "dic"], ("bic, aic, icl, cv", "'dic'")),
        (["--covariance", "full,round"], ("VEV", "'round'")),
        (["--covariance", ","], ("got none",)),
    ],
)
def test_what_means_nothing_is_refused(numbers, tmp_path, options, words):
    out = tmp_path / "out"
    assert_refused(run("select", numbers, *options, "--out", out), *words)
    assert not out.exists()


def test_select_writes_everything(numbers, tmp_path, quick):
    out = tmp_path / "out"
    options = ("--k", "1:3", "--covariance", "EII,spherical", "--n-init", 2, "--out", out)
    result = run("select", numbers, *options)
    assert_fine(result)
    assert names_in(out) == WRITTEN
    assert "Best by BIC: 2 components with" in result.stdout
    assert all(word in result.stdout for word in ("structure", "delta", "selection.png"))
    table = pd.read_csv(out / "table.csv")
    assert len(table) == 6
    assert table.loc[table["delta"].idxmin(), "n_components"] == 2
    assert bg.load(out / "fit.nc").model.n_components == 2
    assert pd.read_csv(out / "assignments.csv")["label"].tolist() == [0] * 20 + [1] * 15


def test_json_names_the_winner_and_doubts_are_notes(numbers, tmp_path, quick):
    out = tmp_path / "out"
    options = ("--k", "1:2", "--n-init", 2, "--criterion", "aic", "--json", "--quiet")
    result = run("select", numbers, *options, "--out", out)
    assert_fine(result)
    found = json_of(result)
    assert found["winner"]["covariance"] == "full"
    assert (found["winner"]["n_components"], found["winner"]["criterion"]) == (2, "aic")
    assert found["winner"]["ahead"] > 0
    assert any("is the largest tried" in note for note in found["notes"])
    assert set(found["files"]) == {str(out / name) for name in WRITTEN}


def test_a_single_model_has_nobody_behind(numbers, tmp_path, quick):
    options = ("--k", 2, "--n-init", 1, "--json", "--quiet", "--out", tmp_path / "out")
    assert json_of(run("select", numbers, *options))["winner"]["ahead"] is None


def test_rows_that_no_model_fits_are_refused(tmp_path):
    path = tmp_path / "few.csv"
    path.write_text("a,b\n1,2\n3,4\n")
    result = run("select", path, "--k", "5:6", "--out", tmp_path / "out", "--quiet")
    assert_refused(result, "distinct rows")
    assert names_in(tmp_path) == {"few.csv"}


def cut_short(monkeypatch, share):
    """Let the sweep end as if the user had stopped it after a share of the models."""
    whole = selection_module.select

    def select(*args, **settings):
        found = whole(*args, **settings)
        n_kept = int(share * len(found.records))
        lost = {"status": "not run", "delta": np.nan, "reason": "The run was interrupted."}
        records = [row if index < n_kept else row | lost for index, row in enumerate(found.records)]
        return replace(found, records=records)

    monkeypatch.setattr(selection_module, "select", select)


def test_an_interrupted_sweep_is_written_and_told(numbers, tmp_path, quick, monkeypatch):
    cut_short(monkeypatch, 0.7)
    out = tmp_path / "out"
    for command in (["select"], ["fit", "--engine", "em"]):
        result = run(*command, numbers, "--k", "1:3", "--out", out, "--json", "--force")
        assert_fine(result, code=130)
        assert json_of(result)["interrupted"]
        assert (out / "fit.nc").exists()


def test_a_sweep_interrupted_at_once_leaves_nothing(numbers, tmp_path, monkeypatch):
    cut_short(monkeypatch, 0)
    result = run("select", numbers, "--k", "1:2", "--out", tmp_path / "out")
    assert_fine(result, code=130)
    assert "Nothing was written" in result.stderr
    assert names_in(tmp_path) == {"numbers.csv"}


@pytest.mark.slow
def test_select_runs_end_to_end(tmp_path):
    path, out = tmp_path / "iris.csv", tmp_path / "out"
    assert_fine(run("datasets", "iris", "--out", path))
    result = run("select", path, "--k", "1:4", "--covariance", "all", "--out", out, "--standardize")
    assert_fine(result)
    assert names_in(out) == WRITTEN
    assert len(pd.read_csv(out / "table.csv")) == 4 * 14
