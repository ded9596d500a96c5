"""EM update by update: rows in the colours of the components that share them, ellipses that move."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.animation import FuncAnimation
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_rgb

from ..posterior.density import log_responsibilities
from ..result import Fit
from .marginal import ellipses, marginal
from .ppc_draws import axis_ends
from .style import INK, axes_or_new, bare, colour, figure_of
from .view import Columns, View, plane_of

# Probabilities inside the ellipses of a component, and how strongly they are drawn.
ELLIPSES = {0.5: 2.2, 0.9: 1.2}


def animation(
    path: Sequence[Fit],
    *,
    columns: Columns = None,
    milliseconds: int = 400,
    ax: Axes | None = None,
) -> FuncAnimation:
    """Animate EM: a picture for every update, from the start on.

    A row has the colours of the components mixed by its responsibilities; each component has ellipses
    that hold 50 % and 90 % of it.

    Args:
        path: point fits of the same rows with the same number of components: ``bg.em_path(X, spec)``.
        columns: names of two columns, the first two by default; or "pca".
        milliseconds: time of a picture.
        ax: axes to draw on; a new figure by default.

    Returns:
        The animation: ``.save("em.gif")`` writes it, ``.to_jshtml()`` is a page for notebooks.

    Raises:
        ValueError: no fits, or draws among them, or unknown columns.
    """
    fits = list(path)
    if not fits or not all(fit.is_point for fit in fits):
        raise ValueError(
            f"Expected point fits, one per update, got {len(fits)} fits, not all of them points. Pass "
            "bg.em_path(X, spec)."
        )
    view = plane_of(fits[0], columns)
    ax = bare(axes_or_new(ax))
    rows = view.rows(fits[0].data.values)
    dots, lines = stage(ax, rows, view)

    def show(update: int) -> list[Any]:
        fit = fits[update]
        dots.set(facecolors=mixed_colours(fit))
        outlines, colours = outlines_of(fit, view)
        lines.set(segments=outlines)
        lines.set_color(colours)
        ax.set_title(
            f"update {update}: log-likelihood {float(fit.log_likelihood):,.1f}", loc="left"
        )
        return [dots, lines]

    show(0)
    return FuncAnimation(figure_of(ax), show, frames=len(fits), interval=milliseconds)


def stage(ax: Axes, rows: np.ndarray, view: View) -> tuple[PathCollection, LineCollection]:
    """Draw rows (N, 2) and empty ellipses on axes that hold the rows."""
    dots = ax.scatter(
        rows[:, 0], rows[:, 1], s=16, linewidths=0.3, edgecolors=INK, zorder=2, gid="rows"
    )
    widths = list(ELLIPSES.values())
    lines = LineCollection([], linewidths=widths, zorder=3, gid="ellipses")
    ax.add_collection(lines, autolim=False)
    ends = axis_ends(rows, rows[~np.isnan(rows).any(1)])
    ax.set(xlim=ends[0], ylim=ends[1], xlabel=view.names[0], ylabel=view.names[1])
    return dots, lines


def mixed_colours(fit: Fit) -> np.ndarray:
    """Return the colour of each row: those of the components by its responsibilities, (N, 3)."""
    shares = np.exp(log_responsibilities(fit, fit.data.values))
    colours = np.array([to_rgb(colour(k)) for k in range(shares.shape[1])])
    return np.clip(shares @ colours, 0, 1)


def outlines_of(fit: Fit, view: View) -> tuple[np.ndarray, list[str]]:
    """Return the ellipses of the components, those of one after another, and their colours."""
    seen = marginal(fit, np.arange(1), view)
    both = [ellipses(seen.means[0], seen.covariances[0], prob) for prob in ELLIPSES]
    n_components = len(seen.weights[0])
    colours = [colour(k) for k in range(n_components) for _ in ELLIPSES]
    return np.stack(both, 1).reshape(-1, *both[0].shape[1:]), colours
