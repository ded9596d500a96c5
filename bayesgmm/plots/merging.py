"""Components merged into clusters: how far the entropy falls, and where it stops falling fast."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ..posterior.merging import MergedComponents
from .style import GREY, INK, bare, colour

LINE: dict[str, Any] = {"color": colour(1), "lw": 1.3, "ls": "--", "zorder": 2}


def merging(merged: MergedComponents, *, ax: Any = None) -> np.ndarray:
    """Draw the entropy of the soft classification as components are merged.

    At the left over the number of clusters, at the right over the cumulated number of merged rows,
    by which a merge of large clusters may cost more. Dashed lines are the two least-squares
    segments; they change over at the ring. A steep piece takes rows out of doubt by
    joining components that overlap, a flat one joins clusters that were apart.

    Args:
        merged: ``merge_components(fit)``.
        ax: two axes to draw on; a new figure by default.

    Returns:
        The axes, (2,).

    Raises:
        ValueError: not the axes that are needed.
    """
    left, right = pair_of_axes(ax)
    draw_entropy(left, merged, normalised=False)
    draw_entropy(right, merged, normalised=True)
    left.set(xlabel="number of clusters", ylabel="entropy of the classification (nats)")
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    right.set_xlabel("rows merged, cumulated from one cluster on")
    name_points(right, merged)
    for one in (left, right):
        one.legend(frameon=False, fontsize="small", loc="upper left")
    return np.array([left, right])


def pair_of_axes(ax: Any) -> np.ndarray:
    """Return two bare axes, side by side."""
    if ax is None:
        _, ax = plt.subplots(1, 2, figsize=(9.0, 3.8), sharey=True, layout="constrained")
    axes = np.ravel(np.asarray(ax, dtype=object))
    if len(axes) != 2:
        raise ValueError(f"Expected two axes, got {len(axes)}. Pass ax=None or two axes.")
    for one in axes:
        bare(one)
    return axes


def draw_entropy(ax: Axes, merged: MergedComponents, *, normalised: bool) -> None:
    """Draw the entropy over its abscissae with the fitted segments."""
    x, entropy = merged.abscissae(normalised=normalised), merged.entropy[::-1]
    ax.plot(x, entropy, "o-", color=colour(0), lw=0.8, ms=5, zorder=3, label="entropy")
    bend = merged.elbow(normalised=normalised)
    if bend is None:
        return
    for line, part in (
        (bend.left, slice(0, bend.point + 1)),
        (bend.right, slice(bend.point, None)),
    ):
        ax.plot(x[part], line.at(x[part]), **LINE, label="_nolegend_")
    ax.plot([], [], **LINE, label=f"segments, meeting at {bend.point + 1} clusters")
    ring = (x[bend.point], entropy[bend.point])
    ax.plot(*ring, "o", ms=12, mfc="none", mec=colour(1), mew=1.3, zorder=4, gid="bend")
    ax.axhline(0, color=GREY, lw=0.5, zorder=0)


def name_points(ax: Axes, merged: MergedComponents) -> None:
    """Write the number of clusters at the lower right of each point, away from the lines."""
    x, entropy = merged.abscissae(normalised=True), merged.entropy[::-1]
    for number, place in enumerate(zip(x, entropy, strict=True), 1):
        ax.annotate(
            str(number),
            place,
            xytext=(6, -5),
            textcoords="offset points",
            va="top",
            fontsize="small",
            color=INK,
        )
