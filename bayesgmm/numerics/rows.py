"""Rows of data in memory, cut into equal chunks for ``lax.scan``.

A chunk is laid out (D, chunk): the long axis last. Padding rows are zero and carry weight zero.
"""

from collections.abc import Iterator
from typing import NamedTuple, cast

import numpy as np
from jax import Array

# The working set of one chunk, its features in double precision, should stay in the last-level
# cache. Measured on two cores with 32 MB of it at (N, D, K) = (5e4, 5, 5), (1e5, 10, 10),
# (1e5, 32, 16) and (1e6, 3, 8): 4 to 16 MB lie within 10 % of each other, 6 to 8 MB nearly best on
# all four. Far shorter chunks leave one core idle, longer ones spill.
CHUNK_BYTES = 8 * 2**20
LONGEST_CHUNK = 32_768
LANE = 64


class Rows(NamedTuple):
    """Chunked rows.

    Attributes:
        values: rows in scaled units, (n_chunks, D, chunk).
        weights: weight of each row, zero for padding, (n_chunks, chunk).
        labels: component that a row is known to belong to, -1 where it is not known, (n_chunks,
            chunk); None where none is known.
    """

    values: Array
    weights: Array
    labels: Array | None = None


def chunk_length(n_rows: int, n_features: int, itemsize: int = 8) -> int:
    """Return an equal chunk length that fits the cache and wastes little padding."""
    longest = min(LONGEST_CHUNK, max(1024, CHUNK_BYTES // (n_features * itemsize)))
    n_chunks = -(-n_rows // longest)
    length = -(-n_rows // n_chunks)
    return length if n_chunks == 1 else -(-length // LANE) * LANE


def chunk_rows(
    values: np.ndarray,
    length: int,
    weights: np.ndarray | None = None,
    labels: np.ndarray | None = None,
) -> Rows:
    """Cut values (N, D), with weights and labels (N,), into chunks of ``length`` rows."""
    n_rows, n_columns = values.shape
    n_chunks = -(-n_rows // length)
    out = np.zeros((n_chunks, n_columns, length), dtype=values.dtype)
    for index, block in enumerate(_blocks(values, length)):
        out[index, :, : len(block)] = block.T
    each = np.ones(n_rows, values.dtype) if weights is None else weights
    known = None if labels is None else cast(Array, chunk_vector(labels.astype(np.int32), length))
    return Rows(cast(Array, out), cast(Array, chunk_vector(each, length)), known)


def chunk_vector(vector: np.ndarray, length: int) -> np.ndarray:
    """Cut a vector (N,) into (n_chunks, length), padded with zeros."""
    out = np.zeros(-(-len(vector) // length) * length, dtype=vector.dtype)
    out[: len(vector)] = vector
    return out.reshape(-1, length)


def chunk_table(table: np.ndarray, length: int) -> np.ndarray:
    """Cut a table (N, K) into (n_chunks, K, length), padded with zeros."""
    return np.asarray(chunk_rows(table, length).values)


def _blocks(values: np.ndarray, length: int) -> Iterator[np.ndarray]:
    for start in range(0, len(values), length):
        yield values[start : start + length]
