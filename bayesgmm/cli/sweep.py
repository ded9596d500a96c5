"""A sweep over numbers of components, as ``fit`` and ``select`` run it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .refusal import as_input_error
from .speech import Speech

if TYPE_CHECKING:
    from ..data.dataset import Dataset
    from ..selection.selection import Selection

UNFINISHED = ("not run", "interrupted")


def swept(data: Dataset, speech: Speech, **asked: Any) -> Selection:
    """Run a sweep that has a winner.

    Args:
        data: the rows.
        speech: where doubts about the winner become notes.
        **asked: arguments of ``bg.select``.

    Raises:
        InputError: rows that no model can be fitted to.
        KeyboardInterrupt: interrupted before any model was fitted.
    """
    import numpy as np

    from ..selection.select import select

    with as_input_error(ValueError), speech.listening():
        selected = select(data, **asked, progress=speech.progress)
        if np.isnan(selected.deltas).all() and was_interrupted(selected):
            raise KeyboardInterrupt("Interrupted before a model was fitted.")
        # Raises, with the reasons, if there is none.
        _ = selected.best
    return selected


def was_interrupted(selected: Selection) -> bool:
    """Say whether the user stopped the sweep."""
    return any(row["status"] in UNFINISHED for row in selected.records)
