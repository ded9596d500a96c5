"""Row sources: rows that are not one array in memory, behind one interface."""

from .streamed import Kernel, Streamed, left_behind, stream

__all__ = ["Kernel", "Streamed", "left_behind", "stream"]
