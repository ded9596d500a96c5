"""Files that appear whole or not at all, and survive a loss of power."""

import contextlib
import glob
import os
import uuid
from collections.abc import Iterator
from pathlib import Path


def check_folder(path: Path, example: str) -> None:
    """Raise unless a file can have this path.

    Args:
        path: where a file is to be.
        example: a name for it, to be suggested where the path is that of a folder.

    Raises:
        FileNotFoundError: no such folder.
        IsADirectoryError: a folder of this name.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"Expected a path in a folder that exists, got {path}: there is no folder {path.parent}. "
            "Make the folder first."
        )
    if path.is_dir():
        raise IsADirectoryError(
            f"Expected the path of a file, got the folder {path}. Pass for instance {path / example}."
        )


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a place beside ``path`` to write to; what is written there then takes its place at once.

    Where writing fails, a file that was at ``path`` before is still there, and nothing is left beside it.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        yield temporary
        flush(temporary, os.O_RDWR)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    # Some systems cannot flush a folder; the file is whole with or without.
    with contextlib.suppress(OSError):
        flush(path.parent, os.O_RDONLY)


def flush(path: Path, mode: int) -> None:
    """Wait until a file, or a folder's list of files, is on the disk."""
    opened = os.open(path, mode)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def remove_partial(path: Path) -> None:
    """Remove what processes that were killed left beside ``path``."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        left.unlink(missing_ok=True)
