"""Rows that are not in one array in memory, behind one interface: sums over them."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from ...numerics.rows import Rows, sum_chunks
from ..affine import Affine
from ..dataset import Dataset
from .summary import Summary


class Kernel(NamedTuple):
    """What is added up over rows.

    Attributes:
        function: (*settings, parameters, rows) -> arrays that add up. A function of a module, not compiled by
            itself: to other processes it travels by its name.
        settings: hashable.
    """

    function: Callable[..., Any]
    settings: tuple[Any, ...]


@dataclass(frozen=True)
class Source(ABC):
    """A checked table of numbers whose rows are elsewhere.

    Engines that need nothing but sums over rows fit it as they fit a ``Dataset``. Its rows are whole, each
    counts once, and their components are unknown.

    Attributes:
        names: column names, D strings.
        named: whether the names came with the rows.
        dtype: floating-point type in which results are handed back.
        summary: what the first pass found.
    """

    names: tuple[str, ...]
    named: bool
    dtype: np.dtype
    summary: Summary

    weights: ClassVar[None] = None
    labels: ClassVar[None] = None
    places: ClassVar[None] = None
    has_missing: ClassVar[bool] = False
    # How such rows are called.
    kind: ClassVar[str]

    @abstractmethod
    def reduce(self, kernel: Kernel, parameters: Any, n_features: int) -> Any:
        """Add up a kernel over all rows.

        Args:
            kernel: gives arrays that add up; compiled once.
            parameters: arrays.
            n_features: numbers per row that the kernel works on, which bound the length of a chunk.

        Returns:
            The sums.
        """

    @property
    def layout(self) -> tuple[int, ...]:
        """How the rows are divided, as far as the order of additions depends on it."""
        return ()

    def rows_at(self, numbers: np.ndarray) -> np.ndarray:
        """Return the rows of such numbers (M,) in engine units, (D, M), by a pass over all."""
        return np.asarray(self.reduce(Kernel(columns_at, ()), numbers, self.n_columns))

    def __reduce__(self) -> Any:
        """Leave the rows behind: what a function of a fit needs in another process is not its rows."""
        from .left_behind import left_behind

        return left_behind, (self.sample, self.n_rows)

    @property
    def n_rows(self) -> int:
        """Number of rows, N."""
        return self.summary.n_rows

    @property
    def n_columns(self) -> int:
        """Number of columns, D."""
        return len(self.names)

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
        del n_components, name

    def require_distinct_rows(self, n_distinct: int) -> None:
        """Raise unless the sample has at least ``n_distinct`` different rows."""
        self.sample.require_distinct_rows(n_distinct)

    def require_plain(self, engine: str) -> None:
        """Refuse: this is asked by engines that take rows in memory."""
        raise ValueError(self.refusal)

    @property
    def values(self) -> np.ndarray:
        """The rows; refused, since they may not fit into memory."""
        raise ValueError(self.refusal)

    def column(self, index: int) -> tuple[np.ndarray, np.ndarray | None]:
        """A column; refused likewise."""
        raise ValueError(self.refusal)

    def representative(self, most: int) -> np.ndarray:
        """Some rows; refused likewise."""
        raise ValueError(self.refusal)

    def rows(self, length: int) -> Rows:
        """The rows in chunks; refused likewise."""
        raise ValueError(self.refusal)

    def scaled(self) -> np.ndarray:
        """The rows in engine units; refused likewise."""
        raise ValueError(self.refusal)

    @property
    def refusal(self) -> str:
        """Why rows cannot be had."""
        return (
            f"Expected rows in memory, got {self.kind} ones, which bg.EM, bg.Gibbs and bg.information_criteria serve. "
            "Use fit.sampled, the fit beside a sample of its rows, for pictures and reports, or fit rows.sample."
        )


def columns_at(numbers: Array, rows: Rows) -> Array:
    """Return the columns of the rows of such numbers, (D, M), zero where they are in other chunks."""

    def of_chunk(rows: Rows) -> Array:
        position: Any = rows.position
        within = numbers - position[0]
        at = jnp.clip(within, 0, position.size - 1)
        is_here = (within == at) & (rows.weights[at] > 0)
        return jnp.where(is_here, rows.values[:, at], 0.0)

    return sum_chunks(of_chunk, rows)
