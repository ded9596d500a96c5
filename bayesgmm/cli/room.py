"""Whether a file fits into memory, asked before it is read."""

from __future__ import annotations

import os
from pathlib import Path

from .refusal import InputError

# Bytes of memory for each byte of the file: the table as it is read, its numbers, and a fit's copies of
# them. Parquet is compressed on disk.
FACTOR = {".csv": 6, ".npy": 6, ".parquet": 25}
MEMINFO = Path("/proc/meminfo")


def require_room(path: Path) -> None:
    """Refuse a file that would not fit.

    Raises:
        InputError: a file whose size, times a factor, exceeds the memory that is free.
    """
    size, available = path.stat().st_size, available_bytes()
    factor = FACTOR[path.suffix.lower()]
    if available is not None and factor * size > available:
        raise InputError(
            f"Expected a file that fits into memory, got {path} of {gib(size)}, which needs about "
            f"{gib(factor * size)} ({factor} times its size) where {gib(available)} are free; take a "
            "sample of its rows, write only the columns you need, or in Python let bg.fit(path) read a .npy or "
            ".parquet file block by block."
        )


def available_bytes() -> int | None:
    """Return the memory that is free, None where the system does not tell."""
    try:
        lines = MEMINFO.read_text(encoding="ascii").splitlines()
        return next(
            1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable")
        )
    except (OSError, ValueError, StopIteration):
        return physical_bytes()


def physical_bytes() -> int | None:
    """Return the memory of the machine, None where the system does not tell."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def gib(n_bytes: int) -> str:
    """Return a size for people."""
    return f"{n_bytes / 2**30:.3g} GiB"
