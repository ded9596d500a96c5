import os
import subprocess
import sys
from dataclasses import replace
from io import StringIO
from types import SimpleNamespace

import jax
import numpy as np
import pandas as pd
import pytest
import scipy.stats
from rich.console import Console
from typer.testing import CliRunner

import bayesgmm as bg
from bayesgmm import cli, datasets
from bayesgmm.cli import commands, intake, results, show
from bayesgmm.diagnostics.diagnosis import Diagnosis
from bayesgmm.posterior.membership import membership
from bayesgmm.posterior.partition import partition

PICTURES = {"clusters.png", "n_clusters.png", "trace.png"}


def run(*args):
    return CliRunner().invoke(cli.app, [str(arg) for arg in args])


@pytest.fixture
def table(tmp_path):
    random = np.random.default_rng(0)
    values = np.concatenate([random.normal(0, 1, (20, 2)), random.normal(8, 1, (15, 2))])
    path = tmp_path / "table.csv"
    pd.DataFrame(values, columns=["a", "b"]).assign(name="text").to_csv(path, index=False)
    return path


def assert_refused(result, *words):
    """One sentence on standard error, exit code 2, no traceback."""
    assert result.exit_code == 2
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1
    assert all(word in lines[0] for word in words), lines[0]
    assert "Traceback" not in result.output


def test_help_names_the_commands():
    result = run("--help")
    assert result.exit_code == 0
    assert all(word in result.output for word in ("demo", "fit", "datasets"))


