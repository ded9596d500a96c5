"""How a command speaks: text for people, or one JSON object for programs, or nothing."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console


class Speech:
    """What a command says, and the notes it has taken on the way."""

    def __init__(self, *, quiet: bool = False, as_json: bool = False) -> None:
        self.progress = not quiet
        self.as_json = as_json
        self.console = Console(quiet=quiet or as_json)
        self.notes: list[str] = []

    def say(self, text: str, style: str | None = None) -> None:
        """Print text as it is: brackets and numbers keep their plain look."""
        if text:
            self.console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """Print what the user should know, once, and keep it for the JSON object."""
        text = " ".join(text.split())
        if text not in self.notes:
            self.notes.append(text)
            self.say(f"Note: {text}")

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Turn warnings to the user into notes; others stay warnings."""
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always", UserWarning)
            yield
        for one in heard:
            if issubclass(one.category, UserWarning):
                self.note(str(one.message))
            else:
                warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)

    def answer(self, record: Mapping[str, Any]) -> None:
        """Print the one JSON object, where it is wanted."""
        if self.as_json:
            text = json.dumps(valid({**record, "notes": self.notes}), allow_nan=False, indent=2)
            typer.echo(text)


def valid(value: Any) -> Any:
    """Return a value that JSON has: no NaN, no infinity, no NumPy, names as text."""
    if isinstance(value, Mapping):
        return {str(name): valid(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [valid(one) for one in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)
