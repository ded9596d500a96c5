"""One page about one fit: self-contained HTML for people who were not there."""

from .report import Report, report

__all__ = ["Report", "report"]
