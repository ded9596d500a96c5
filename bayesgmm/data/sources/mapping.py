"""A function of rows, of all rows that are elsewhere: from a file into a file, from a Dask collection lazily."""

import os
import uuid
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate

import numpy as np
import pandas as pd

from .base import Source
from .blocks import rows_per_block
from .collection import Chunked, firsts_of, is_collection, open_collection, parts_of
from .readers import Reader, reader_of
from .streamed import Streamed

# Bytes of a block of rows.
BLOCK_BYTES = 16 * 2**20


def map_rows(
    function: Callable[..., Any], X: Any, out: Any = None, *, numbered: bool = False
) -> Any:
    """Apply a function to rows that are elsewhere, block by block.

    Args:
        function: of rows (n, D), in a data frame where they have names; returns (n,) or (n, J). For instance
            ``model.predict_proba``, or ``functools.partial(bg.log_density, fit)``.
        X: what ``stream`` takes: the path of a ``.npy`` file or of Parquet, a memory map, rows read by slices, a
            Dask array or data frame; or what it gives.
        out: path of the ``.npy`` file to write, for rows in files; it appears whole or not at all.
        numbered: whether the function also takes the numbers of the rows, (n,), as ``fit.labels_at`` does.

    Returns:
        For rows in files a memory map of ``out``, (N,) or (N, J). For a Dask collection a Dask array, nothing of
        which is computed yet.

    Raises:
        ValueError: rows in files without ``out``, or the other way around; rows that are in memory.
        OSError: ``out`` cannot be written.
    """
    if isinstance(X, Chunked) or is_collection(X):
        if out is not None:
            raise ValueError(
                f"Expected no out= with a Dask collection, got {out!r}: the result is a Dask array. Store that, for "
                "instance by dask.array.to_zarr."
            )
        return lazily(function, X, numbered=numbered)
    if isinstance(X, Source) and not isinstance(X, Streamed):
        raise ValueError(
            f"Expected rows in files or in a Dask collection, got {X.kind} ones, which are in memory. Apply the "
            "function to the rows themselves."
        )
    reader = X.reader if isinstance(X, Streamed) else reader_of(X, None)
    if out is None:
        raise ValueError(
            "Expected out=, the path of the file to write, with rows in a file, got none. Pass out='result.npy'."
        )
    return into_file(function, reader, Path(out), numbered=numbered)


def into_file(function: Callable[..., Any], reader: Reader, out: Path, *, numbered: bool) -> Any:
    """Write what a function says of the rows of a reader."""
    if out.suffix != ".npy" or not out.parent.is_dir():
        raise ValueError(
            f"Expected out= to be a path that ends in .npy, in a folder that exists, got {out}. Change it, or make "
            "the folder."
        )
    temporary = out.with_name(f".{uuid.uuid4().hex}.npy")
    table, first = None, 0
    try:
        for block in reader.blocks(rows_per_block(reader.n_columns, BLOCK_BYTES)):
            found = np.asarray(applied(function, block, reader.names, first if numbered else None))
            if table is None:
                shape = (reader.n_rows, *found.shape[1:])
                table = np.lib.format.open_memmap(temporary, "w+", found.dtype, shape)
            table[first : first + len(block)] = found
            first += len(block)
        if table is None:
            raise ValueError("Expected rows, got none. Check how the file was written.")
        table.flush()
        os.replace(temporary, out)
    finally:
        temporary.unlink(missing_ok=True)
    return np.load(out, mmap_mode="r")


def lazily(function: Callable[..., Any], X: Any, *, numbered: bool) -> Any:
    """Return the Dask array of what a function says of the rows of a collection."""
    import dask
    import dask.array as da

    if numbered and not isinstance(X, Chunked):
        X = open_collection(X)
    parts = X.parts if isinstance(X, Chunked) else parts_of(X)
    sizes = X.sizes if isinstance(X, Chunked) else (np.nan,) * len(parts.chunks)
    firsts = firsts_of(X.sizes) if numbered else [None] * len(parts.chunks)
    one_row = np.zeros((1, parts.n_columns), parts.dtype)
    like = np.asarray(applied(function, one_row, parts.names, 0 if numbered else None))
    of_chunk = dask.delayed(applied)
    sent = dask.delayed(function, traverse=False)
    found = [
        da.from_delayed(
            of_chunk(sent, chunk, parts.names, first), (size, *like.shape[1:]), dtype=like.dtype
        )
        for chunk, first, size in zip(parts.chunks, firsts, sizes, strict=True)
    ]
    return da.concatenate(found, allow_unknown_chunksizes=True)


def applied(
    function: Callable[..., Any], rows: np.ndarray, names: tuple[str, ...] | None, first: int | None
) -> np.ndarray:
    """Apply a function to a block of rows, by names where they have some."""
    given = rows if names is None else pd.DataFrame(rows, columns=list(names))
    if not len(rows):
        like = applied(function, np.zeros((1, rows.shape[1]), rows.dtype), names, first)
        return like[:0]
    if first is None:
        return np.asarray(function(given))
    return np.asarray(function(given, np.arange(first, first + len(rows))))


def is_elsewhere(X: Any) -> bool:
    """Say whether rows are given as something to be opened, or opened, and not as an array."""
    return isinstance(X, (str, Path, Source)) or is_collection(X)


def dask_in_dask_out[Self, **P](
    method: Callable[Concatenate[Self, Any, P], Any],
) -> Callable[Concatenate[Self, Any, P], Any]:
    """Let a method that takes rows first take a Dask collection, and return a Dask array.

    Raises:
        ValueError: from the method, of rows that are in a file or on devices.
    """

    @wraps(method)
    def wrapped(self: Self, X: Any, *args: P.args, **kwargs: P.kwargs) -> Any:
        if isinstance(X, Chunked) or is_collection(X):
            return map_rows(lambda block: method(self, block, *args, **kwargs), X)
        if is_elsewhere(X):
            raise ValueError(
                f"Expected rows in memory or in a Dask collection, got {type(X).__name__}: what comes out wants a "
                f"place. Use bg.map_rows(model.{method.__name__}, rows, out='result.npy') for rows in files, and the "
                "array for rows on devices."
            )
        return method(self, X, *args, **kwargs)

    return wrapped
