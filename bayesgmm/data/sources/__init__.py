"""Row sources: rows that are not one array in memory, behind one interface."""

from .streamed import Streamed, left_behind, stream

__all__ = ["Streamed", "left_behind", "stream"]
