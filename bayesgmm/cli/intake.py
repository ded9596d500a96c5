"""Tables out of files: CSV, Parquet and NumPy, whole or in blocks of rows."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .refusal import InputError, one_line
from .room import require_room

if TYPE_CHECKING:
    import pandas as pd

EXTENSIONS = (".csv", ".parquet", ".npy")
BLOCK_ROWS = 50_000
# What may stand between cells, with the way to say it.
DELIMITERS = {";": "';'", "\t": "tab", "|": "'|'", ",": "','"}


def read_frame(path: Path, delimiter: str | None = None) -> pd.DataFrame:
    """Read a table by the extension of its file.

    Args:
        path: the file.
        delimiter: what stands between the cells of a .csv, a comma by default.

    Returns:
        The table.

    Raises:
        InputError: no file, an unknown extension, contents that cannot be read, or too many of them.
    """
    readers = {
        ".csv": lambda path: read_csv(path, delimiter),
        ".parquet": read_parquet,
        ".npy": read_npy,
    }
    check_path(path)
    require_room(path)
    with as_unreadable(path):
        return readers[path.suffix.lower()](path)


def read_blocks(path: Path, delimiter: str | None = None) -> Iterator[pd.DataFrame]:
    """Read a table as ``read_frame`` does, but in blocks of rows where the format allows it."""
    check_path(path)
    with as_unreadable(path):
        if path.suffix.lower() == ".csv":
            yield from csv_blocks(path, delimiter)
            return
        if path.suffix.lower() == ".npy":
            table = read_npy(path, in_file=True)
        else:
            require_room(path)
            table = read_parquet(path)
        for start in range(0, len(table), BLOCK_ROWS):
            yield table.iloc[start : start + BLOCK_ROWS]


def check_path(path: Path) -> None:
    """Raise unless there is a file with an extension that says how to read it."""
    if path.suffix.lower() not in EXTENSIONS:
        raise InputError(
            f"Expected a file ending in .csv, .parquet or .npy, got {path}; convert it first."
        )
    if not path.is_file():
        raise InputError(f"Expected a file, found none at {path}; check the path.")


@contextmanager
def as_unreadable(path: Path) -> Iterator[None]:
    """Take errors of readers for what they are: a file that is not what its name says."""
    try:
        yield
    except (ValueError, OSError, EOFError, csv.Error) as error:
        reason = one_line(error).rstrip(".")
        raise InputError(
            f"Expected a readable table in {path}, got an error: {reason}; check the file."
        ) from error


def read_csv(path: Path, delimiter: str | None) -> pd.DataFrame:
    """Read a CSV file with a header."""
    import pandas as pd

    separator = checked_delimiter(path, delimiter)
    return pd.read_csv(path, sep=separator, low_memory=False)


def csv_blocks(path: Path, delimiter: str | None) -> Iterator[pd.DataFrame]:
    """Read a CSV file with a header, some rows at a time."""
    import pandas as pd

    separator = checked_delimiter(path, delimiter)
    with pd.read_csv(path, sep=separator, low_memory=False, chunksize=BLOCK_ROWS) as blocks:
        yield from blocks


def checked_delimiter(path: Path, delimiter: str | None) -> str:
    """Return the delimiter of a CSV file.

    Raises:
        InputError: not one character, or one that the first lines speak against.
    """
    separator = {None: ",", "tab": "\t", "\\t": "\t"}.get(delimiter, delimiter) or ""
    if len(separator) != 1:
        raise InputError(
            f"Expected --delimiter to be one character or tab, got {delimiter!r}; pass --delimiter ';'."
        )
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        lines = csv.reader(file, delimiter=separator)
        header, first = next(lines, []), next(lines, [])
    check_header(header, separator, path)
    if len(first) > len(header):
        raise InputError(
            f"Expected rows with as many cells as the header of {path}, {len(header)}, got {len(first)} in the "
            "first; name every column, and take away delimiters at the ends of lines."
        )
    return separator


def check_header(header: list[str], separator: str, path: Path) -> None:
    """Raise if a header stays in one piece that another delimiter would part."""
    others = [one for one in DELIMITERS if one in header[0]] if len(header) == 1 else []
    if others:
        shown = DELIMITERS[others[0]]
        raise InputError(
            f"Expected columns with {DELIMITERS.get(separator, repr(separator))} between them in {path}, got "
            f"a single one whose header holds {shown}; pass --delimiter {shown}."
        )


def read_parquet(path: Path) -> pd.DataFrame:
    """Read a Parquet file with pyarrow or polars, whichever is installed."""
    import pandas as pd

    try:
        return pd.read_parquet(path)
    except ImportError:
        pass
    try:
        import polars
    except ImportError as error:
        raise InputError(
            "Reading Parquet needs pyarrow or polars, and neither is installed; "
            "run pip install pyarrow, or convert the table to CSV."
        ) from error
    try:
        return pd.DataFrame(polars.read_parquet(path).to_dict(as_series=False))
    except polars.exceptions.PolarsError as error:
        raise ValueError(str(error)) from error


def read_npy(path: Path, *, in_file: bool = False) -> pd.DataFrame:
    """Read a NumPy array of one or two dimensions, or leave it in its file until it is needed."""
    import numpy as np
    import pandas as pd

    mode: Any = "r" if in_file else None
    values = np.load(path, mmap_mode=mode, allow_pickle=False)
    if values.ndim not in (1, 2):
        raise InputError(
            f"Expected an array of rows and columns in {path}, got {values.ndim} dimensions; "
            "reshape it first."
        )
    table = values.reshape(len(values), -1)
    return pd.DataFrame(table, columns=[f"x{j}" for j in range(table.shape[1])], copy=False)
