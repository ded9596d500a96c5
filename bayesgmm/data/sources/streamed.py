"""Rows that stay in their file: read block by block in every pass, never all in memory."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..dataset import check_spread
from .base import Kernel, Source
from .blocks import Cut, rows_per_block, sum_blocks
from .collection import is_collection, open_collection
from .readers import Reader, reader_of
from .summary import chosen_rows, summarise

# Bytes of a block of rows: large beside the cost of a call, small beside any memory.
BLOCK_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Streamed(Source):
    """A checked table of numbers in a file.

    Attributes: beside those of ``Source``,
        reader: where the rows are.
    """

    reader: Reader
    kind: ClassVar[str] = "streamed"

    def reduce(self, kernel: Kernel, parameters: Any, n_features: int) -> Any:
        """Add up a kernel of blocks of rows, as ``Source`` says."""
        cut = Cut.of((self.n_rows,), self.n_columns, n_features, BLOCK_BYTES)
        return sum_blocks(kernel, parameters, self.affine, self.reader.blocks, cut)


def stream(source: Any, columns: list[str] | None = None, seed: int = 0) -> Source:
    """Open rows that stay where they are, and look at all of them once.

    Args:
        source: path of a ``.npy`` file or of Parquet (a file or a folder), a memory map, rows (N, D)
            that are read by slices, such as a Zarr array, or a Dask array or data frame, whose chunks stay with
            the workers: with those of the client there is, if there is one. A collection that is not persisted is
            computed anew in every pass.
        columns: those to take, by name; for Parquet. All by default.
        seed: of the sample of rows that starts are made of.

    Returns:
        The rows (N, D), with their number, column names, ends and centre, and ``sample``, at most 100,000 of them
        in memory.

    Raises:
        ValueError: a file that cannot be streamed; chunks with other columns; a client without workers; cells that
            are missing or infinite; no spread.
        TypeError: columns that are not numbers.
    """
    if is_collection(source) and columns is None:
        return open_collection(source, seed)
    reader = reader_of(source, columns)
    if not reader.n_rows * reader.n_columns:
        raise ValueError(
            f"Expected rows with columns, got none: {reader.n_rows} x {reader.n_columns}. Check which file was "
            "opened and how it was written."
        )
    names = reader.names or tuple(f"x{j}" for j in range(reader.n_columns))
    chosen = chosen_rows(reader.n_rows, seed)
    found = summarise(reader.blocks(rows_per_block(reader.n_columns, BLOCK_BYTES)), names, chosen)
    check_spread(np.stack([found.lowest, found.highest]), names)
    return Streamed(names, reader.names is not None, reader.dtype, found, reader)
