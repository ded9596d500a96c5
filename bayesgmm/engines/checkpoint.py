"""Runs that go on where they were stopped.

The state after a slice is all that the next slice depends on, random keys included. A run that goes on
from a state in a file therefore makes the draws of one that was never stopped, to the bit.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jax import Array

from ..data.tabular import Table
from ..model.resolved import Model
from ..numerics.durable import check_folder, remove_partial
from ..numerics.warn import warn
from .checkpoint_file import Progress, Snapshot, read, snapshot, write
from .fingerprint import Fingerprint, fingerprint

EVERY = 300.0
NOTHING = Fingerprint({}, "", {}, "", "", "", "")


class CheckpointWarning(UserWarning):
    """A checkpoint could not be written; the run goes on without it."""


@dataclass
class Checkpoint:
    """The checkpoint of one run; without a path it does nothing.

    Attributes:
        path: the file, or None.
        mark: fingerprint of the run.
        every: seconds between two writings.
        found: where the file says the run was, None where it begins.
        noted: what to write next.
        written: what was written last.
        last: when that was, on a clock in seconds.
        has_warned: whether it was said that writing fails.
    """

    path: Path | None = None
    mark: Fingerprint = NOTHING
    every: float = EVERY
    found: Progress | None = None
    noted: Snapshot | None = None
    written: Snapshot | None = None
    last: float = field(default_factory=lambda: time.monotonic())
    has_warned: bool = False

    def first(self, make: Callable[[], Any]) -> Any:
        """Return the state in the file; where a run begins, the one that is made."""
        return make() if self.found is None else self.found.state

    def start(self, state: Any) -> Progress:
        """Return the progress in the file, or that of a run that begins."""
        if self.found is not None:
            return self.found
        begun = Progress(state, [], 0)
        self.note(begun)
        return begun

    def note(self, progress: Progress) -> None:
        """Remember where a run is, and write it down if it is time to."""
        if self.path is None:
            return
        self.noted = snapshot(progress)
        if progress.n_done and time.monotonic() - self.last >= self.every:
            self.write()

    def write(self) -> None:
        """Write what was noted, unless it is written; where that fails warn once and go on."""
        if self.path is None or self.noted is None or self.noted is self.written:
            return
        try:
            write(self.path, self.mark, self.noted)
            self.written = self.noted
        except OSError as error:
            self.warn_of(error)
        self.last = time.monotonic()

    def warn_of(self, error: OSError) -> None:
        """Say once that writing fails."""
        if self.has_warned:
            return
        self.has_warned = True
        left = "the one before stays" if self.advice else "there is none yet"
        warn(
            f"Expected to write a checkpoint to {self.path}, got an error ({error}): {left}, and the run goes "
            "on. Make room for it, or pass another path next time.",
            CheckpointWarning,
        )

    @property
    def advice(self) -> str:
        """How to go on after an interruption, a sentence to follow others; empty without a file."""
        is_there = self.path is not None and self.path.exists()
        return f" Run the same again to go on from {self.path}." if is_there else ""


def open_checkpoint(engine: Any, key: Array, model: Model, data: Table) -> Checkpoint:
    """Open the checkpoint that the settings of an engine name, if any.

    Args:
        engine: settings with ``checkpoint`` and ``every``.
        key: random key of the run.
        model: the resolved model.
        data: the rows.

    Returns:
        The checkpoint, with what the file has found.

    Raises:
        ValueError: a file that is damaged, no checkpoint, or that of another run.
        OSError: a place where no file can be.
    """
    if engine.checkpoint is None:
        return Checkpoint()
    path = Path(engine.checkpoint).absolute()
    check_folder(path, "run.checkpoint")
    mark = fingerprint(engine, key, model, data)
    found = read(path, mark) if path.exists() else None
    remove_partial(path)
    return Checkpoint(path, mark, engine.every, found)


def check_settings(engine: Any) -> None:
    """Check the settings of checkpoints, and keep a path as text.

    Raises:
        ValueError: a setting outside its domain.
    """
    path, every = engine.checkpoint, engine.every
    if path is not None and not (isinstance(path, (str, os.PathLike)) and os.fspath(path)):
        raise ValueError(
            f"Expected checkpoint to be a path or None, got {path!r}. Change checkpoint."
        )
    is_number = isinstance(every, (int, float)) and not isinstance(every, bool)
    if not (is_number and every >= 0):
        raise ValueError(
            f"Expected every to be a number >= 0, in seconds, got {every!r}. Change every."
        )
    object.__setattr__(engine, "checkpoint", None if path is None else str(os.fspath(path)))
