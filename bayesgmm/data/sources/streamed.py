"""Rows that stay in their file: read block by block in every pass, never all in memory."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ...numerics.rows import Rows, chunk_length, sum_chunks
from ..affine import Affine
from ..dataset import Dataset, check_spread
from .readers import LeftBehind, Reader, reader_of
from .summary import Summary, summarise

# Rows of the first look, of which starts are made.
SAMPLE_ROWS = 100_000
# Bytes of a block of rows: large beside the cost of a call, small beside any memory.
BLOCK_BYTES = 16 * 2**20
REFUSAL = (
    "Expected rows in memory, got streamed ones, which bg.EM, bg.Gibbs and bg.information_criteria serve. Use "
    "fit.sampled, the fit beside a sample of its rows, for pictures and reports, or fit stream.sample."
)


class Kernel(NamedTuple):
    """A function (*settings, parameters, rows) -> arrays that add up, its settings hashable."""

    function: Callable[..., Any]
    settings: tuple[Any, ...]


class Block(NamedTuple):
    """Rows as they are in the file.

    Attributes:
        cells: (n_chunks, chunk, D).
        n_rows: how many of them count, from the first on.
        first: number of the first row.
    """

    cells: Any
    n_rows: Any
    first: Any


@dataclass(frozen=True)
class Streamed:
    """A checked table of numbers in a file.

    Engines that need nothing but sums over rows fit it as they fit a ``Dataset``.

    Attributes:
        reader: where the rows are.
        names: column names, D strings.
        named: whether the names came with the file.
        summary: what the first pass found.
    """

    reader: Reader
    names: tuple[str, ...]
    named: bool
    summary: Summary

    @property
    def n_rows(self) -> int:
        """Number of rows, N."""
        return self.reader.n_rows

    @property
    def n_columns(self) -> int:
        """Number of columns, D."""
        return self.reader.n_columns

    @property
    def dtype(self) -> np.dtype:
        """Floating-point type in which results are handed back."""
        return self.reader.dtype

    @property
    def affine(self) -> Affine:
        """Centre and common scale of the columns."""
        return self.summary.affine

    @cached_property
    def sample(self) -> Dataset:
        """Some of the rows, drawn without replacement, in memory; in the engine units of all."""
        values = self.summary.sample.astype(self.dtype)
        found = Dataset(values, self.names, self.named, places=self.summary.chosen)
        vars(found)["affine"] = self.affine
        return found

    @property
    def is_streamed(self) -> bool:
        """Whether the rows stay in their file."""
        return True

    @property
    def values(self) -> np.ndarray:
        """The rows; refused, since they may not fit into memory."""
        raise ValueError(REFUSAL)

    def rows(self, length: int) -> Rows:
        """The rows in chunks; refused likewise."""
        raise ValueError(REFUSAL)

    def scaled(self) -> np.ndarray:
        """The rows in engine units; refused likewise."""
        raise ValueError(REFUSAL)

    # Whole rows, each once, their components unknown.
    weights: ClassVar[None] = None
    labels: ClassVar[None] = None
    has_missing: ClassVar[bool] = False

    @property
    def total_weight(self) -> float:
        """Number of rows."""
        return float(self.n_rows)

    @property
    def total_cells(self) -> float:
        """Number of cells."""
        return float(self.n_rows * self.n_columns)

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the smallest and largest value of each column, (D,) each."""
        return self.summary.lowest.astype(float), self.summary.highest.astype(float)

    def medians(self) -> np.ndarray:
        """Return the median of each column in the sample, (D,)."""
        return self.sample.medians()

    def require_labels_below(self, n_components: int, name: str = "n_components") -> None:
        """Pass: no label is known."""

    def require_distinct_rows(self, n_distinct: int) -> None:
        """Raise unless the sample has at least ``n_distinct`` different rows."""
        self.sample.require_distinct_rows(n_distinct)

    def reduce(self, kernel: Kernel, parameters: Any, n_features: int) -> Any:
        """Add up a kernel of blocks of rows.

        Args:
            kernel: gives arrays that add up; compiled once.
            parameters: arrays.
            n_features: numbers per row that the kernel works on, which bound the length of a chunk.

        Returns:
            The sums.
        """
        wanted = max(1024, min(self.n_rows, BLOCK_BYTES // (8 * self.n_columns)))
        length = chunk_length(wanted, n_features)
        n_chunks = -(-wanted // length)
        total, size = None, n_chunks * length
        for number, raw in enumerate(self.reader.blocks(size)):
            whole = raw if len(raw) == size else np.resize(raw, (size, self.n_columns))
            block = Block(whole.reshape(n_chunks, length, -1), len(raw), number * size)
            part = summed_block(kernel, parameters, block, *self.affine)
            # While this block is worked on the next is read; no third is begun.
            total = part if total is None else added(jax.block_until_ready(total), part)
        return jax.block_until_ready(total)


@jax.jit
def added(total: Any, part: Any) -> Any:
    """Add two results of a kernel."""
    return jax.tree.map(jnp.add, total, part)


@partial(jax.jit, static_argnums=0)
def summed_block(kernel: Kernel, parameters: Any, block: Block, centre: Array, scale: Array) -> Any:
    """Add up a kernel over a block, its rows put into engine units chunk by chunk, in the cache."""
    n_chunks, length, _ = block.cells.shape
    within = jnp.arange(n_chunks * length).reshape(n_chunks, length)

    def of_chunk(part: tuple[Array, Array]) -> Any:
        cells, within = part
        counts = within < block.n_rows
        values = jnp.where(counts, ((cells - centre) / scale).T, 0.0)
        rows = Rows(
            values[None], counts.astype(values.dtype)[None], position=(block.first + within)[None]
        )
        return kernel.function(*kernel.settings, parameters, rows)

    return sum_chunks(of_chunk, (block.cells, within))


def stream(source: Any, columns: list[str] | None = None, seed: int = 0) -> Streamed:
    """Open rows that stay in their file, and look at all of them once.

    Args:
        source: path of a ``.npy`` file or of Parquet (a file or a folder), a memory map, or rows (N, D)
            that are read by slices, such as a Zarr array.
        columns: those to take, by name; for Parquet. All by default.
        seed: of the sample of rows that starts are made of.

    Returns:
        The rows.

    Raises:
        ValueError: a file that cannot be streamed; cells that are missing or infinite; no spread.
        TypeError: columns that are not numbers.
    """
    reader = reader_of(source, columns)
    if not reader.n_rows * reader.n_columns:
        raise ValueError(
            f"Expected rows with columns, got none: {reader.n_rows} x {reader.n_columns}."
        )
    names = reader.names or tuple(f"x{j}" for j in range(reader.n_columns))
    n_chosen = min(SAMPLE_ROWS, reader.n_rows)
    chosen = np.sort(np.random.default_rng(seed).choice(reader.n_rows, n_chosen, replace=False))
    length = max(1024, BLOCK_BYTES // (8 * reader.n_columns))
    found = summarise(reader.blocks(length), names, chosen)
    check_spread(np.stack([found.lowest, found.highest]), names)
    return Streamed(reader, names, reader.names is not None, found)


def left_behind(sample: Dataset, n_rows: int) -> Streamed:
    """Return streamed rows of which a saved fit has kept the sample only."""
    reader = LeftBehind(n_rows, sample.n_columns, sample.names, sample.dtype)
    chosen = np.arange(sample.n_rows) if sample.places is None else sample.places
    summary = Summary(*sample.ends(), sample.affine, sample.values, chosen)
    return Streamed(reader, sample.names, sample.named, summary)
