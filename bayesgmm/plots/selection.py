"""The criterion of a sweep against the number of components, a line per covariance structure."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from .style import GREY, INK, PALETTE, axes_or_new, bare, colour

LABELS = {
    "aic": "AIC (lower is better)",
    "bic": "BIC (lower is better)",
    "icl": "ICL (lower is better)",
    "cv": "log-likelihood of left-out rows (higher is better)",
}
SOLID, DASHED, N_COLOURS = (0, ()), (0, (4, 2)), len(PALETTE)


def selection(found: Any, ax: Axes | None = None) -> Axes:
    """Draw a sweep.

    Args:
        found: what ``bg.select`` returned.
        ax: where to draw; a new figure by default.

    Returns:
        The axes. A ring marks the best model, a cross models that collapsed.
    """
    ax = bare(axes_or_new(ax))
    values = found.pivot()
    for index, structure in enumerate(values.columns):
        (line,) = ax.plot(values.index, values[structure], marker=".", label=structure)
        line.set_color(colour(index))
        line.set_linestyle(DASHED if index >= N_COLOURS else SOLID)
    collapsed = found.table[found.table["status"] == "collapsed"]
    column = values_column(found)
    ax.plot(collapsed["n_components"], collapsed[column], "x", color=GREY, linestyle="none")
    if found.table["delta"].notna().any():
        structure, size = found.best
        best = values.loc[size, structure]
        ax.plot([size], [best], "o", ms=11, mfc="none", mec=INK, mew=1.5)
        ax.annotate(
            f"{structure}, K = {size}",
            (size, best),
            (0, -16),
            textcoords="offset points",
            ha="center",
            va="top",
            color=INK,
        )
    ax.margins(y=0.12)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("number of components")
    ax.set_ylabel(LABELS[found.criterion])
    if len(values.columns) > 1:
        ax.legend(frameon=False, title="covariance", ncols=1 + len(values.columns) // 8)
    return ax


def values_column(found: Any) -> str:
    """Return the column of the criterion."""
    return "cv_log_likelihood" if found.criterion == "cv" else str(found.criterion)
