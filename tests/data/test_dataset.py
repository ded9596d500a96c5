"""The door for data: what comes in, under which names, and what is turned away."""

import warnings

import jax.numpy as jnp
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from textbook import assert_three_parts

from bayesgmm.data.dataset import Dataset, DataWarning
from bayesgmm.data.table import match_columns

TABLE = np.array([[1.0, 2.0, 7.0], [3.0, 5.0, -1.0], [4.0, 0.5, 2.0], [9.0, 2.5, 3.0]])
NAMES = ["length", "width", "height"]


def arrow(table, names):
    return pa.table(dict(zip(names, table.T, strict=True)))


UNNAMED = {
    "numpy": lambda table: table,
    "fortran": np.asfortranarray,
    "jax": lambda table: jnp.asarray(table),
    "lists": lambda table: table.tolist(),
    "tuples": lambda table: tuple(map(tuple, table)),
    "objects": lambda table: table.astype(object),
    "numbered pandas": pd.DataFrame,
    "numbers as text of objects": lambda table: table.astype(str).astype(object),
}
NAMED = {
    "pandas": lambda table, names: pd.DataFrame(table, columns=names),
    "nullable pandas": lambda table, names: pd.DataFrame(table, columns=names).astype("Float64"),
    "polars": lambda table, names: pl.DataFrame(table, schema=names),
    "lazy polars": lambda table, names: pl.DataFrame(table, schema=names).lazy(),
    "pyarrow": arrow,
}


@pytest.mark.parametrize("convert", UNNAMED.values(), ids=UNNAMED)
def test_tables_without_names(convert):
    data = Dataset.from_array(convert(TABLE))
    assert isinstance(data.values, np.ndarray)
    assert np.array_equal(data.values, TABLE)
    assert (data.n_rows, data.n_columns) == (4, 3)
    assert data.names == ("x0", "x1", "x2")
    assert not data.named


@pytest.mark.parametrize("convert", NAMED.values(), ids=NAMED)
def test_frames_keep_their_names(convert):
    data = Dataset.from_array(convert(TABLE, NAMES))
    assert np.array_equal(data.values, TABLE)
    assert data.names == tuple(NAMES)
    assert data.named


def test_names_may_be_given():
    data = Dataset.from_array(TABLE, names=NAMES)
    assert data.names == tuple(NAMES)
    assert data.named
    renamed = Dataset.from_array(pd.DataFrame(TABLE, columns=["a", "b", "c"]), names=NAMES)
    assert renamed.names == tuple(NAMES)
    with pytest.raises(ValueError, match="one name per column") as caught:
        Dataset.from_array(TABLE, names=NAMES[:2])
    assert_three_parts(str(caught.value))


TYPES = {
    np.float32: np.float32,
    np.float64: np.float64,
    np.float16: np.float64,
    np.int8: np.float64,
    np.int64: np.float64,
    np.uint16: np.float64,
}


@pytest.mark.parametrize(("given", "kept"), TYPES.items(), ids=[one.__name__ for one in TYPES])
def test_single_precision_stays_and_the_rest_becomes_double(given, kept):
    table = np.round(np.abs(TABLE)).astype(given)
    data = Dataset.from_array(table)
    assert data.dtype == data.values.dtype == kept
    assert np.array_equal(data.values, table.astype(kept))
    assert data.scaled().dtype == np.float64


def test_single_precision_of_jax_and_frames_stays():
    table = TABLE.astype(np.float32)
    frames = (jnp.asarray(table), pd.DataFrame(table), pl.DataFrame(table))
    assert [Dataset.from_array(frame).dtype for frame in frames] == [np.float32] * 3


def test_truth_values_are_zeros_and_ones():
    table = TABLE > 2
    expected = table.astype(float)
    for given in (table, table.tolist(), pl.DataFrame(table, schema=NAMES)):
        assert np.array_equal(Dataset.from_array(given).values, expected)


def nan_at(row, column, value=np.nan):
    table = TABLE.copy()
    table[row, column] = value
    return table


BAD = {
    "one axis": (TABLE[0], ValueError, "2D array, got 1D"),
    "nothing": (None, ValueError, "2D array, got 0D"),
    "no rows": (TABLE[:0], ValueError, r"0 sample\(s\)"),
    "no columns": (TABLE[:, :0], ValueError, r"0 feature\(s\)"),
    "complex": (TABLE + 1j, ValueError, "Complex data"),
    "text": (TABLE.astype(str), TypeError, "Expected numbers"),
    "dates": (TABLE.astype("datetime64[D]"), TypeError, "Expected numbers"),
    "ragged": ([[1, 2], [3]], ValueError, "equal length"),
    "infinite": (nan_at(2, 1, np.inf), ValueError, "infinity.* row 2, column 1"),
    "first of two": (nan_at(1, 2, np.inf) + nan_at(3, 0), ValueError, "infinity.* row 1, column 2"),
    "named infinite": (
        pd.DataFrame(nan_at(2, 1, -np.inf), columns=NAMES),
        ValueError,
        r"column 1 \('width'\)",
    ),
    "one row": (TABLE[:1], ValueError, "two rows"),
    "equal rows": (TABLE[[1, 1]], ValueError, "rows that differ"),
    "same names": (pd.DataFrame(TABLE, columns=["a", "b", "a"]), ValueError, "unique column names"),
    "dates in a frame": (
        pd.DataFrame({"day": pd.date_range("2020", periods=3), "x": [1.0, 2, 3]}),
        TypeError,
        r"\['day'\].*Datetime",
    ),
    "too wide": (1e160 * TABLE, ValueError, "Change the unit"),
    "too narrow": (1e-160 * TABLE, ValueError, "Change the unit"),
    "too wide for its type": ((1e20 * TABLE).astype(np.float32), ValueError, "or pass float64"),
}


