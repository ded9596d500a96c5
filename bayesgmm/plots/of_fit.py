"""The pictures of one fit, as methods: ``model.plot.clusters()`` is ``bg.plots.clusters(model.fit_)``."""

import inspect
from collections.abc import Callable
from functools import cached_property, wraps
from typing import Any

from ..posterior.partition import Partition, partition
from ..result import Fit
from .clusters import clusters
from .components import components
from .credible_ball import credible_ball
from .history import history
from .kmeans import kmeans
from .n_clusters import n_clusters
from .pairs import pairs
from .ppc import ppc
from .regions import regions
from .similarity import similarity
from .trace import trace
from .uncertainty import uncertainty


def bound(picture: Callable[..., Any]) -> Callable[..., Any]:
    """Return a picture as a method, its fit and its partition given."""
    signature = inspect.signature(picture)
    has_partition = "clusters" in signature.parameters

    @wraps(picture)
    def method(self: "PlotsOfFit", *args: Any, **settings: Any) -> Any:
        if has_partition:
            settings.setdefault("clusters", self.partition)
        return picture(self.fit, *args, **settings)

    of_method = [inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    of_method += [one for name, one in signature.parameters.items() if name != "fit"]
    method.__dict__["__signature__"] = signature.replace(parameters=of_method)
    return method


class PlotsOfFit:
    """The pictures of ``bayesgmm.plots`` that show a single fit.

    Attributes:
        fit: what is shown.
        partition: its representative partition, found when a picture first needs it.
    """

    def __init__(self, fit: Fit, find: Callable[[], Partition] | None = None) -> None:
        self.fit = fit
        self._find = find

    @cached_property
    def partition(self) -> Partition:
        """The representative partition."""
        return partition(self.fit) if self._find is None else self._find()

    clusters = bound(clusters)
    components = bound(components)
    credible_ball = bound(credible_ball)
    history = bound(history)
    kmeans = bound(kmeans)
    n_clusters = bound(n_clusters)
    pairs = bound(pairs)
    ppc = bound(ppc)
    regions = bound(regions)
    similarity = bound(similarity)
    trace = bound(trace)
    uncertainty = bound(uncertainty)

    def __repr__(self) -> str:
        """List the pictures."""
        hidden = {"partition"}
        names = [one for one in vars(PlotsOfFit) if not one.startswith("_") and one not in hidden]
        return f"{self.fit!r}\nPictures: {', '.join(names)}"
