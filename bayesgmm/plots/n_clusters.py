"""The posterior of K+, the number of clusters that hold rows, and whether the chains agree."""

import numpy as np
from matplotlib.axes import Axes

from ..result import Fit
from .style import INK, axes_or_new, bare, colour

BAR = "#A6CBE3"
JITTER = 0.44
MOST_CHAINS_NAMED = 8


def n_clusters(fit: Fit, *, ax: Axes | None = None) -> Axes:
    """Draw the posterior probabilities of the number of clusters.

    Bars are over all draws, the dots on them are single chains: chains that agree have dots at
    the height of the bar.

    Args:
        fit: a posterior or an approximation.
        ax: axes to draw on; a new figure by default.

    Returns:
        The axes.

    Raises:
        ValueError: a point fit, which has one number of components and no posterior of it.
    """
    if fit.is_point:
        raise ValueError(
            f"Expected a posterior, got a point fit of {fit.model.n_components} components. Fit "
            "with engine=bg.NUTS() and n_components='auto' for a posterior of the number."
        )
    support = support_of(fit)
    by_chain = frequencies(fit.n_clusters, support)
    ax = bare(axes_or_new(ax, (5.2, 3.8)))
    draw_bars(ax, support, by_chain)
    if len(by_chain) > 1:
        draw_chains(ax, support, by_chain)
    ax.set_xticks(support)
    ax.set_xlabel("number of clusters $K_+$")
    ax.set_ylabel("posterior probability")
    ax.set_ylim(0, min(1.0, 1.12 * by_chain.max()) + 0.06)
    return ax


def support_of(fit: Fit) -> np.ndarray:
    """Return the numbers of clusters to show: those drawn and a neighbour on either side."""
    most = min(fit.model.n_components, fit.data.n_rows)
    low, high = int(fit.n_clusters.min()), int(fit.n_clusters.max())
    return np.arange(max(1, low - 1), min(most, high + 1) + 1)


def frequencies(n_clusters: np.ndarray, support: np.ndarray) -> np.ndarray:
    """Return the relative frequency of each number in each chain, (C, len(support))."""
    return (n_clusters[..., None] == support).mean(1)


def draw_bars(ax: Axes, support: np.ndarray, by_chain: np.ndarray) -> None:
    """Draw the bars, with their heights in figures above the highest chain."""
    probabilities = by_chain.mean(0)
    ax.bar(support, probabilities, width=0.62, color=BAR, edgecolor=INK, linewidth=0.6)
    for number, p, top in zip(support, probabilities, by_chain.max(0), strict=True):
        if p > 0:
            ax.annotate(
                f"{p:.3f}",
                (number, top),
                xytext=(0, 6),
                textcoords="offset points",
                ha="center",
                fontsize="small",
                color=INK,
            )


def draw_chains(ax: Axes, support: np.ndarray, by_chain: np.ndarray) -> None:
    """Draw a dot per chain and number, side by side."""
    shifts = np.linspace(-0.5, 0.5, len(by_chain)) * JITTER
    for c, (heights, shift) in enumerate(zip(by_chain, shifts, strict=True)):
        named = c < MOST_CHAINS_NAMED
        ax.plot(
            support + shift,
            heights,
            "o",
            ms=4.5,
            color=colour(c),
            mec="white",
            mew=0.6,
            clip_on=False,
            zorder=3,
            label=f"chain {c}" if named else "_nolegend_",
        )
    ax.legend(frameon=False, fontsize="small", loc="upper right")
