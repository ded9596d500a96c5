"""Rows as dots: coloured by cluster, and larger and hollow the more they are in doubt."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba_array
from matplotlib.lines import Line2D

from .style import INK, colour, counted, marker

DOT = 14.0
GROWTH = 110.0
SCALE_OF_CERTAINTY = (1.0, 0.8, 0.6)
MOST_NAMED = 10


def draw_rows(ax: Axes, xy: np.ndarray, labels: np.ndarray, certainty: np.ndarray) -> None:
    """Draw a scatter per cluster of rows (N, 2), uncertain rows on top, larger and hollow."""
    for j in range(labels.max() + 1):
        order = np.flatnonzero(labels == j)
        order = order[np.argsort(-certainty[order], kind="stable")]
        ax.scatter(
            xy[order, 0],
            xy[order, 1],
            s=dot_sizes(certainty[order]),
            c=face_colours(colour(j), certainty[order]),
            edgecolors=colour(j),
            marker=marker(j),
            linewidths=np.where(certainty[order] > 0.95, 0.4, 1.1).tolist(),
            zorder=3,
            gid="rows",
        )


def dot_sizes(certainty: np.ndarray) -> np.ndarray:
    """Return marker areas that grow with doubt, in square points."""
    return DOT + GROWTH * (1 - np.asarray(certainty))


def face_colours(base: str, certainty: np.ndarray) -> np.ndarray:
    """Return colours that empty with doubt: full at certainty 1, hollow from 0.75 down."""
    filled = np.clip((np.asarray(certainty) - 0.75) / 0.25, 0, 1)
    return to_rgba_array([base] * len(filled), 0.75 * filled)


def cluster_handles(labels: np.ndarray) -> list[Line2D]:
    """Return a legend entry per cluster with its size."""
    sizes = np.bincount(labels)
    named = min(len(sizes), MOST_NAMED)
    handles = [
        dot(colour(j), marker(j), 1.0, f"cluster {j}: {counted(int(sizes[j]), 'row')}")
        for j in range(named)
    ]
    if len(sizes) > named:
        rest = counted(len(sizes) - named, "smaller cluster")
        handles.append(Line2D([], [], ls="", label=f"and {rest}"))
    return handles


def certainty_handles() -> list[Line2D]:
    """Return the legend entries of the scale of certainty."""
    head = Line2D([], [], ls="", label="probability of its cluster")
    return [head, *(dot(INK, "o", c, f"{c:.1f}") for c in SCALE_OF_CERTAINTY)]


def dot(base: str, shape: str, certainty: float, label: str) -> Line2D:
    """Return the marker that a row of this certainty has, for the legend."""
    return Line2D(
        [],
        [],
        ls="",
        marker=shape,
        label=label,
        ms=float(np.sqrt(dot_sizes(np.array(certainty)))) * (1.35 if certainty == 1 else 1),
        mfc=face_colours(base, np.array([certainty]))[0],
        mec=base,
        mew=1.0,
    )
