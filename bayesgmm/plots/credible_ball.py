"""The representative partition and the ends of its credible ball, side by side.

Wade & Ghahramani (2018), Bayesian Analysis 13, 559-626, section 4.
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from ..posterior.ball import CredibleBall
from ..posterior.ball import credible_ball as ball_of
from ..posterior.partition import Partition, partition
from ..result import Fit
from .dots import draw_rows
from .recolour import renamed
from .style import counted, require_draws, row_of_axes
from .view import Columns, View, plane_of

SIZE = (12.5, 3.4)  # inches
BOUNDS = {
    "horizontal": "farthest",
    "upper": "fewest clusters",
    "lower": "most clusters",
}


def credible_ball(
    fit: Fit,
    *,
    ball: CredibleBall | None = None,
    clusters: Partition | None = None,
    columns: Columns = None,
    axes: Any = None,
) -> np.ndarray:
    """Draw the representative partition beside the farthest partitions of its credible ball.

    The farthest of all, the farthest of those with the fewest clusters, and of those with the most. Their
    clusters have the colours of those of the representative partition they share most rows with; rows
    that go elsewhere than there are larger.

    Args:
        fit: a posterior.
        ball: ``credible_ball(fit)``, to save its computation or for another probability.
        clusters: ``partition(fit)``, likewise.
        columns: names of two columns, the first two by default; or "pca".
        axes: four axes to draw on; a new figure by default.

    Returns:
        The axes, (4,).

    Raises:
        ValueError: a point fit, unknown columns, or another number of axes.
    """
    require_draws(fit, "how far partitions may be")
    view = plane_of(fit, columns)
    found = partition(fit) if clusters is None else clusters
    around = ball_of(fit, clusters=found) if ball is None else ball
    axes = row_of_axes(axes, 1 + len(BOUNDS), SIZE)
    centre = found.labels[around.rows]
    rows = view.rows(fit.data.values[around.rows])
    draw_partition(axes[0], rows, centre, centre)
    axes[0].set_title(
        f"representative:\n{counted(int(centre.max()) + 1, 'cluster')}", fontsize="medium"
    )
    for ax, (name, text) in zip(axes[1:], BOUNDS.items(), strict=True):
        labels = getattr(around, name)[0]
        draw_partition(ax, rows, renamed(labels, centre), centre)
        n_clusters = counted(len(np.unique(labels)), "cluster")
        ax.set_title(f"{text} within {around.prob:.0%}:\n{n_clusters}", fontsize="medium")
    name_axes(axes, view)
    return axes


def draw_partition(ax: Axes, rows: np.ndarray, labels: np.ndarray, centre: np.ndarray) -> None:
    """Draw rows by cluster, those that are elsewhere in the centre larger."""
    draw_rows(ax, rows, labels, np.where(labels == centre, 1.0, 0.75))


def name_axes(axes: np.ndarray, view: View) -> None:
    """Name the axes, the vertical one once."""
    for ax in axes:
        ax.set_xlabel(view.names[0])
    axes[0].set_ylabel(view.names[1])
