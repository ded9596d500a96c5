"""What one pass over blocks of rows tells about a table: checks, ends, centre, scale and a sample."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from ..affine import Affine

# Rows of the first look, of which starts are made.
SAMPLE_ROWS = 100_000


class Moments(NamedTuple):
    """Number of rows, column means (D,) and sums of squared deviations (D,)."""

    n_rows: int
    means: np.ndarray
    squares: np.ndarray

    @classmethod
    def none(cls, n_columns: int) -> "Moments":
        """Return those of no rows."""
        return cls(0, np.zeros(n_columns), np.zeros(n_columns))

    @classmethod
    def of(cls, rows: np.ndarray) -> "Moments":
        """Return those of rows (n, D), n > 0."""
        values = rows.astype(float, copy=False)
        means = values.mean(0)
        return cls(len(values), means, ((values - means) ** 2).sum(0))

    def merged(self, other: "Moments") -> "Moments":
        """Return those of both together (Chan, Golub & LeVeque 1983, American Statistician 37, 242-247)."""
        total = self.n_rows + other.n_rows
        if not total:
            return self
        gap, share = other.means - self.means, other.n_rows / total
        between = gap**2 * (self.n_rows * share)
        return Moments(total, self.means + gap * share, self.squares + other.squares + between)

    @property
    def scale(self) -> Any:
        """Root of the mean variance of the columns."""
        return np.sqrt((self.squares / self.n_rows).mean())


class Summary(NamedTuple):
    """What engines ask of a table as a whole.

    Attributes:
        n_rows: number of rows.
        lowest: least value of each column, (D,).
        highest: greatest value of each column, (D,).
        affine: centre and common scale of the columns.
        sample: some rows, chosen before they were seen, in their order, (n, D).
        chosen: their numbers, (n,).
    """

    n_rows: int
    lowest: np.ndarray
    highest: np.ndarray
    affine: Affine
    sample: np.ndarray
    chosen: np.ndarray


def summarise(blocks: Iterable[np.ndarray], names: tuple[str, ...], chosen: np.ndarray) -> Summary:
    """Pass over all rows once.

    Args:
        blocks: the rows in order, (n, D) each.
        names: of the columns.
        chosen: numbers of the rows of the sample, ascending.

    Raises:
        ValueError: a cell that is missing or infinite, its block, row and column named.
    """
    size = len(names)
    moments = Moments.none(size)
    lowest, highest = np.full(size, np.inf), np.full(size, -np.inf)
    sample = []
    for index, rows in enumerate(blocks):
        require_finite(rows, names, index, moments.n_rows)
        inside = chosen[(chosen >= moments.n_rows) & (chosen < moments.n_rows + len(rows))]
        sample.append(rows[inside - moments.n_rows])
        lowest, highest = np.minimum(lowest, rows.min(0)), np.maximum(highest, rows.max(0))
        moments = moments.merged(Moments.of(rows))
    affine = Affine(moments.means, moments.scale)
    return Summary(moments.n_rows, lowest, highest, affine, np.concatenate(sample), chosen)


def chosen_rows(n_rows: int, seed: int) -> np.ndarray:
    """Return the numbers of the rows of the sample, ascending."""
    n_chosen = min(SAMPLE_ROWS, n_rows)
    return np.sort(np.random.default_rng(seed).choice(n_rows, n_chosen, replace=False))


def require_finite(rows: np.ndarray, names: tuple[str, ...], block: int, first: int) -> None:
    """Raise at a cell that is missing or infinite."""
    bad = first_bad_cell(rows)
    if bad is not None:
        row, column, value = bad
        raise ValueError(
            f"Expected finite cells in streamed rows, got {value} in block {block}, row {first + row}, "
            f"column {names[column]!r}. Leave such rows out, or take the table into memory, where missing "
            "cells are served."
        )


def first_bad_cell(rows: np.ndarray) -> tuple[int, int, float] | None:
    """Return row, column and value of the first cell that is missing or infinite."""
    if rows.dtype.kind != "f" or np.isfinite(rows.sum()):
        return None
    for row, column in np.argwhere(~np.isfinite(rows)):
        return int(row), int(column), float(rows[row, column])
    return None
