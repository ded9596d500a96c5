"""Row sources: rows that are not one array in memory, behind one interface."""

from .base import Kernel, Source
from .collection import Chunked, is_collection
from .sharded import Sharded, shard
from .streamed import Streamed, left_behind, stream

__all__ = [
    "Chunked",
    "Kernel",
    "Sharded",
    "Source",
    "Streamed",
    "is_collection",
    "left_behind",
    "shard",
    "stream",
]
