"""Rows that stay in their file: read whole and in order however they are cut, and refused with the place."""

import numpy as np
import pyarrow.parquet
import pytest
import zarr
from passes import rows_of_sample, rows_per_block
from textbook import assert_close

import bayesgmm as bg
from bayesgmm.data.sources import Kernel
from bayesgmm.data.sources.readers import NpyReader, SliceReader, reader_of
from bayesgmm.data.sources.summary import Moments, summarise
from bayesgmm.numerics.precision import in_float64

N, D = 5_003, 3
ROWS = np.random.default_rng(0).normal([1e6, -2.0, 0.3], [1.0, 40.0, 0.1], (N, D))


@pytest.fixture
def path(tmp_path):
    np.save(tmp_path / "rows.npy", ROWS)
    return tmp_path / "rows.npy"


class Slices:
    """What a Zarr array is to a reader."""

    def __init__(self, rows):
        self.rows, self.shape, self.dtype = rows, rows.shape, rows.dtype

    def __getitem__(self, index):
        return self.rows[index].copy()


def parquet(folder, parts):
    """Write tables, each with the length of its row groups, as the files of a folder."""
    for number, (table, length) in enumerate(parts):
        place = folder / f"part-{number}.parquet"
        pyarrow.parquet.write_table(pyarrow.table(table), place, row_group_size=length)
    return folder


def named(rows, names="abc"):
    return dict(zip(names, rows.T, strict=True))


@pytest.mark.parametrize("length", [7, 1_000, N, 2 * N])
@pytest.mark.parametrize("kind", ["path", "text", "memory map", "slices"])
def test_blocks_are_the_rows_in_order(path, kind, length):
    given = {
        "path": path,
        "text": str(path),
        "memory map": np.load(path, mmap_mode="r"),
        "slices": Slices(ROWS),
    }[kind]
    reader = reader_of(given, None)
    blocks = list(reader.blocks(length))
    assert {len(block) for block in blocks[:-1]} <= {length}
    np.testing.assert_array_equal(np.concatenate(blocks), ROWS)


def test_parquet_is_cut_anew(tmp_path):
    parts = zip(np.split(ROWS, [7, 40, 3_000]), [7, 900, 333, 5_000], strict=True)
    folder = parquet(tmp_path, [(named(rows), length) for rows, length in parts])
    reader = reader_of(folder, None)
    assert (reader.n_rows, reader.names) == (N, ("a", "b", "c"))
    blocks = list(reader.blocks(1_000))
    assert [len(block) for block in blocks] == [1_000] * 5 + [3]
    np.testing.assert_array_equal(np.concatenate(blocks), ROWS)


def test_columns_of_parquet_are_chosen_by_name(tmp_path):
    text = {"d": ["x"] * N}
    folder = parquet(tmp_path, [(named(ROWS) | text, N)])
    blocks = reader_of(folder, ["c", "a"]).blocks(999)
    np.testing.assert_array_equal(np.concatenate(list(blocks)), ROWS[:, [2, 0]])
    with pytest.raises(ValueError, match=r"got \['e'\]"):
        reader_of(folder, ["a", "e"])
    with pytest.raises(ValueError, match=r"got \['d'\] of other types"):
        reader_of(folder, None)


def test_a_missing_number_is_named(tmp_path):
    column = pyarrow.array([1, 2, None, 4])
    with pytest.raises(ValueError, match="row 2, column 'whole'"):
        bg.stream(parquet(tmp_path, [({"whole": column}, 4)]))


def test_files_of_other_columns_are_named(tmp_path):
    folder = parquet(tmp_path, [(named(ROWS), N), (named(ROWS, "abd"), N)])
    with pytest.raises(ValueError, match=r"got \['a', 'b', 'd'\] in part-1.parquet"):
        bg.stream(folder)


def test_empty_files_and_row_groups_are_nothing(tmp_path):
    parts = [(named(ROWS[:0]), N), (named(ROWS), N), (named(ROWS[:0]), N)]
    opened = bg.stream(parquet(tmp_path, parts))
    assert opened.n_rows == N
    np.testing.assert_array_equal(opened.sample.values, ROWS)


def test_no_rows_at_all_are_refused(tmp_path):
    (tmp_path / "folder").mkdir()
    np.save(tmp_path / "none.npy", ROWS[:0])
    for source in (tmp_path / "none.npy", parquet(tmp_path / "folder", [(named(ROWS[:0]), N)])):
        with pytest.raises(ValueError, match="got none"):
            bg.stream(source)


def test_zarr_is_read_by_slices(tmp_path):
    stored = zarr.create_array(str(tmp_path / "rows.zarr"), data=ROWS, chunks=(777, 2))
    opened = bg.stream(stored)
    np.testing.assert_array_equal(opened.sample.values, ROWS)
    again = zarr.open_array(str(tmp_path / "rows.zarr"), mode="r")
    np.testing.assert_array_equal(np.concatenate(list(reader_of(again, None).blocks(500))), ROWS)


