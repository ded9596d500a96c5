"""Sums over blocks of rows as they come, each worked on in chunks by one compiled program."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ...numerics.rows import Rows, chunk_length, sum_chunks
from ..affine import Affine
from .base import Kernel

# What a block costs by itself, calling the program included, in rows.
ROWS_PER_BLOCK = 1500


class Cut(NamedTuple):
    """How a block is cut: its number of chunks, and rows in each."""

    n_chunks: int
    length: int

    @classmethod
    def of(cls, sizes: tuple[int, ...], n_columns: int, n_features: int, n_bytes: int) -> "Cut":
        """Return the cut that costs least for tables of so many rows each, the last block of each filled up.

        Args:
            sizes: rows in each table.
            n_columns: number of columns, D.
            n_features: numbers per row that are worked on in a chunk.
            n_bytes: what the rows of a block may take.
        """
        most = rows_per_block(n_columns, n_bytes)
        length = min(chunk_length(max(sizes), n_features), most)
        n_chunks = np.arange(1, most // length + 1)
        n_blocks = -(-np.array(sizes)[:, None] // (n_chunks * length))
        cost = n_blocks.sum(0) * (n_chunks * length + ROWS_PER_BLOCK)
        return cls(int(n_chunks[cost.argmin()]), length)

    @property
    def size(self) -> int:
        """Rows in a block."""
        return self.n_chunks * self.length


class Block(NamedTuple):
    """Rows in the user's units.

    Attributes:
        cells: (n_chunks, chunk, D).
        n_rows: how many of them count, from the first on.
        first: number of the first row.
    """

    cells: Any
    n_rows: Any
    first: Any


def rows_per_block(n_columns: int, n_bytes: int) -> int:
    """Return how many rows a block of so many bytes takes."""
    return max(1024, n_bytes // (8 * n_columns))


def sum_blocks(
    kernel: Kernel,
    parameters: Any,
    affine: Affine,
    read: Callable[[int], Iterator[np.ndarray]],
    cut: Cut,
    first: int = 0,
) -> Any:
    """Add up a kernel over blocks of rows.

    Args:
        kernel: what is added up.
        parameters: its parameters.
        affine: map to engine units.
        read: gives the rows (n, D) in order, so many at a time; the last block may be shorter.
        cut: how blocks are cut.
        first: number of the first row.

    Returns:
        The sums, on their device.
    """
    total = None
    for number, raw in enumerate(read(cut.size)):
        cells = filled_up(raw, cut.size).reshape(*cut, -1)
        given = (kernel, parameters, Block(cells, len(raw), first + number * cut.size), *affine)
        before = nothing(*given) if total is None else total
        total = with_block(before, *given)
        # While this block is worked on the next is read; no third is begun.
        jax.block_until_ready(before)
    return jax.block_until_ready(total)


def filled_up(rows: np.ndarray, size: int) -> np.ndarray:
    """Return rows with rows of zeros behind them, ``size`` together."""
    return rows if len(rows) == size else np.pad(rows, ((0, size - len(rows)), (0, 0)))


@partial(jax.jit, static_argnums=1)
def with_block(
    total: Any, kernel: Kernel, parameters: Any, block: Block, centre: Array, scale: Array
) -> Any:
    """Add a kernel's sums over a block to a total."""
    return jax.tree.map(jnp.add, total, summed_block(kernel, parameters, block, centre, scale))


@partial(jax.jit, static_argnums=0)
def nothing(kernel: Kernel, parameters: Any, block: Block, centre: Array, scale: Array) -> Any:
    """Return sums over no block."""
    sums = jax.eval_shape(partial(summed_block, kernel), parameters, block, centre, scale)
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), sums)


def summed_block(kernel: Kernel, parameters: Any, block: Block, centre: Array, scale: Array) -> Any:
    """Add up a kernel over a block, its rows put into engine units chunk by chunk, in the cache."""
    n_chunks, length, _ = block.cells.shape
    within = jnp.arange(n_chunks * length).reshape(n_chunks, length)

    def of_chunk(part: tuple[Array, Array]) -> Any:
        cells, within = part
        counts = within < block.n_rows
        # Else the division is fused into the transposition, and done number by number.
        scaled = jax.lax.optimization_barrier((cells - centre) / scale)
        values = jnp.where(counts, scaled.T, 0.0)
        rows = Rows(
            values[None], counts.astype(values.dtype)[None], position=(block.first + within)[None]
        )
        return kernel.function(*kernel.settings, parameters, rows)

    return sum_chunks(of_chunk, (block.cells, within))
