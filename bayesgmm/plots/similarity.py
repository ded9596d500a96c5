"""How often two rows go together: the posterior similarity matrix, ordered by the partition."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from ..posterior.partition import Partition, co_clustering, evenly, partition
from ..result import Fit
from .style import axes_or_new, colour, require_draws

MOST_ROWS = 1_000
MOST_NAMED = 10
# Clusters with less than this share of the rows have no name beside the axes.
SMALLEST_NAMED = 0.03


def similarity(
    fit: Fit, *, clusters: Partition | None = None, rows: Any = None, ax: Axes | None = None
) -> Axes:
    """Draw the posterior probability that two rows belong to the same cluster.

    Rows are ordered by the clusters of the representative partition, whose blocks are outlined in
    their colours; within a cluster by average linkage, so that groups inside it show.

    Args:
        fit: a posterior.
        clusters: ``partition(fit)``, to save its computation.
        rows: indices of the rows to compare; by default all, of more than 1,000 as many, evenly
            spaced through the clusters.
        ax: axes to draw on; a new figure by default.

    Returns:
        The axes.

    Raises:
        ValueError: a point fit, whose rows go together always or never, or too many rows.
    """
    require_draws(fit, "how often rows go together")
    found = partition(fit) if clusters is None else clusters
    chosen = rows_to_compare(found, rows)
    together, labels = co_clustering(fit, chosen), found.labels[chosen]
    order = order_within(together, labels)
    ax = axes_or_new(ax, (6.0, 5.0))
    image = ax.imshow(
        together[np.ix_(order, order)], cmap="Blues", vmin=0, vmax=1, interpolation="nearest"
    )
    ax.figure.colorbar(image, ax=ax, label="probability of the same cluster", shrink=0.85)
    outline(ax, labels[order])
    ax.set_xlabel(f"{len(chosen):,} of {fit.data.n_rows:,} rows, ordered by cluster")
    return ax


def rows_to_compare(found: Partition, rows: Any) -> np.ndarray:
    """Return the indices of the rows, of all rows those evenly spaced through the clusters."""
    if rows is not None:
        return np.arange(len(found.labels))[rows]
    by_cluster = np.argsort(found.labels, kind="stable")
    return by_cluster[evenly(len(by_cluster), MOST_ROWS)]


def order_within(together: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the order of rows: by cluster, and in each by average linkage of 1 - probability."""
    order = []
    for j in np.unique(labels):
        members = np.flatnonzero(labels == j)
        if len(members) > 2:
            apart = np.clip(1.0 - together[np.ix_(members, members)], 0, None)
            np.fill_diagonal(apart, 0)
            members = members[leaves_list(linkage(squareform(apart, checks=False), "average"))]
        order.append(members)
    return np.concatenate(order)


def outline(ax: Axes, labels: np.ndarray) -> None:
    """Outline the block of each cluster and name the large ones beside it."""
    names, first, sizes = np.unique(labels, return_index=True, return_counts=True)
    for j, start, size in zip(names, first, sizes, strict=True):
        ax.add_patch(
            Rectangle(
                (start - 0.5, start - 0.5),
                size,
                size,
                fill=False,
                ec=colour(j),
                lw=1.8,
                gid="block",
                clip_on=False,
            )
        )
    is_named = (sizes >= SMALLEST_NAMED * len(labels)) & (names < MOST_NAMED)
    middles = (first + (sizes - 1) / 2)[is_named]
    ax.set_yticks(middles, [f"cluster {j}" for j in names[is_named]])
    for text, j in zip(ax.get_yticklabels(), names[is_named], strict=True):
        text.set_color(colour(j))
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
