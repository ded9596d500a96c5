"""Pictures of a fit, drawn with Matplotlib and handed back unfinished: add to them as you like."""

from .animation import animation
from .clusters import clusters
from .components import components
from .credible_ball import credible_ball
from .history import history
from .kmeans import kmeans
from .merging import merging
from .n_clusters import n_clusters
from .pairs import pairs
from .ppc import ppc
from .regions import regions
from .selection import selection
from .similarity import similarity
from .trace import trace
from .uncertainty import uncertainty

__all__ = [
    "animation",
    "clusters",
    "components",
    "credible_ball",
    "history",
    "kmeans",
    "merging",
    "n_clusters",
    "pairs",
    "ppc",
    "regions",
    "selection",
    "similarity",
    "trace",
    "uncertainty",
]
