"""Where results go: everything is written beside its place first and moved there at the end.

If a command is refused, fails or is killed by the user on the way, nothing is left behind, not even the
folders that were made for it.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path

from .refusal import InputError

# All that commands write into a folder: what an earlier run left there is replaced or taken away.
RESULTS = (
    "report.html",
    "fit.nc",
    "assignments.csv",
    "summary.csv",
    "clusters.png",
    "n_clusters.png",
    "trace.png",
    "table.csv",
    "selection.png",
)


@contextmanager
def staged_folder(folder: Path, force: bool) -> Iterator[Path]:
    """Give a temporary folder, and move what it holds into place at the end.

    Args:
        folder: where the results go.
        force: whether a folder with files in it will do.

    Yields:
        The temporary folder: inside a folder that exists, beside one that does not.

    Raises:
        InputError: not empty without ``force``, or not writable; before any work.
    """
    place = Path(os.path.abspath(folder))
    name = f".bayesgmm-{uuid.uuid4().hex}"
    with new_folders_above(place, folder):
        with as_unwritable(folder):
            if place.exists():
                refuse_used(place, folder, force)
            stage = place / name if place.exists() else place.with_name(name)
            stage.mkdir()
        try:
            yield stage
            with as_unwritable(folder):
                move_into_place(stage, place)
        finally:
            shutil.rmtree(stage, ignore_errors=True)


@contextmanager
def staged_file(path: Path, force: bool) -> Iterator[Path]:
    """Give the path of a temporary file, and move it into place at the end.

    Raises:
        InputError: a file that exists, without ``force``, or a place that cannot be written to.
    """
    place = Path(os.path.abspath(path))
    if place.is_dir():
        raise InputError(f"Expected --out to name a file, got the folder {path}; add a file name.")
    if place.exists() and not force:
        raise InputError(
            f"Expected an output file that does not exist yet, got {path}; pass --force to replace it or "
            "--out for another one."
        )
    part = place.with_name(f".bayesgmm-{uuid.uuid4().hex}{place.suffix}")
    with new_folders_above(place, path):
        with as_unwritable(path):
            part.touch()
        try:
            yield part
            with as_unwritable(path):
                part.replace(place)
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def new_folders_above(place: Path, shown: Path) -> Iterator[None]:
    """Make the folders that lead to a place; take them away again if what follows fails."""
    made = list(takewhile(lambda one: not one.exists(), place.parents))
    try:
        with as_unwritable(shown):
            place.parent.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for one in made:
            with suppress(OSError):
                one.rmdir()
        raise


@contextmanager
def as_unwritable(shown: Path) -> Iterator[None]:
    """Take the system's refusals for what they are: an output that cannot be written."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"Expected an output that can be written, got {shown} ({error.strerror}); pass another one "
            "with --out."
        ) from error


def refuse_used(place: Path, shown: Path, force: bool) -> None:
    """Raise if a folder holds files, unless they may be replaced."""
    is_used = any(place.iterdir())
    if is_used and not force:
        raise InputError(
            f"Expected an empty or new output folder, got {shown} with files in it; "
            "pass --force to overwrite earlier results or --out for another folder."
        )


def move_into_place(stage: Path, place: Path) -> None:
    """Move what a temporary folder holds to where it belongs."""
    if not place.exists():
        stage.rename(place)
        return
    written = {one.name for one in stage.iterdir()}
    for name in written:
        (stage / name).replace(place / name)
    for name in set(RESULTS) - written:
        (place / name).unlink(missing_ok=True)
