"""Rows of data in memory, cut into equal chunks for ``lax.scan``.

A chunk is laid out (D, chunk): the long axis last. Padding rows are zero and carry weight zero.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

# The working set of one chunk, its features in double precision, should stay in the last-level
# cache. Measured on two cores with 32 MB of it at (N, D, K) = (5e4, 5, 5), (1e5, 10, 10),
# (1e5, 32, 16) and (1e6, 3, 8): 4 to 16 MB lie within 10 % of each other, 6 to 8 MB nearly best on
# all four. Far shorter chunks leave one core idle, longer ones spill.
CHUNK_BYTES = 8 * 2**20
LONGEST_CHUNK = 32_768
LANE = 64
# What a pattern of missing cells costs by itself, its factorisations, in rows.
ROWS_PER_PATTERN = 200


class Rows(NamedTuple):
    """Chunked rows.

    Attributes:
        values: rows in scaled units, (n_chunks, D, chunk).
        weights: weight of each row, zero for padding, (n_chunks, chunk).
        labels: component that a row is known to belong to, -1 where it is not known, (n_chunks,
            chunk); None where none is known.
        observed: which columns the rows of a chunk have, (n_chunks, D); missing cells are zero. None
            where no cell is missing.
        position: which row of the table it is, zero for padding, (n_chunks, chunk); None where rows keep
            their order and all padding is at the end.
    """

    values: Array
    weights: Array
    labels: Array | None = None
    observed: Array | None = None
    position: Array | None = None


def sum_chunks(function: Callable[[Any], Any], chunks: Any) -> Any:
    """Add up a function of each chunk."""
    one = jax.eval_shape(function, jax.tree.map(lambda leaf: leaf[0], chunks))
    start = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), one)
    return jax.lax.scan(
        lambda total, chunk: (jax.tree.map(jnp.add, total, function(chunk)), None), start, chunks
    )[0]


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


def chunk_patterns(
    values: np.ndarray,
    longest: int,
    weights: np.ndarray | None = None,
    labels: np.ndarray | None = None,
) -> Rows:
    """Cut values (N, D) with missing cells, NaN, into chunks of rows that miss the same cells."""
    patterns, pattern_of = np.unique(np.isnan(values), axis=0, return_inverse=True)
    order = np.argsort(pattern_of.ravel(), kind="stable")
    sizes = np.bincount(pattern_of.ravel())
    length = pattern_length(sizes, longest)
    n_chunks = -(-sizes // length)
    # Where each row goes: pattern by pattern, each from a chunk of its own on.
    first = length * (np.cumsum(n_chunks) - n_chunks)
    within = np.arange(len(values)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    place = np.repeat(first, sizes) + within

    def placed(column: np.ndarray) -> np.ndarray:
        out = np.zeros(int(n_chunks.sum()) * length, column.dtype)
        out[place] = column[order]
        return out

    each = np.ones(len(values)) if weights is None else weights
    columns = [placed(np.nan_to_num(column)) for column in values.T]
    cut = chunk_rows(np.stack(columns, 1), length, placed(each), known_or_none(labels, placed))
    position = chunk_vector(placed(np.arange(len(values), dtype=np.int32)), length)
    observed = ~np.repeat(patterns, n_chunks, 0)
    return cut._replace(observed=cast(Array, observed), position=cast(Array, position))


def known_or_none(
    labels: np.ndarray | None, placed: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray | None:
    """Put labels in their places, if there are any."""
    return None if labels is None else placed(labels)


def pattern_length(sizes: np.ndarray, longest: int) -> int:
    """Return the chunk length that costs least for patterns of so many rows each."""
    lengths = 2 ** np.arange(4, max(4, int(np.log2(longest))) + 1)
    n_chunks = -(-sizes // lengths[:, None])
    cost = (n_chunks * (lengths[:, None] + ROWS_PER_PATTERN)).sum(1)
    return int(lengths[cost.argmin()])


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