def test_help_loads_no_heavy_module():
    program = (
        "import sys, bayesgmm.cli\n"
        "heavy = {'jax', 'numpyro', 'arviz', 'pandas', 'matplotlib', 'scipy', 'sklearn'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_datasets_lists_every_set():
    result = run("datasets")
    assert result.exit_code == 0
    assert all(name in result.output for name in datasets.names())


def test_a_missing_file_is_refused(tmp_path):
    assert_refused(run("fit", tmp_path / "none.csv"), "found none", "none.csv")


def test_an_unknown_extension_is_refused(tmp_path):
    path = tmp_path / "table.xlsx"
    path.touch()
    assert_refused(run("fit", path), ".csv, .parquet or .npy", "table.xlsx")


@pytest.mark.parametrize("name", ["table.csv", "table.npy", "table.parquet"])
def test_an_unreadable_file_is_refused(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"")
    assert_refused(run("fit", path), "readable", name)


def test_text_columns_are_named_with_the_way_out(table):
    assert_refused(run("fit", table), "name", "--columns a,b")


def test_no_numeric_columns_are_refused(table):
    assert_refused(run("fit", table, "--columns", "name"), "numeric columns, got none")


def test_unknown_columns_are_refused(table):
    assert_refused(run("fit", table, "--columns", "a,z"), "a, b, name", "got z")


@pytest.mark.parametrize("k", ["0", "some", "2.5", "-1"])
def test_a_bad_k_is_refused(table, k):
    assert_refused(run("fit", table, "--columns", "a,b", "--k", k), "--k", k)


def test_more_components_than_rows_are_refused_before_any_work(table, tmp_path):
    result = run("fit", table, "--columns", "a", "--k", 99, "--out", tmp_path / "out")
    assert_refused(result, "99")


def test_missing_cells_are_refused(tmp_path):
    path = tmp_path / "gaps.csv"
    path.write_text("a,b\n1,2\n3,\n5,6\n")
    assert_refused(run("fit", path, "--out", tmp_path / "out"), "NaN", "'b'")


def test_a_folder_with_files_needs_force(table, tmp_path):
    for command in (["fit", table, "--columns", "a"], ["demo"]):
        assert_refused(run(*command, "--out", tmp_path), "--force")


def test_an_output_that_is_a_file_is_refused(table):
    assert_refused(run("fit", table, "--columns", "a", "--out", table), "can be written")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes anywhere")
def test_an_output_that_cannot_be_written_is_refused(table, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    result = run("fit", table, "--columns", "a", "--out", tmp_path / "locked")
    assert_refused(result, "can be written")


def test_an_unknown_data_set_is_refused(tmp_path):
    assert_refused(run("demo", "--data", "none", "--out", tmp_path / "out"), "faithful", "'none'")


def test_debug_shows_the_error(tmp_path):
    result = run("fit", tmp_path / "none.csv", "--debug")
    assert isinstance(result.exception, intake.InputError)


@pytest.mark.parametrize("extension", ["csv", "parquet", "npy"])
def test_all_formats_hold_the_same_numbers(tmp_path, extension):
    polars = pytest.importorskip("polars")
    values = np.arange(6.0).reshape(3, 2)
    path = tmp_path / f"table.{extension}"
    if extension == "npy":
        np.save(path, values)
    else:
        getattr(polars.DataFrame(values, schema=["x0", "x1"]), f"write_{extension}")(path)
    frame = intake.read_frame(path)
    np.testing.assert_array_equal(frame.to_numpy(), values)
    assert list(frame.columns) == ["x0", "x1"]


def test_output_folder_leaves_no_trace(tmp_path):
    folder = intake.output_folder(tmp_path / "a" / "b", force=False)
    assert list(folder.iterdir()) == []


def repeated(data, spec, seed, draws, *, progress):
    """Stand in for the sampler: a point by EM, repeated as two chains of draws."""
    spec = bg.MixtureSpec.maximum_likelihood(spec.size)
    point = bg.fit(data, spec, engine=bg.EM(), seed=seed)
    shape = (2, draws)
    scaled = jax.tree.map(lambda leaf: np.broadcast_to(leaf, (*shape, *leaf.shape)), point.scaled)
    counts = np.bincount(point.allocations().ravel(), minlength=spec.size)
    return replace(
        point,
        kind="posterior",
        scaled=scaled,
        log_likelihood=np.full(shape, point.log_likelihood),
        counts=np.broadcast_to(counts, (*shape, spec.size)),
        label_key=np.zeros(2, np.uint32),
    )


def assert_complete(result, out):
    assert result.exit_code == 0, result.exception
    assert {path.name for path in out.iterdir()} == PICTURES | {"fit.nc", "assignments.csv"}
    found = pd.read_csv(out / "assignments.csv")
    assert list(found.columns) == ["row", "label", "certainty", "entropy"]
    assert found["label"].tolist() == [0] * 20 + [1] * 15
    assert found["certainty"].between(0.5, 1).all()
    assert found["entropy"].between(0, 1).all()


def test_fit_writes_tables_and_pictures(table, tmp_path, monkeypatch):
    store = SimpleNamespace(save=lambda fit, path: path.touch())
    monkeypatch.setitem(sys.modules, "bayesgmm.store", store)
    monkeypatch.setattr(commands, "sample", repeated)
    monkeypatch.setattr(commands, "print_checks", lambda console, fit: None)
    out = tmp_path / "out"
    result = run("fit", table, "--columns", "a,b", "--k", 2, "--draws", 20, "--out", out)
    assert_complete(result, out)
    words = ("2 columns (a, b)", "Posterior of the number", "fit.nc", "assignments.csv")
    assert all(word in result.stdout for word in words)


def test_checks_are_printed_with_advice_where_they_fail(monkeypatch):
    rows = [("R-hat", 1.001, "< 1.01", True, "none"), ("ESS", 12.0, ">= 400", False, "Draw more.")]
    checks = Diagnosis(rows, columns=["check", "value", "threshold", "passed", "advice"])
    checks.attrs["verdict"] = "1 of 2 checks fails."
    module = SimpleNamespace(diagnose=lambda fit: checks)
    monkeypatch.setitem(sys.modules, "bayesgmm.diagnostics.checks", module)
    console = Console(record=True, width=100, file=StringIO())
    show.print_checks(console, None)
    text = console.export_text()
    assert text.startswith("1 of 2 checks fails.")
    assert all(word in text for word in ("ESS", "12", ">= 400", "Draw more."))
    assert not any(word in text for word in ("R-hat", "none"))


def test_a_partition_that_differs_from_the_mode_is_explained():
    fit = SimpleNamespace(n_clusters=np.array([[3, 3, 2]]))
    assert "is 3" in show.note_on_partition(fit, SimpleNamespace(n_clusters=2))
    assert not show.note_on_partition(fit, SimpleNamespace(n_clusters=3))


@pytest.mark.slow
def test_fit_runs_end_to_end(table, tmp_path):
    out = tmp_path / "out"
    result = run("fit", table, "--columns", "a,b", "--k", 2, "--draws", 50, "--out", out)
    assert_complete(result, out)
    assert "Do not trust this run yet" in result.stdout


def test_assignments_of_a_point_are_its_responsibilities():
    spec = bg.MixtureSpec.maximum_likelihood(2)
    fit = bg.fit(datasets.faithful().frame, spec, engine=bg.EM())
    found = partition(fit)
    table = results.assignments(fit, found)
    p = membership(fit, found, fit.data.values).mean[:, 0]
    np.testing.assert_allclose(table["certainty"], np.maximum(p, 1 - p))
    expected = scipy.stats.entropy(np.stack([p, 1 - p]), base=2)
    np.testing.assert_allclose(table["entropy"], expected, atol=1e-12)


@pytest.mark.slow
def test_demo_runs_end_to_end(tmp_path):
    out = tmp_path / "demo"
    result = run("demo", "--out", out, "--draws", 100)
    assert result.exit_code == 0, result.exception
    assert {path.name for path in out.iterdir()} == PICTURES | {"fit.nc"}
    assert "Palmer Archipelago" in result.stdout
    assert "Look next" in result.stdout


@pytest.mark.slow
def test_quiet_prints_nothing(tmp_path):
    result = run("demo", "--out", tmp_path / "demo", "--draws", 20, "--quiet")
    assert result.exit_code == 0, result.exception
    assert result.output == ""
