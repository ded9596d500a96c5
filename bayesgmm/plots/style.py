"""What all pictures share: colours that colour-blind readers can tell apart, and bare axes.

The colours are those of Okabe & Ito (2008), without the yellow that fades on white paper.
"""

from collections.abc import Iterable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..result import Fit

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v")
INK = "#333333"
GREY = "#9A9A9A"
PALE = "#DDDDDD"


def colour(index: int) -> str:
    """Return the colour of a cluster or chain; they repeat after seven."""
    return PALETTE[index % len(PALETTE)]


def marker(index: int) -> str:
    """Return the marker of a cluster: another shape for each round of the colours."""
    return MARKERS[index // len(PALETTE) % len(MARKERS)]


def axes_or_new(ax: Axes | None, size: tuple[float, float] = (6.4, 4.8)) -> Axes:
    """Return the given axes, or those of a new figure of ``size`` inches."""
    if ax is not None:
        return ax
    _, new = plt.subplots(figsize=size, layout="constrained")
    return new


def row_of_axes(axes: Any, number: int, size: tuple[float, float]) -> np.ndarray:
    """Return so many bare axes: the given ones, or a row in a new figure of ``size`` inches.

    Raises:
        ValueError: another number of axes.
    """
    if axes is None:
        _, axes = plt.subplots(
            1, number, figsize=size, layout="constrained", sharex=True, sharey=True
        )
    given = np.ravel(np.asarray(axes, dtype=object))
    if len(given) != number:
        raise ValueError(f"Expected {number} axes, got {len(given)}. Pass axes=None.")
    for one in given:
        bare(one)
    return given


def bare(ax: Axes) -> Axes:
    """Take away the frame's upper and right lines."""
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def figure_of(ax: Axes) -> Figure:
    """Return the figure that axes are in, however deep in its parts."""
    figure: Any = ax.figure
    while not isinstance(figure, Figure):
        figure = figure.figure
    return figure


def counted(n: int, singular: str) -> str:
    """Return a number with its noun, "1 row" or "2 rows", thousands set apart."""
    return f"{n:,} {singular}{'' if n == 1 else 's'}"


def require_draws(fit: Fit, what: str) -> None:
    """Raise for a point fit, which does not know ``what``."""
    if fit.is_point:
        raise ValueError(
            f"Expected a posterior, got a point fit, which does not know {what}. Use bg.fit(X) or "
            "bg.BayesianGaussianMixture for a posterior."
        )


def require_choice(name: str, given: Any, choices: Iterable[str]) -> None:
    """Raise unless a word is one of the choices."""
    if given not in list(choices):
        raise ValueError(
            f"Expected {name} to be one of {list(choices)}, got {given!r}. "
            f"Pass {name}={next(iter(choices))!r}."
        )
