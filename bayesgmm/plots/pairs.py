"""Every pair of columns, and on the diagonal the density of each."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.artist import Artist

from ..posterior.membership import membership
from ..posterior.partition import Partition, evenly, partition
from ..result import Fit
from .clusters import check_settings, draw_density, draw_ellipses, other_handles
from .dots import certainty_handles, cluster_handles, draw_rows
from .style import bare
from .view import View, view_of

MOST_COLUMNS = 8
INCHES = 2.1


def pairs(
    fit: Fit,
    *,
    clusters: Partition | None = None,
    columns: Sequence[str] | None = None,
    n_ellipses: int = 20,
    prob: float = 0.9,
    axes: np.ndarray | None = None,
) -> np.ndarray:
    """Draw ``clusters`` for every pair of columns, and for each column alone on the diagonal.

    Args:
        fit: any fit.
        clusters: ``partition(fit)``, to save its computation.
        columns: names of two to eight columns; all by default.
        n_ellipses: number of posterior draws, evenly spaced, whose ellipses are drawn.
        prob: probability inside an ellipse, in (0, 1).
        axes: axes to draw on, (d, d); a new figure by default.

    Returns:
        The axes, (d, d): row i shows column i upwards, column j shows column j to the right; those
        above the diagonal are empty.

    Raises:
        ValueError: unknown columns, fewer than two or more than eight, axes of another shape, or a
            setting outside its domain.
    """
    views = views_of(fit, columns)
    check_settings(n_ellipses, prob)
    found = partition(fit) if clusters is None else clusters
    certainty = membership(fit, found, fit.data.values).mean.max(1)
    thinned = evenly(len(found.draws), n_ellipses)
    grid = grid_of_axes(axes, len(views))
    for (i, j), ax in np.ndenumerate(grid):
        if i < j:
            ax.set_axis_off()
        elif i == j:
            draw_density(ax, fit, found, views[j])
            ax.set(ylabel="", yticks=[])
            ax.spines["left"].set_visible(False)
        else:
            plane = both(views[j], views[i])
            draw_rows(ax, plane.rows(fit.data.values), found.labels, certainty)
            draw_ellipses(ax, fit, found, plane, thinned, prob)
    level_rows(grid)
    label_edges(grid, [view.names[0] for view in views])
    handles: list[Artist] = [*cluster_handles(found.labels)]
    handles += other_handles(grid[-1, 0], fit, found, n_ellipses, prob)
    if certainty.min() < 0.95:
        handles += certainty_handles()
    grid[0, -1].legend(handles=handles, frameon=False, fontsize="small", loc="upper right")
    return grid


def views_of(fit: Fit, columns: Sequence[str] | None) -> list[View]:
    """Return the view of each column.

    Raises:
        ValueError: unknown columns, fewer than two or more than eight.
    """
    names = list(fit.model.names)
    wanted = names if columns is None else list(columns)
    if not 2 <= len(wanted) <= MOST_COLUMNS:
        raise ValueError(
            f"Expected 2 to {MOST_COLUMNS} columns for a grid of pairs, got {len(wanted)}. Pass "
            f"columns={names[:4]}, or use bg.plots.clusters."
        )
    return [view_of(fit, [name]) for name in wanted]


def both(first: View, second: View) -> View:
    """Return the view of two columns."""
    matrix = np.concatenate([first.matrix, second.matrix], axis=1)
    return View(first.names + second.names, matrix, first.centre)


def grid_of_axes(axes: np.ndarray | None, n: int) -> np.ndarray:
    """Return (n, n) bare axes, the given ones or new ones, that share scales along columns.

    Raises:
        ValueError: axes of another shape.
    """
    if axes is None:
        size = (INCHES * n + 0.6, INCHES * n)
        axes = plt.subplots(n, n, figsize=size, sharex="col", squeeze=False, layout="constrained")[
            1
        ]
    if np.shape(axes) != (n, n):
        raise ValueError(f"Expected axes of shape {(n, n)}, got {np.shape(axes)}. Pass axes=None.")
    for ax in axes.flat:
        bare(ax)
    return axes


def level_rows(grid: np.ndarray) -> None:
    """Give the planes of a row the same limits upwards."""
    for i in range(1, len(grid)):
        limits = np.array([ax.get_ylim() for ax in grid[i, :i]])
        for ax in grid[i, :i]:
            ax.set_ylim(limits[:, 0].min(), limits[:, 1].max())


def label_edges(grid: np.ndarray, names: list[str]) -> None:
    """Name the columns along the lower and the left edge, and leave ticks out inside."""
    n = len(names)
    for (i, j), ax in np.ndenumerate(grid):
        if i < j:
            continue
        ax.set_xlabel(names[j] if i == n - 1 else "")
        ax.tick_params(labelbottom=i == n - 1, labelsize="small")
        if i != j:
            ax.set_ylabel(names[i] if j == 0 else "")
            ax.tick_params(labelleft=j == 0)
