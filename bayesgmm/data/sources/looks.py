"""The first look at chunks of rows, each where it is, and what the looks say together."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..affine import Affine
from .summary import Moments, Summary, first_bad_cell


class Look(NamedTuple):
    """What one chunk of rows tells.

    Attributes:
        shape: of the chunk.
        moments: number, means and squares of its rows.
        lowest: least value of each column, (D,).
        highest: greatest value of each column, (D,).
        bad: row, column and value of the first cell that is missing or infinite, or None.
    """

    shape: tuple[int, ...]
    moments: Moments
    lowest: np.ndarray
    highest: np.ndarray
    bad: tuple[int, int, float] | None


def look_at(rows: np.ndarray, n_columns: int) -> Look:
    """Look at a chunk; one of another shape is not looked at further."""
    nothing = Look(np.shape(rows), Moments.none(n_columns), *ends_of_none(n_columns), None)
    if nothing.shape[1:] != (n_columns,) or not len(rows):
        return nothing
    bad = first_bad_cell(rows)
    if bad is not None:
        return nothing._replace(bad=bad, moments=nothing.moments._replace(n_rows=len(rows)))
    return Look(rows.shape, Moments.of(rows), rows.min(0), rows.max(0), None)


def ends_of_none(n_columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of no rows."""
    return np.full(n_columns, np.inf), np.full(n_columns, -np.inf)


def require_good(looks: Sequence[Look], names: tuple[str, ...]) -> None:
    """Raise at the first chunk with other columns, or with a cell that is missing or infinite."""
    first = 0
    for index, look in enumerate(looks):
        if look.shape[1:] != (len(names),):
            raise ValueError(
                f"Expected {len(names)} columns in every chunk, got shape {look.shape} in chunk {index} of "
                f"{len(looks)}. Drop the chunk, or make it anew."
            )
        if look.bad is not None:
            row, column, value = look.bad
            raise ValueError(
                f"Expected finite cells, got {value} in chunk {index} of {len(looks)}, row {first + row}, column "
                f"{names[column]!r}. Leave such rows out, or take the table into memory, where missing cells are "
                "served."
            )
        first += look.moments.n_rows


def summary_of(looks: Sequence[Look], sample: np.ndarray, chosen: np.ndarray) -> Summary:
    """Return what the looks say of all rows together."""
    moments = looks[0].moments
    for look in looks[1:]:
        moments = moments.merged(look.moments)
    lowest = np.min([look.lowest for look in looks], 0)
    highest = np.max([look.highest for look in looks], 0)
    affine = Affine(moments.means, moments.scale)
    return Summary(moments.n_rows, lowest, highest, affine, sample, chosen)


def rows_of_frame(frame: Any, names: tuple[str, ...], dtype: np.dtype, index: int) -> np.ndarray:
    """Return the rows of one part of a data frame.

    Raises:
        ValueError: other columns than those of the whole.
    """
    found = tuple(map(str, frame.columns))
    if found != names:
        raise ValueError(
            f"Expected columns {list(names)} in every chunk, got {list(found)} in chunk {index}. Drop the chunk, or "
            "make it anew."
        )
    return frame.to_numpy(dtype, na_value=np.nan)
