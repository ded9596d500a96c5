"""Tables of numbers: arrays, nested lists and data frames become rows (N, D) and column names."""

from collections.abc import Sequence
from typing import Any

import numpy as np

# What a cell is called and what to do about it.
NOT_A_NUMBER = (
    "NaN",
    "Missing cells are not supported here: drop these rows, or fill in the cells first.",
)
INFINITE = ("infinity", "Correct such cells, or drop their rows.")


def read_table(data: Any, *, missing: bool = False) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """Return the numbers of a table (N, D) and its column names, or None if it has none.

    Args:
        data: the table.
        missing: whether cells may be missing, NaN.

    Raises:
        ValueError: not two-dimensional, empty, complex, sparse, or not finite.
        TypeError: entries that are not numbers.
    """
    table, names = _from_frame(data)
    values = _as_float(table, names)
    _check_shape(values)
    _check_finite(np.where(np.isnan(values), 0, values) if missing else values, names)
    return values, names


def _from_frame(data: Any) -> tuple[Any, tuple[str, ...] | None]:
    if not hasattr(data, "collect_schema") and not hasattr(data, "columns"):
        return data, None
    import narwhals as nw

    try:
        frame = nw.from_native(data)
    except nw.exceptions.DuplicateError as error:
        raise ValueError(f"{error}. Rename these columns.") from error
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    text = [
        name
        for name, dtype in frame.schema.items()
        if not (dtype.is_numeric() or dtype == nw.Boolean)
    ]
    if text:
        raise TypeError(
            f"Expected numeric columns, got {text} of type "
            f"{[str(frame.schema[name]) for name in text]}. Drop or encode these columns first."
        )
    all_strings = all(isinstance(name, str) for name in frame.columns)
    return frame.to_numpy(), tuple(frame.columns) if all_strings else None


def _as_float(table: Any, names: tuple[str, ...] | None) -> np.ndarray:
    if hasattr(table, "toarray") and hasattr(table, "nnz"):
        raise TypeError(
            "Expected a dense table, got a sparse matrix. Sparse data is not supported: pass X.toarray()."
        )
    try:
        values = np.asarray(_with_nan_for_masked(table))
    except ValueError as error:
        raise ValueError(
            f"Expected rows of equal length, got a ragged sequence ({error}). Make every row as long as the first."
        ) from error
    if np.iscomplexobj(values):
        raise ValueError(
            "Complex data not supported: expected real numbers, got complex ones. "
            "Pass real and imaginary parts as two columns."
        )
    if values.dtype == object:
        values = _numbers_from_objects(values)
    if values.dtype.kind not in "biuf":
        raise TypeError(
            f"Expected numbers, got entries of type {values.dtype}. Drop or encode text and dates first."
        )
    return values if values.dtype in (np.float32, np.float64) else values.astype(np.float64)


def _with_nan_for_masked(table: Any) -> Any:
    """Return a masked array with NaN in its masked cells, anything else as it is."""
    if not np.ma.is_masked(table):
        return table
    return table.astype(np.result_type(table.dtype, np.float32)).filled(np.nan)


def _numbers_from_objects(values: np.ndarray) -> np.ndarray:
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"Expected numbers, got objects that are not numbers ({error}); the argument must be "
            "a string or a number. Drop or encode those columns first."
        ) from error


def _check_shape(values: np.ndarray) -> None:
    if values.ndim != 2:
        raise ValueError(
            f"Expected 2D array, got {values.ndim}D array instead, shape {values.shape}. "
            "Reshape your data: X.reshape(-1, 1) for one column, X.reshape(1, -1) for one row."
        )
    if values.shape[0] == 0 or values.shape[1] == 0:
        raise ValueError(
            f"Found array with {values.shape[0]} sample(s) and {values.shape[1]} feature(s) "
            f"(shape={values.shape}) while a minimum of 1 is required. Pass a table with rows and columns."
        )


def _check_finite(values: np.ndarray, names: tuple[str, ...] | None) -> None:
    # A sum is finite unless a cell is not (or the sum overflows): cheap first, exact second.
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(values.sum()):
            return
    for start in range(0, len(values), 65_536):
        bad = np.argwhere(~np.isfinite(values[start : start + 65_536]))
        if len(bad):
            row, column = int(bad[0, 0]) + start, int(bad[0, 1])
            kind, advice = NOT_A_NUMBER if np.isnan(values[row, column]) else INFINITE
            where = f"column {column}" + (f" ({names[column]!r})" if names else "")
            raise ValueError(
                f"Input X contains {kind}: expected finite numbers, got {values[row, column]} in row "
                f"{row}, {where}, the first such cell. {advice}"
            )


def match_columns(
    data: Any, names: Sequence[str], named: bool, dtype: np.dtype, *, missing: bool = False
) -> np.ndarray:
    """Return new rows (M, D) checked against the columns of a fit.

    Raises:
        ValueError: another number of columns, or frame columns with other names.
    """
    values, found = read_table(data, missing=missing)
    if values.shape[1] != len(names):
        raise ValueError(
            f"X has {values.shape[1]} features, but this fit is expecting {len(names)} features "
            f"as input: {list(names)}. Pass the columns the fit has seen, in the same order."
        )
    if named and found is not None and found != tuple(names):
        raise ValueError(
            f"Expected the columns {list(names)}, got {list(found)}. Select and order them as in the fit."
        )
    return values.astype(dtype, copy=False)
