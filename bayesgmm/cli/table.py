"""The rows to fit: read, reduced to columns of numbers, checked and, if asked for, standardised."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .columns import listed, pick_columns
from .intake import read_frame
from .refusal import as_input_error
from .scaling import Scaling, standardised
from .speech import Speech

if TYPE_CHECKING:
    import pandas as pd

    from ..data.dataset import Dataset


@dataclass(frozen=True)
class Source:
    """Where rows come from.

    Attributes:
        path: the file.
        columns: names with commas between; None for all.
        delimiter: what stands between the cells of a .csv; None for a comma.
        numeric_only: whether columns that are not numbers are left out.
        standardize: whether columns are standardised.
    """

    path: Path
    columns: str | None = None
    delimiter: str | None = None
    numeric_only: bool = False
    standardize: bool = False


@dataclass(frozen=True)
class Table:
    """Rows to fit.

    Attributes:
        data: the rows, in the units of the fit.
        scaling: how their columns were standardised, None if they were not.
    """

    data: Dataset
    scaling: Scaling | None = None


def table_from(source: Source, speech: Speech) -> Table:
    """Read the rows and say what they are.

    Raises:
        InputError: a file or columns that cannot be used.
    """
    frame, left_out = pick_columns(
        read_frame(source.path, source.delimiter), source.columns, numeric_only=source.numeric_only
    )
    return table_of(frame, speech, str(source.path), left_out, standardize=source.standardize)


def table_of(
    frame: pd.DataFrame,
    speech: Speech,
    name: str,
    left_out: list[str],
    *,
    standardize: bool = False,
) -> Table:
    """Check rows, say what they are, and standardise them if asked for."""
    from ..data.dataset import Dataset

    with as_input_error(ValueError, TypeError), speech.listening():
        data = Dataset.from_array(frame)
        table = Table(*standardised(data)) if standardize else Table(data)
    speech.say(f"{name}: {data.n_rows} rows, {data.n_columns} columns", style="bold")
    if left_out:
        speech.note(f"Columns that are not numbers are left out: {listed(left_out)}.")
    if table.scaling is not None:
        speech.note(
            "Columns are standardised: centred and divided by their standard deviations. Means and "
            "parameters below are in these units; bayesgmm predict standardises new rows alike."
        )
    if data.has_missing:
        speech.note(missing_cells(data))
    return table


def missing_cells(data: Dataset) -> str:
    """Say how many cells are missing."""
    import numpy as np

    missing = np.isnan(data.values)
    return (
        f"{int(missing.sum())} cells in {int(missing.any(1).sum())} rows are missing; these rows count by "
        "the cells they have."
    )
