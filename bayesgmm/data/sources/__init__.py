"""Row sources: rows that are not one array in memory, behind one interface."""

from .base import Kernel, Source
from .collection import Chunked, is_collection
from .left_behind import left_behind
from .mapping import dask_in_dask_out, is_elsewhere, map_rows
from .sharded import Sharded, shard
from .streamed import Streamed, stream

__all__ = [
    "Chunked",
    "Kernel",
    "Sharded",
    "Source",
    "Streamed",
    "dask_in_dask_out",
    "is_collection",
    "is_elsewhere",
    "left_behind",
    "map_rows",
    "shard",
    "stream",
]