@pytest.mark.parametrize(("table", "kind", "message"), BAD.values(), ids=BAD)
def test_bad_tables_are_refused_with_advice(table, kind, message):
    with pytest.raises(kind, match=message) as caught:
        Dataset.from_array(table)
    assert "got" in str(caught.value) or "Found" in str(caught.value)
    assert str(caught.value).endswith((".", ").")) or "Reshape" in str(caught.value)


def test_a_huge_sum_is_not_taken_for_infinity():
    table = np.full((4, 2), 1e308)
    table[0] = 0.99e308
    with pytest.raises(ValueError, match="Change the unit"):
        Dataset.from_array(table)


def test_constant_columns_are_warned_of_where_the_user_is():
    table = TABLE.copy()
    table[:, [0, 2]] = 1.0
    with pytest.warns(DataWarning, match=r"\['x0', 'x2'\] are constant"):
        Dataset.from_array(table)


def test_distinct_rows_are_counted():
    data = Dataset.from_array(np.repeat(TABLE, 3, axis=0))
    data.require_distinct_rows(4)
    with pytest.raises(ValueError, match="got 4 distinct rows for n_components=5") as caught:
        data.require_distinct_rows(5)
    assert_three_parts(" ".join(str(caught.value).split()))


# New rows ----------------------------------------------------------------------------------------


def test_new_rows_are_matched_by_number_and_name():
    new = pd.DataFrame(TABLE[:1], columns=NAMES)
    for named in (True, False):
        values = match_columns(new, NAMES, named, np.dtype(np.float32))
        assert values.dtype == np.float32
        assert np.array_equal(values, TABLE[:1])
    assert np.array_equal(match_columns(TABLE[:1], NAMES, True, np.dtype(float)), TABLE[:1])
    with pytest.raises(ValueError, match="X has 2 features, but this fit is expecting 3 features"):
        match_columns(TABLE[:, :2], NAMES, True, np.dtype(float))
    shuffled = new[["width", "length", "height"]]
    with pytest.raises(ValueError, match="Expected the columns") as caught:
        match_columns(shuffled, NAMES, True, np.dtype(float))
    assert_three_parts(str(caught.value))
    match_columns(shuffled, NAMES, False, np.dtype(float))


ADVICE = {
    np.nan: "Missing cells are not supported",
    np.inf: "Correct such cells",
    -np.inf: "Correct such cells",
}


@pytest.mark.parametrize(("value", "advice"), ADVICE.items(), ids=str)
def test_a_missing_cell_and_an_infinite_one_ask_for_different_things(value, advice):
    with pytest.raises(ValueError, match=r"expected finite numbers, got .* row 2") as caught:
        match_columns(nan_at(2, 0, value), NAMES, False, np.dtype(float))
    assert str(caught.value).split("the first such cell. ")[1].startswith(advice)
    assert f"got {value} in" in str(caught.value)


@pytest.mark.parametrize(
    "table",
    [
        nan_at(1, 1),
        pd.DataFrame(nan_at(1, 1), columns=NAMES),
        pl.DataFrame(TABLE, schema=NAMES).with_columns(
            pl.when(pl.col("width") == 5).then(None).otherwise(pl.col("width")).alias("width")
        ),
        np.ma.masked_equal(TABLE, 5.0),
        np.ma.masked_equal(TABLE.astype(int), 5),
    ],
    ids=["numpy", "pandas", "polars null", "masked", "masked whole"],
)
def test_cells_may_be_missing(table):
    data = Dataset.from_array(table)
    assert data.has_missing
    assert data.total_cells == TABLE.size - 1
    np.testing.assert_array_equal(np.argwhere(np.isnan(data.values)), [[1, 1]])


def test_missing_cells_pass_where_they_are_asked_for_and_infinity_never():
    holes = [[1.0, np.nan, 3.0], [np.nan] * 3]
    values = match_columns(holes, NAMES, False, np.dtype(float), missing=True)
    assert np.array_equal(values, holes, equal_nan=True)
    with pytest.raises(ValueError, match=r"infinity.* row 1, column 2"):
        match_columns([holes[0], [np.nan, 1, np.inf]], NAMES, False, np.dtype(float), missing=True)
    with pytest.raises(ValueError, match=r"NaN.* row 0, column 1"):
        match_columns(holes, NAMES, False, np.dtype(float))


def test_new_rows_may_be_constant_or_few():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert match_columns(TABLE[[0, 0]], NAMES, False, np.dtype(float)).shape == (2, 3)
