"""The door for data: any table of numbers becomes one checked, named, immutable ``Dataset``."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..numerics.rows import Rows, chunk_patterns, chunk_rows
from ..numerics.warn import warn
from .affine import Affine
from .marks import check_labels, check_weights
from .table import read_table


class DataWarning(UserWarning):
    """The data are usable but hold something the user should know."""


@dataclass(frozen=True)
class Dataset:
    """A checked table of numbers.

    Attributes:
        values: rows in the user's units, (N, D), float32 or float64; NaN where a cell is missing.
        names: column names, D strings.
        named: whether the names came with the data.
        weights: how many rows each row counts as, (N,), float64; None for one each.
        labels: component that each row is known to belong to, -1 where it is not known, (N,);
            None where none is known.
        places: which rows these are of a longer table that they are a sample of, (N,); None for all.
    """

    values: np.ndarray
    names: tuple[str, ...]
    named: bool = False
    weights: np.ndarray | None = None
    labels: np.ndarray | None = None
    places: np.ndarray | None = None

    @classmethod
    def from_array(
        cls,
        data: Any,
        names: Sequence[str] | None = None,
        *,
        weights: Any = None,
        labels: Any = None,
    ) -> "Dataset":
        """Check a table and keep its column names.

        Args:
            data: rows (N, D): a NumPy or JAX array, nested lists, or any data frame that
                narwhals reads (pandas, polars, pyarrow, ...). Cells that are NaN, null or masked
                are missing.
            names: column names, D strings; taken from the frame when not given.
            weights: how many rows each row counts as, (N,), >= 0; one each by default.
            labels: component of each row, 0, 1, ..., and -1 where it is not known, (N,).

        Returns:
            The data set. Integers become float64; float32 stays float32.

        Raises:
            ValueError: not two-dimensional, empty, complex, infinite, or without any spread; a row
                or a column with no cell at all; weights or labels that are not one valid number
                per row.
            TypeError: entries that are not numbers.
        """
        values, found = read_table(data, missing=True)
        given = tuple(map(str, names)) if names is not None else found
        if given is not None and len(given) != values.shape[1]:
            raise ValueError(
                f"Expected one name per column, {values.shape[1]} of them, got {len(given)}: "
                f"{list(given)}. Pass as many names as columns."
            )
        columns = given or tuple(f"x{j}" for j in range(values.shape[1]))
        row_weights = None if weights is None else check_weights(weights, len(values))
        counted = values if row_weights is None else values[row_weights > 0]
        if np.isnan(values).any():
            check_cells(values, columns)
        check_spread(counted, columns)
        known = None if labels is None else check_labels(labels, len(values))
        return cls(values, columns, given is not None, row_weights, known)

    @property
    def n_rows(self) -> int:
        """Number of rows, N."""
        return self.values.shape[0]

    @property
    def n_columns(self) -> int:
        """Number of columns, D."""
        return self.values.shape[1]

    @property
    def sample(self) -> "Dataset":
        """Rows in memory to make starts of, here all of them."""
        return self

    @cached_property
    def has_missing(self) -> bool:
        """Whether any cell is missing."""
        return bool(np.isnan(self.values).any())

    @cached_property
    def total_cells(self) -> float:
        """Number of observed cells, rows by their weights."""
        per_row = (~np.isnan(self.values)).sum(1)
        return float(per_row.sum() if self.weights is None else self.weights @ per_row)

    @property
    def total_weight(self) -> float:
        """Number of rows that the rows count as."""
        return float(self.n_rows if self.weights is None else self.weights.sum())

    def require_labels_below(self, n_components: int, name: str = "n_components") -> None:
        """Raise unless every known label names one of the components, as many as ``name`` says."""
        if self.labels is not None and self.labels.max() >= n_components:
            row = int(self.labels.argmax())
            raise ValueError(
                f"Expected known labels in 0, ..., {n_components - 1} for {name}={n_components}, got "
                f"{self.labels[row]} in row {row}. Raise {name}, or pass -1 where the component "
                "is not known."
            )

    def require_plain(self, engine: str) -> None:
        """Raise if rows miss cells or carry weights or labels that an engine does not serve."""
        found = []
        if self.has_missing:
            row, column = map(int, np.argwhere(np.isnan(self.values))[0])
            found.append(
                f"missing cells (NaN), the first in row {row}, column {self.names[column]!r}"
            )
        found += ["row weights"] * (self.weights is not None)
        found += ["known labels"] * (self.labels is not None)
        if found:
            raise ValueError(
                f"{engine} takes whole rows, each once, their components unknown; got {found[0]}. Leave "
                "them out (drop such rows, or fill in the cells), or use bg.fit, which serves them."
            )

    @property
    def dtype(self) -> np.dtype:
        """Floating-point type in which results are handed back."""
        return self.values.dtype

    @cached_property
    def affine(self) -> Affine:
        """Centre and common scale of the columns."""
        return Affine.from_values(self.values, self.weights)

    def column(self, index: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Return a column's observed cells (M,), and their rows' weights (M,) or None."""
        there = ~np.isnan(self.values[:, index])
        weights = None if self.weights is None else self.weights[there]
        return self.values[there, index].astype(float), weights

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the smallest and largest value of each column in rows that count, (D,) each."""
        counted = self.values if self.weights is None else self.values[self.weights > 0]
        return np.nanmin(counted, 0).astype(float), np.nanmax(counted, 0).astype(float)

    def medians(self) -> np.ndarray:
        """Return the median of each column, that of the rows repeated by their weights, (D,)."""
        if self.weights is None:
            return np.nanmedian(self.values.astype(float), axis=0)
        return np.array([weighted_median(column, self.weights) for column in self.values.T])

    def scaled(self) -> np.ndarray:
        """Return the rows in engine units, float64, NaN where a cell is missing, (N, D)."""
        return self.affine.forward(self.values)

    def rows(self, length: int) -> Rows:
        """Return the rows in engine units, cut into chunks of ``length``, or shorter by pattern."""
        cut = chunk_patterns if self.has_missing else chunk_rows
        return cut(self.tame(), length, self.weights, self.labels)

    def tame(self) -> np.ndarray:
        """Return ``scaled`` with rows that count nothing at the centre, however far they lie."""
        scaled = self.scaled()
        if self.weights is not None:
            scaled[self.weights == 0] = np.where(np.isnan(scaled[self.weights == 0]), np.nan, 0.0)
        return scaled

    def representative(self, most: int) -> np.ndarray:
        """Return indices of at most ``most`` rows, evenly spaced; a row as often as its weight says."""
        n_kept = min(self.n_rows, most)
        if self.weights is None:
            return np.unique(np.linspace(0, self.n_rows - 1, n_kept).round().astype(int))
        cumulative = np.cumsum(self.weights) / self.weights.sum()
        levels = (np.arange(n_kept) + 0.5) / n_kept
        return np.minimum(np.searchsorted(cumulative, levels), self.n_rows - 1)

    def require_distinct_rows(self, n_distinct: int) -> None:
        """Raise unless at least ``n_distinct`` different rows count."""
        seen: set[bytes] = set()
        counted = self.values if self.weights is None else self.values[self.weights > 0]
        for row in np.ascontiguousarray(counted):
            seen.add(row.tobytes())
            if len(seen) >= n_distinct:
                return
        raise ValueError(
            f"Expected at least as many distinct rows as components, got {len(seen)} distinct "
            f"rows for n_components={n_distinct}. Lower n_components to at most {len(seen)}."
        )


def weighted_median(column: np.ndarray, weights: np.ndarray) -> float:
    """Return the median of values (N,) repeated by their weights, missing ones left out."""
    there = ~np.isnan(column) & (weights > 0)
    order = np.argsort(column[there])
    values, cumulative = column[there][order].astype(float), np.cumsum(weights[there][order])
    half = cumulative[-1] / 2
    below = values[np.searchsorted(cumulative, half)]
    above = values[min(np.searchsorted(cumulative, half, side="right"), len(values) - 1)]
    return float((below + above) / 2)


def check_cells(values: np.ndarray, names: Sequence[str]) -> None:
    """Raise if a row or a column has no cell that is not missing."""
    missing = np.isnan(values)
    rows, columns = np.flatnonzero(missing.all(1)), np.flatnonzero(missing.all(0))
    if len(columns):
        raise ValueError(
            f"Expected some observed cell in every column, got none in {[names[int(j)] for j in columns]}: all "
            "rows miss it. Drop the column."
        )
    if len(rows):
        raise ValueError(
            f"Expected some observed cell in every row, got none in {len(rows)} of them, the first row "
            f"{rows[0]}: such a row says nothing. Drop these rows."
        )


def check_spread(values: np.ndarray, names: Sequence[str]) -> None:
    """Raise if all rows are equal or variances have no number; warn of constant columns."""
    lowest, highest = np.nanmin(values, 0), np.nanmax(values, 0)
    constant = [names[int(j)] for j in np.flatnonzero(lowest == highest)]
    if len(values) < 2:
        raise ValueError(
            f"Expected at least two rows, got 1 sample (n_samples={len(values)}). "
            "A spread cannot be learnt from one row."
        )
    if len(constant) == len(lowest):
        raise ValueError(
            f"Expected rows that differ, got {len(values)} equal rows. "
            "There is no spread to describe: check how the table was read."
        )
    _check_range(lowest.astype(float), highest.astype(float), values.dtype)
    if constant:
        warn(
            f"Columns {constant} are constant: they carry no information about clusters and make "
            "covariances singular but for the regularisation. Drop them.",
            DataWarning,
        )


def _check_range(lowest: np.ndarray, highest: np.ndarray, dtype: np.dtype) -> None:
    """Raise unless squares of the widest range are far from overflow and underflow."""
    least, most = 1e3 * np.sqrt(np.finfo(dtype).tiny), 1e-3 * np.sqrt(np.finfo(dtype).max)
    with np.errstate(over="ignore"):
        widest = (highest - lowest).max()
    if not least < widest < most:
        raise ValueError(
            f"Expected columns that range over {least:.0e} to {most:.0e}, so that variances are numbers of "
            f"type {dtype}, got {widest:.3g}. Change the unit{', or pass float64' * (dtype == np.float32)}."
        )
