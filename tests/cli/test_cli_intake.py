import numpy as np
import pandas as pd
import pytest
from command_line import assert_refused, run

from bayesgmm.cli import intake, room
from bayesgmm.cli.refusal import InputError


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


@pytest.mark.parametrize(("delimiter", "shown"), [(";", "';'"), ("\t", "tab"), ("|", "'|'")])
def test_another_delimiter_is_named(tmp_path, frame, delimiter, shown):
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False, sep=delimiter)
    assert_refused(run("fit", path), "a single one", shown, f"--delimiter {shown}")
    found = intake.read_frame(path, shown.strip("'"))
    pd.testing.assert_frame_equal(found, frame)


def test_decimal_commas_do_not_hide_the_delimiter(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a;b\n1,5;2,5\n3,5;4\n")
    assert_refused(run("fit", path), "--delimiter ';'")


def test_a_wrong_delimiter_is_refused(numbers):
    assert_refused(run("fit", numbers, "--delimiter", ";"), "','")
    assert_refused(run("fit", numbers, "--delimiter", "ab"), "one character", "'ab'")


def test_a_single_column_needs_no_delimiter(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a\n1\n2\n")
    assert list(intake.read_frame(path).columns) == ["a"]


def test_rows_with_more_cells_than_the_header_are_refused(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a,b\n1,2,\n3,4,\n")
    assert_refused(run("fit", path), "as many cells as the header", "2, got 3")


def test_text_columns_are_named_with_the_ways_out(table):
    assert_refused(run("fit", table), "name", "--columns a,b", "--numeric-only")


def test_no_numeric_columns_are_refused(table):
    assert_refused(run("fit", table, "--columns", "name"), "numeric columns, got none")
    assert_refused(
        run("fit", table, "--columns", "name", "--numeric-only"), "numeric columns, got none"
    )


def test_unknown_columns_are_refused(table):
    assert_refused(run("fit", table, "--columns", "a,z"), "a, b, name", "got z")
    assert_refused(run("fit", table, "--columns", ","), "got none")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n,\n5,6\n", "every row"),
        ("a,b\n1,\n2,\n", "every column"),
        ("a,b\n1,2\ninf,4\n", "infinity"),
        ("a,b\n1,2\n", "two rows"),
        ("a,b\n1,2\n1,2\n", "rows that differ"),
        ("a,b\n", "sample(s)"),
    ],
)
def test_rows_that_cannot_be_fitted_are_refused(tmp_path, text, words):
    path = tmp_path / "table.csv"
    path.write_text(text)
    out = tmp_path / "out"
    for command in ("fit", "select"):
        result = run(command, path, "--out", out)
        assert result.exit_code == 2
        assert words in result.stderr or "numeric columns" in result.stderr
        assert not out.exists()


@pytest.mark.parametrize("command", ["fit", "select"])
def test_a_file_too_large_for_memory_is_refused(numbers, monkeypatch, command):
    size = numbers.stat().st_size
    monkeypatch.setattr(room, "available_bytes", lambda: 6 * size - 1)
    assert_refused(run(command, numbers), "fits into memory", "6 times", "GiB are free")
    monkeypatch.setattr(room, "available_bytes", lambda: 6 * size)
    room.require_room(numbers)


def test_free_memory_is_known_or_not(tmp_path, monkeypatch):
    assert room.available_bytes() > 2**20
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 8 kB\nMemAvailable:       3 kB\n")
    monkeypatch.setattr(room, "MEMINFO", meminfo)
    assert room.available_bytes() == 3 * 1024
    meminfo.write_text("MemTotal: 8 kB\n")
    assert room.available_bytes() == room.physical_bytes()


@pytest.mark.parametrize("extension", ["csv", "parquet", "npy"])
def test_all_formats_hold_the_same_numbers(tmp_path, extension, monkeypatch):
    polars = pytest.importorskip("polars")
    values = np.arange(10.0).reshape(5, 2)
    path = tmp_path / f"table.{extension}"
    if extension == "npy":
        np.save(path, values)
    else:
        getattr(polars.DataFrame(values, schema=["x0", "x1"]), f"write_{extension}")(path)
    frame = intake.read_frame(path)
    np.testing.assert_array_equal(frame.to_numpy(), values)
    assert list(frame.columns) == ["x0", "x1"]
    monkeypatch.setattr(intake, "BLOCK_ROWS", 2)
    blocks = list(intake.read_blocks(path))
    assert [len(block) for block in blocks] == [2, 2, 1]
    np.testing.assert_array_equal(pd.concat(blocks).to_numpy(), values)


def test_an_array_of_three_dimensions_is_refused(tmp_path):
    path = tmp_path / "table.npy"
    np.save(path, np.zeros((2, 2, 2)))
    with pytest.raises(InputError, match="3 dimensions"):
        intake.read_frame(path)
