"""Freed memory that is kept while arrays of the same sizes come and go."""

import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Names of settings in glibc's malloc.h.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
VARIABLE = "MALLOC_TRIM_THRESHOLD_"
# Limits of glibc: the largest threshold of memory maps, and its default.
LARGEST, USUAL = 32 * 2**20, 128 * 2**10
_lock = threading.Lock()
_inside = [0]


@contextmanager
def kept_memory() -> Iterator[None]:
    """Keep freed memory for the next use, and give it back at the end.

    Dask lets glibc give every freed buffer back at once (``MALLOC_TRIM_THRESHOLD_``), so that the next one is made of
    fresh pages; a pass over rows then takes four times as long. Where the variable is not set nothing is done.
    """
    library = glibc()
    if library is None:
        yield
        return
    with _lock:
        _inside[0] += 1
        library.mallopt(MMAP_THRESHOLD, LARGEST)
        library.mallopt(TRIM_THRESHOLD, LARGEST)
    try:
        yield
    finally:
        with _lock:
            _inside[0] -= 1
            if not _inside[0]:
                library.mallopt(MMAP_THRESHOLD, USUAL)
                library.mallopt(TRIM_THRESHOLD, int(os.environ[VARIABLE]))
                library.malloc_trim(0)


def glibc() -> ctypes.CDLL | None:
    """Return the C library if it is one that was told to give memory back."""
    if sys.platform != "linux" or not os.environ.get(VARIABLE, "").isdigit():
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "malloc_trim") else None
