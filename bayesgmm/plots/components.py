"""The parameters of the clusters as a forest: weights, means and standard deviations with intervals.

For draws the components of all draws are first given the names of clusters (``relabel``); where that
cannot be done there is no picture, since component 1 of one draw is not component 1 of the next.
"""

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from ..diagnostics.summary import parameters
from ..posterior.partition import Partition, partition
from ..posterior.relabel import relabel
from ..result import Fit
from .style import GREY, PALE, bare, colour
from .view import view_of

INNER = 0.5
MOST_COLUMNS = 5
HEIGHT_OF_CLUSTER, WIDTH_OF_PANEL = 0.32, 2.3  # inches


def components(
    fit: Fit,
    *,
    clusters: Partition | None = None,
    columns: Sequence[str] | None = None,
    prob: float = 0.9,
    axes: Any = None,
) -> np.ndarray:
    """Draw weight, means and standard deviations of each cluster with intervals.

    Dots are posterior medians, thick lines hold half of the draws and thin ones ``prob`` of them; of a
    point fit there are dots alone. Draws are those with the most frequent number of clusters.

    Args:
        fit: any fit.
        clusters: ``partition(fit)``: if it has as many clusters, names and colours agree with it.
        columns: names of the columns to show, by default the first five at most.
        prob: probability of the equal-tailed interval, in (0, 1).
        axes: axes to draw on, (2, 1 + number of columns); a new figure by default.

    Returns:
        The axes (2, 1 + number of columns): at the left the weights, above each other the mean and the
        standard deviation of each column, in its units.

    Raises:
        NotIdentifiedError: clusters that cannot be named across draws, with the reason.
        ValueError: unknown columns, or prob outside (0, 1).
    """
    if not 0 < prob < 1:
        raise ValueError(f"Expected prob in (0, 1), got {prob!r}. Pass for instance prob=0.9.")
    wanted = list(fit.model.names[:MOST_COLUMNS]) if columns is None else columns
    view = view_of(fit, wanted, most=fit.model.n_columns)
    draws, share = named_draws(fit, clusters)
    axes = grid_of_axes(axes, len(view.names), draws["weight"].shape[1])
    indices = [fit.model.names.index(name) for name in view.names]
    draw_forest(axes[0, 0], draws["weight"], prob, "weight")
    for place, index in enumerate(indices, start=1):
        name = fit.model.names[index]
        draw_forest(axes[0, place], draws["mean"][..., index], prob, f"mean of {name}")
        draw_forest(axes[1, place], draws["sd"][..., index], prob, f"sd of {name}")
    describe(axes[1, 0], fit, prob, share)
    return axes


def named_draws(fit: Fit, clusters: Partition | None) -> tuple[dict[str, np.ndarray], float]:
    """Return the parameters of the clusters, (S, J, ...), and the share of draws they come from."""
    if fit.is_point:
        order = components_by_cluster(partition(fit) if clusters is None else clusters)
        values = parameters(fit, fit.mixture)
        return {name: value[None, order] for name, value in values.items()}, 1.0
    found = relabel(fit, clusters=clusters)
    found.require_identified()
    return parameters(fit, found.mixture), found.share_of_draws


def components_by_cluster(found: Partition) -> np.ndarray:
    """Return the components of a point in the order of their clusters, those without rows last, (K,)."""
    shares = found.shares[0]
    cluster = np.where(shares.any(1), shares.argmax(1), found.n_clusters)
    return np.argsort(cluster, kind="stable")


def grid_of_axes(axes: Any, n_columns: int, n_clusters: int) -> np.ndarray:
    """Return bare axes, a row of means above one of standard deviations.

    Raises:
        ValueError: another number of axes.
    """
    if axes is None:
        size = (WIDTH_OF_PANEL * (1 + n_columns), 2 * (0.9 + HEIGHT_OF_CLUSTER * n_clusters))
        _, axes = plt.subplots(2, 1 + n_columns, figsize=size, layout="constrained", sharey=True)
    given = np.asarray(axes, dtype=object)
    if given.shape != (2, 1 + n_columns):
        raise ValueError(
            f"Expected axes of shape (2, {1 + n_columns}), got {given.shape}. Pass axes=None."
        )
    for one in given.flat:
        bare(one)
    return given


def draw_forest(ax: Axes, draws: np.ndarray, prob: float, name: str) -> None:
    """Draw the draws (S, J) of a parameter of each cluster as dots and lines."""
    n_draws, n_clusters = draws.shape
    at = np.arange(n_clusters)
    colours = [colour(j) for j in range(n_clusters)]
    if n_draws > 1:
        for width, inside in ((1.2, prob), (3.6, INNER)):
            low, high = np.quantile(draws, [(1 - inside) / 2, (1 + inside) / 2], axis=0)
            ax.hlines(at, low, high, colors=colours, lw=width)
    ax.scatter(np.median(draws, axis=0), at, c=colours, s=26, zorder=3, ec="white", lw=0.6)
    for j in at[:-1]:
        ax.axhline(j + 0.5, color=PALE, lw=0.6, zorder=0)
    ax.set_yticks(at, [f"cluster {j}" for j in at])
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(n_clusters - 0.5, -0.5)
    ax.set_xlabel(name)
    ax.margins(x=0.08)


def describe(ax: Axes, fit: Fit, prob: float, share: float) -> None:
    """Say in the empty panel what the marks are."""
    ax.set_axis_off()
    if fit.is_point:
        text = "dots: the point estimate"
    else:
        text = f"dots: median\nthick: {INNER:.0%} interval\nthin: {prob:.0%} interval\n"
        text += f"from {share:.0%} of the draws"
    ax.text(0, 0.5, text, transform=ax.transAxes, va="center", fontsize="small", color=GREY)
