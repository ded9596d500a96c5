"""Pictures of a fit, drawn with Matplotlib and handed back unfinished: add to them as you like."""

from .clusters import clusters
from .merging import merging
from .n_clusters import n_clusters
from .ppc import ppc
from .selection import selection
from .trace import trace

__all__ = ["clusters", "merging", "n_clusters", "ppc", "selection", "trace"]
