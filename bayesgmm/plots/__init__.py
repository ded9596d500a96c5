"""Pictures of a fit, drawn with Matplotlib and handed back unfinished: add to them as you like."""

from .clusters import clusters
from .n_clusters import n_clusters
from .ppc import ppc
from .trace import trace

__all__ = ["clusters", "n_clusters", "ppc", "trace"]