def test_a_part_of_a_map_is_that_part(path):
    mapped = np.load(path, mmap_mode="r")
    np.testing.assert_array_equal(
        np.concatenate(list(NpyReader.of(mapped[100:300]).blocks(64))), ROWS[100:300]
    )
    with pytest.raises(ValueError, match="in C order"):
        NpyReader.of(mapped[:, :2])


@pytest.mark.parametrize("dtype", [np.float32, np.int16, bool])
def test_types_are_those_of_a_table_in_memory(tmp_path, dtype):
    table = (ROWS[:, 1:] > 0).astype(dtype)
    np.save(tmp_path / "some.npy", table)
    opened, resident = bg.stream(tmp_path / "some.npy"), bg.Dataset.from_array(table)
    assert opened.dtype == resident.dtype
    np.testing.assert_array_equal(opened.sample.values, resident.values)


def test_one_pass_finds_what_a_table_in_memory_says(path):
    opened, resident = bg.stream(path), bg.Dataset.from_array(ROWS)
    assert_close(opened.affine.centre, resident.affine.centre, rtol=1e-14)
    assert_close(opened.affine.scale, resident.affine.scale, rtol=1e-12)
    np.testing.assert_array_equal(opened.ends(), resident.ends())
    np.testing.assert_array_equal(opened.medians(), resident.medians())
    assert (opened.total_cells, opened.total_weight) == (N * D, N)
    assert opened.names == resident.names


def test_moments_join_as_those_of_all_rows():
    moments = Moments.none(D)
    for part in np.split(ROWS, [1, 700, 4_000]):
        moments = moments.merged(Moments.of(part))
    assert_close(moments.means, ROWS.mean(0), rtol=1e-14)
    assert_close(moments.squares / N, ROWS.var(0), rtol=1e-9)


def test_the_sample_is_chosen_by_the_seed_alone(path, monkeypatch):
    rows_of_sample(monkeypatch, 50)
    one, same, other = (bg.stream(path, seed=seed).sample.values for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert len(one) == 50
    assert not np.array_equal(one, other)
    chosen = np.array([0, 49, 50, 4_999])
    for length in (50, 333):
        found = summarise(reader_of(path, None).blocks(length), ("a", "b", "c"), chosen)
        np.testing.assert_array_equal(found.sample, ROWS[chosen])


@pytest.mark.parametrize("n_rows", [1024, 2_000, 700_000])
@in_float64
def test_sums_do_not_depend_on_blocks(path, monkeypatch, n_rows):
    rows_per_block(monkeypatch, n_rows, D)
    opened = bg.stream(path)

    def kernel(power, rows):
        return (rows.values**power * rows.weights[:, None]).sum((0, 2)), rows.weights.sum()

    sums, number = opened.reduce(Kernel(kernel, ()), 2, 10)
    assert number == N
    assert_close(sums, (opened.affine.forward(ROWS) ** 2).sum(0), rtol=1e-12)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_the_first_bad_cell_is_named(tmp_path, monkeypatch, bad):
    rows_per_block(monkeypatch, 1024, D)
    table = ROWS.copy()
    table[4_321, 1] = bad
    np.save(tmp_path / "rows.npy", table)
    with pytest.raises(ValueError, match=rf"got {bad} in block 4, row 4321, column 'x1'"):
        bg.stream(tmp_path / "rows.npy")


def test_a_file_that_was_cut_short_is_refused(path):
    reader = reader_of(path, None)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 100)
    with pytest.raises(ValueError, match="got 13 cells fewer"):
        list(reader.blocks(1_000))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("rows.csv", "read into memory"),
        (3, "got 3"),
        (Slices(np.zeros(4)), r"got shape \(4,\)"),
    ],
)
def test_what_cannot_be_streamed_is_refused(given, words):
    with pytest.raises(ValueError, match=words):
        bg.stream(given)


def test_columns_are_for_files_that_name_them(path):
    with pytest.raises(ValueError, match="for Parquet files only"):
        bg.stream(path, columns=["a"])


def test_text_is_refused(tmp_path):
    np.save(tmp_path / "text.npy", np.array([["a", "b"], ["c", "d"]]))
    with pytest.raises(TypeError, match="Expected rows of numbers"):
        bg.stream(tmp_path / "text.npy")


def test_equal_rows_are_refused(tmp_path):
    np.save(tmp_path / "equal.npy", np.ones((10, 2)))
    with pytest.raises(ValueError, match="rows that differ"):
        bg.stream(tmp_path / "equal.npy")


def test_slices_are_read_as_they_come():
    assert SliceReader(Slices(ROWS)).dtype == np.float64
