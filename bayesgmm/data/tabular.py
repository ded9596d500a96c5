"""What every table of numbers answers, wherever its rows are."""

from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..numerics.rows import Rows
from .affine import Affine

if TYPE_CHECKING:
    from .dataset import Dataset


class Table(Protocol):
    """Checked rows (N, D): in memory (``Dataset``) or elsewhere (``Source``).

    ``values``, ``column``, ``representative``, ``scaled`` and ``rows`` are there for rows in memory only; a
    ``Source`` refuses them with the reason.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """Column names, D strings."""

    @property
    def named(self) -> bool:
        """Whether the names came with the rows."""

    @property
    def n_rows(self) -> int:
        """Number of rows, N."""

    @property
    def n_columns(self) -> int:
        """Number of columns, D."""

    @property
    def dtype(self) -> np.dtype:
        """Floating-point type in which results are handed back."""

    @property
    def affine(self) -> Affine:
        """Centre and common scale of the columns."""

    @property
    def sample(self) -> "Dataset":
        """Rows in memory to make starts of: some, or all."""

    @property
    def values(self) -> np.ndarray:
        """The rows in the user's units, (N, D)."""

    @property
    def weights(self) -> np.ndarray | None:
        """How many rows each row counts as, (N,); None for one each."""

    @property
    def labels(self) -> np.ndarray | None:
        """Known component of each row, -1 where not known, (N,); None where none is known."""

    @property
    def places(self) -> np.ndarray | None:
        """Which rows these are of a longer table that they are a sample of, (N,); None for all."""

    @property
    def has_missing(self) -> bool:
        """Whether any cell is missing."""

    @property
    def total_weight(self) -> float:
        """Number of rows that the rows count as."""

    @property
    def total_cells(self) -> float:
        """Number of observed cells, rows by their weights."""

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the smallest and largest value of each column, (D,) each."""

    def medians(self) -> np.ndarray:
        """Return the median of each column, (D,)."""

    def require_plain(self, engine: str) -> None:
        """Raise if rows miss cells or carry weights or labels that an engine does not serve."""

    def require_labels_below(self, n_components: int, name: str = "n_components") -> None:
        """Raise unless every known label names one of the components."""

    def require_distinct_rows(self, n_distinct: int) -> None:
        """Raise unless at least ``n_distinct`` different rows count."""

    def column(self, index: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Return a column's observed cells (M,), and their rows' weights (M,) or None."""

    def representative(self, most: int) -> np.ndarray:
        """Return indices of at most ``most`` rows, evenly spaced."""

    def scaled(self) -> np.ndarray:
        """Return the rows in engine units, (N, D)."""

    def rows(self, length: int) -> Rows:
        """Return the rows in engine units, cut into chunks."""
