"""Row sources: rows that are not one array in memory, behind one interface."""

from .streamed import Streamed, stream

__all__ = ["Streamed", "stream"]
