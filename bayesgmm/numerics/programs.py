"""Room for compiled programs.

XLA keeps every compiled program in memory maps of its own, some 1,700 for the first fit of a shape,
and Linux ends a process that asks for more than ``vm.max_map_count`` of them, 65,530 by default.
"""

import time
from pathlib import Path

import jax

MAPS = Path("/proc/self/maps")
MOST_MAPS = Path("/proc/sys/vm/max_map_count")
SHARE = 0.5
# Counting takes some milliseconds; compiling half of the maps takes far longer than this many seconds.
SECONDS_BETWEEN_LOOKS = 5.0
_last_look = float("-inf")


def keep_room() -> None:
    """Call ``make_room`` unless it was called just before."""
    global _last_look
    now = time.monotonic()
    if now - _last_look > SECONDS_BETWEEN_LOOKS:
        make_room()
        _last_look = now


def make_room(maps: Path = MAPS, most_maps: Path = MOST_MAPS) -> bool:
    """Drop all compiled programs if their maps take half of what the system allows.

    Programs still in use are compiled again at their next call. Other systems have no such limit.

    Returns:
        Whether programs were dropped.
    """
    if not (maps.exists() and most_maps.exists()):
        return False
    with maps.open("rb") as lines:
        n_maps = sum(1 for _ in lines)
    is_full = n_maps > SHARE * int(most_maps.read_text())
    if is_full:
        jax.clear_caches()
    return is_full
