"""Fits out of files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .refusal import as_input_error

if TYPE_CHECKING:
    from ..result import Fit


def load_fit(path: Path) -> Fit:
    """Load a fit.

    Raises:
        InputError: no such file, or one that holds no fit.
    """
    from ..store import load

    with as_input_error(ValueError, OSError):
        return load(path)
