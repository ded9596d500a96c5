"""Warnings that point to the line of the user."""

import warnings
from pathlib import Path

PACKAGE = str(Path(__file__).parents[1])


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the innermost line that is not of this package."""
    warnings.warn(message, category, skip_file_prefixes=(PACKAGE,))
