"""What one pass over blocks of rows tells about a table: checks, ends, centre, scale and a sample."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ..affine import Affine


class Moments(NamedTuple):
    """Number of rows, column means (D,) and sums of squared deviations (D,)."""

    n_rows: int
    means: np.ndarray
    squares: np.ndarray

    def joined(self, rows: np.ndarray) -> "Moments":
        """Return the moments of more rows (Chan, Golub & LeVeque 1983, American Statistician 37, 242-247)."""
        values = rows.astype(float, copy=False)
        n, means = len(values), values.mean(0)
        squares = ((values - means) ** 2).sum(0)
        total = self.n_rows + n
        gap = means - self.means
        return Moments(
            total,
            self.means + gap * (n / total),
            self.squares + squares + gap**2 * (self.n_rows * n / total),
        )


class Summary(NamedTuple):
    """What engines ask of a table as a whole.

    Attributes:
        lowest: least value of each column, (D,).
        highest: greatest value of each column, (D,).
        affine: centre and common scale of the columns.
        sample: some rows, chosen before they were seen, in their order, (n, D).
        chosen: their numbers, (n,).
    """

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
    moments = Moments(0, np.zeros(size), np.zeros(size))
    lowest, highest = np.full(size, np.inf), np.full(size, -np.inf)
    sample = []
    for index, rows in enumerate(blocks):
        require_finite(rows, names, index, moments.n_rows)
        inside = chosen[(chosen >= moments.n_rows) & (chosen < moments.n_rows + len(rows))]
        sample.append(rows[inside - moments.n_rows])
        lowest, highest = np.minimum(lowest, rows.min(0)), np.maximum(highest, rows.max(0))
        moments = moments.joined(rows)
    scale = np.sqrt((moments.squares / moments.n_rows).mean())
    return Summary(lowest, highest, Affine(moments.means, scale), np.concatenate(sample), chosen)


def require_finite(rows: np.ndarray, names: tuple[str, ...], block: int, first: int) -> None:
    """Raise at a cell that is missing or infinite."""
    if rows.dtype.kind != "f" or np.isfinite(rows.sum()):
        return
    bad = np.argwhere(~np.isfinite(rows))
    if len(bad):
        row, column = map(int, bad[0])
        raise ValueError(
            f"Expected finite cells in streamed rows, got {rows[row, column]} in block {block}, row {first + row}, "
            f"column {names[column]!r}. Leave such rows out, or take the table into memory, where missing "
            "cells are served."
        )
