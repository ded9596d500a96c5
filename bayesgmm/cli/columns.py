"""Which columns of a table are used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .refusal import InputError

if TYPE_CHECKING:
    import pandas as pd

MOST_LISTED = 12


def pick_columns(
    frame: pd.DataFrame, columns: str | None, *, numeric_only: bool = False
) -> tuple[pd.DataFrame, list[str]]:
    """Return the columns asked for, all by default, numbers only.

    Args:
        frame: the table.
        columns: names with commas between.
        numeric_only: whether columns that are not numbers are left out.

    Returns:
        The columns, and the names of those left out.

    Raises:
        InputError: unknown columns, columns that are not numbers, or none at all.
    """
    chosen = frame if columns is None else frame[named_columns(frame, columns)]
    numeric, others = split_by_kind(chosen)
    if not numeric:
        raise InputError(
            f"Expected numeric columns, got none (columns: {listed(chosen.columns) or 'none'}); "
            "encode them as numbers first."
        )
    if others and not numeric_only:
        raise InputError(
            f"Expected numeric columns, got text or dates in {listed(others)}; choose columns with "
            f"--columns {','.join(numeric)}, or leave the others out with --numeric-only."
        )
    return chosen[numeric], others


def named_columns(frame: pd.DataFrame, columns: str) -> list[str]:
    """Return the names in ``--columns``, each once; refuse unknown ones."""
    wanted = list(dict.fromkeys(name.strip() for name in columns.split(",") if name.strip()))
    unknown = [name for name in wanted if name not in frame.columns]
    if unknown or not wanted:
        raise InputError(
            f"Expected --columns to name columns of the table, {listed(frame.columns)}, "
            f"got {listed(unknown) or 'none'}; correct --columns."
        )
    return wanted


def columns_of_fit(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return the columns of a fit, in its order; others are ignored.

    Raises:
        InputError: columns that the table lacks, or that are not numbers.
    """
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise InputError(
            f"Expected the columns of the fit, {listed(names)}, got a table without {listed(missing)} "
            f"(columns: {listed(frame.columns)}); add or rename them."
        )
    chosen = frame[list(names)]
    _, others = split_by_kind(chosen)
    if others:
        raise InputError(
            f"Expected numbers in the columns of the fit, got text or dates in {listed(others)}; "
            "correct these cells."
        )
    return chosen


def split_by_kind(frame: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Return the names of columns that are numbers, and of the others."""
    numeric = set(frame.select_dtypes(["number", "bool"], exclude=["timedelta"]).columns)
    names = list(frame.columns)
    return [one for one in names if one in numeric], [one for one in names if one not in numeric]


def listed(names: Any) -> str:
    """Return names with commas between, the first few of many."""
    texts = [str(name) for name in names]
    more = f" and {len(texts) - MOST_LISTED} more" if len(texts) > MOST_LISTED else ""
    return ", ".join(texts[:MOST_LISTED]) + more
