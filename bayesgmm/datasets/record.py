"""The record that every data set comes in, and the file it is read from."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class DataSet:
    """A table of measurements and where it comes from.

    Attributes:
        frame: the numeric columns, (N, D), float64.
        target: the class of each row, N labels, or None where no classes are known.
        labels: every label column of the rows, target included, or None.
        name: the name that ``load`` knows.
        description: what was measured, and the units.
        source: the publication.
        licence: the terms of the numbers.
    """

    frame: pd.DataFrame
    target: pd.Series | None
    labels: pd.DataFrame | None
    name: str
    description: str
    source: str
    licence: str


def read_table(name: str) -> pd.DataFrame:
    """Read a shipped file.

    Args:
        name: the name of the data set.

    Returns:
        Its rows, labels and numbers together, in the order of the file.
    """
    import pandas as pd

    with (files(__package__) / f"{name}.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file)


def as_dataset(
    name: str, table: pd.DataFrame, labels: list[str], description: str, source: str, licence: str
) -> DataSet:
    """Part the numbers of a table from its labels.

    Args:
        name: the name that ``load`` knows.
        table: rows, labels and numbers together.
        labels: the label columns, the target first; empty where no classes are known.
        description: what was measured, and the units.
        source: the publication.
        licence: the terms of the numbers.

    Returns:
        The record.
    """
    return DataSet(
        frame=table.drop(columns=labels).astype(float),
        target=table[labels[0]] if labels else None,
        labels=table[labels] if labels else None,
        name=name,
        description=description,
        source=source,
        licence=licence,
    )
