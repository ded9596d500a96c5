"""Files of rows, read block by block in their order."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np


class Reader(Protocol):
    """Rows in a file or in anything that is read a part at a time."""

    @property
    def n_rows(self) -> int:
        """Number of rows."""

    @property
    def n_columns(self) -> int:
        """Number of columns."""

    @property
    def names(self) -> tuple[str, ...] | None:
        """Column names, if there are any."""

    @property
    def dtype(self) -> np.dtype:
        """Floating-point type of the rows."""

    def blocks(self, length: int) -> Iterator[np.ndarray]:
        """Yield rows (n, D) in order, ``length`` at a time; the last block may be shorter."""


class NpyReader:
    """A table in a ``.npy`` file or a memory map of one, read by ``read`` calls.

    Pages of a memory map count as memory of the process for as long as the system has room; what is read
    into a buffer does not.
    """

    names = None

    def __init__(self, path: Any, offset: int, shape: tuple[int, ...], dtype: np.dtype) -> None:
        """Remember where the rows lie."""
        self.path, self.offset, self.kind = Path(path), offset, dtype
        self.n_rows, self.n_columns = shape
        self.dtype = floating(dtype)

    @classmethod
    def of(cls, mapped: np.memmap) -> "NpyReader":
        """Return the reader of a memory-mapped file of rows."""
        if mapped.ndim != 2 or not mapped.flags.c_contiguous:
            raise ValueError(
                f"Expected a memory map of rows (N, D) in C order, got shape {mapped.shape}. Save it by "
                "np.save, or pass np.ascontiguousarray(...), which takes it into memory."
            )
        start = mapped.__array_interface__["data"][0] - base_of(mapped)
        return cls(mapped.filename, mapped.offset + start, mapped.shape, mapped.dtype)

    def blocks(self, length: int) -> Iterator[np.ndarray]:
        """Yield rows in order."""
        n_cells = length * self.n_columns
        left = self.n_rows * self.n_columns
        with self.path.open("rb") as file:
            file.seek(self.offset)
            while left:
                cells = np.fromfile(file, self.kind, min(n_cells, left))
                if len(cells) < min(n_cells, left):
                    raise ValueError(
                        f"Expected {self.n_rows} rows in {self.path.name}, got {left - len(cells)} cells fewer: the "
                        "file was cut short. Write it again."
                    )
                left -= len(cells)
                yield cells.reshape(-1, self.n_columns)


class ParquetReader:
    """Parquet files of one schema, read by row groups."""

    def __init__(self, path: Any, columns: list[str] | None) -> None:
        """Open a file or a folder of files."""
        try:
            from pyarrow import dataset, types
        except ImportError:
            raise ImportError(
                "Expected pyarrow to read Parquet, got none. Install it: pip install 'bayesgmm[parquet]'."
            ) from None
        self.table = dataset.dataset(path, format="parquet")
        schema = self.table.schema
        for part in self.table.get_fragments():
            if set(part.physical_schema.names) != set(schema.names):
                raise ValueError(
                    f"Expected columns {schema.names} in every file, got {part.physical_schema.names} in "
                    f"{Path(part.path).name}. Move it elsewhere, or write it again."
                )
        chosen = list(schema.names) if columns is None else list(columns)
        missing = [name for name in chosen if name not in schema.names]
        if missing:
            raise ValueError(
                f"Expected columns out of {schema.names}, got {missing}. Check their spelling."
            )
        kinds = [schema.field(name).type for name in chosen]
        is_number = [types.is_floating(kind) or types.is_integer(kind) for kind in kinds]
        others = [name for name, good in zip(chosen, is_number, strict=True) if not good]
        if others:
            raise ValueError(
                f"Expected columns of numbers, got {others} of other types. Leave them out with columns=."
            )
        self.names, self.n_columns = tuple(chosen), len(chosen)
        self.n_rows = self.table.count_rows()
        is_single = all(types.is_float32(kind) for kind in kinds)
        self.dtype = np.dtype(np.float32 if is_single else np.float64)

    def blocks(self, length: int) -> Iterator[np.ndarray]:
        """Yield rows in order, cut anew: row groups are as long as whoever wrote them liked."""
        waiting, n_waiting = [], 0
        columns = list(self.names)
        batches = self.table.to_batches(
            columns=columns, batch_size=length, batch_readahead=2, fragment_readahead=1
        )
        for batch in batches:
            cells = [column.to_numpy(zero_copy_only=False) for column in batch.columns]
            part = np.stack(cells, 1, dtype=self.dtype, casting="unsafe")
            waiting.append(part)
            n_waiting += len(part)
            while n_waiting >= length:
                rows = np.concatenate(waiting)
                yield rows[:length]
                waiting, n_waiting = [rows[length:]], n_waiting - length
        if n_waiting:
            yield np.concatenate(waiting)


class SliceReader:
    """Anything that gives rows by slices, as Zarr arrays do."""

    names = None

    def __init__(self, rows: Any) -> None:
        """Remember the rows."""
        if len(rows.shape) != 2:
            raise ValueError(f"Expected rows (N, D), got shape {tuple(rows.shape)}. Pass a table.")
        self.rows = rows
        self.n_rows, self.n_columns = map(int, rows.shape)
        self.dtype = floating(np.dtype(rows.dtype))

    def blocks(self, length: int) -> Iterator[np.ndarray]:
        """Yield rows in order."""
        for start in range(0, self.n_rows, length):
            yield np.asarray(self.rows[start : start + length])


def reader_of(source: Any, columns: list[str] | None) -> Reader:
    """Return the reader of a path, a memory map or a sliceable table.

    Raises:
        ValueError: a kind of file that is not known, or columns of an array.
        TypeError: neither a path nor rows.
    """
    is_path = isinstance(source, (str, Path))
    if columns is not None and not (is_path and Path(source).suffix != ".npy"):
        raise ValueError(
            "Expected columns= for Parquet files only, got it with rows that have no names. Leave it out."
        )
    if isinstance(source, np.memmap):
        return NpyReader.of(source)
    if is_path and Path(source).suffix == ".npy":
        return NpyReader.of(np.load(source, mmap_mode="r"))
    if is_path and (Path(source).is_dir() or Path(source).suffix in (".parquet", ".pq")):
        return ParquetReader(str(source), columns)
    if not is_path and hasattr(source, "shape") and hasattr(source, "__getitem__"):
        return SliceReader(source)
    raise ValueError(
        f"Expected a .npy file, Parquet, a memory map or a Zarr array, got {source!r}. Other files are read "
        "into memory first, for instance by pandas.read_csv."
    )


def floating(dtype: np.dtype) -> np.dtype:
    """Return the type that rows of a type become.

    Raises:
        TypeError: not numbers.
    """
    if dtype.kind not in "iufb":
        raise TypeError(
            f"Expected rows of numbers, got type {dtype}. Convert the columns to numbers."
        )
    return np.dtype(np.float32) if dtype == np.float32 else np.dtype(np.float64)


def base_of(mapped: np.memmap) -> int:
    """Return the address of the first cell that the map was opened with."""
    whole: Any = mapped
    while isinstance(whole.base, np.ndarray):
        whole = whole.base
    return whole.__array_interface__["data"][0]
