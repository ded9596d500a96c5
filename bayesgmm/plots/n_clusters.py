"""K+, the number of clusters that hold rows: its posterior, its prior, and whether chains agree."""

import numpy as np
from matplotlib.axes import Axes

from ..model.cluster_prior import prior_of_clusters
from ..result import Fit
from .style import GREY, INK, PALE, axes_or_new, bare, colour

BAR = "#A6CBE3"
JITTER = 0.44
WIDTH_OF_FIGURES = 0.45  # inches
MOST_CHAINS_NAMED = 8


def n_clusters(fit: Fit, *, prior: bool = True, ax: Axes | None = None) -> Axes:
    """Draw the posterior probabilities of the number of clusters, beside those of the prior.

    Bars are over all draws, the dots on them are single chains: chains that agree have dots at
    the height of the bar. Steps are the exact prior of the number of clusters for as many rows.

    Args:
        fit: a posterior or an approximation.
        prior: whether to draw the prior, where the model has one on the weights.
        ax: axes to draw on; a new figure by default.

    Returns:
        The axes.

    Raises:
        ValueError: a point fit, which has one number of components and no posterior of it.
    """
    if fit.is_point:
        raise ValueError(
            f"Expected a posterior, got a point fit of {fit.model.n_components} components. Use "
            "bg.fit(X) for a posterior of the number of clusters."
        )
    support = support_of(fit)
    by_chain = frequencies(fit.n_clusters, support)
    ax = bare(axes_or_new(ax, (max(5.2, 1 + WIDTH_OF_FIGURES * len(support)), 3.8)))
    draw_bars(ax, support, by_chain)
    if len(by_chain) > 1:
        draw_chains(ax, support, by_chain)
    before = prior_on(fit, support) if prior else np.empty(0)
    if before.size:
        draw_prior(ax, support, before)
    ax.legend(frameon=False, fontsize="small")
    ax.set_xticks(support)
    ax.set_xlabel("number of clusters $K_+$")
    ax.set_ylabel("probability")
    ax.set_ylim(0, min(1.0, 1.12 * max(by_chain.max(), before.max(initial=0))) + 0.06)
    return ax


def support_of(fit: Fit) -> np.ndarray:
    """Return the numbers of clusters to show: those drawn and a neighbour on either side."""
    most = min(fit.model.n_components, fit.data.n_rows)
    low, high = int(fit.n_clusters.min()), int(fit.n_clusters.max())
    return np.arange(max(1, low - 1), min(most, high + 1) + 1)


def prior_on(fit: Fit, support: np.ndarray) -> np.ndarray:
    """Return the prior probability of each number, empty without a prior on the weights."""
    if fit.model.weights is None:
        return np.empty(0)
    return prior_of_clusters(fit.model.spec, fit.data.n_rows)[support].to_numpy()


def frequencies(n_clusters: np.ndarray, support: np.ndarray) -> np.ndarray:
    """Return the relative frequency of each number in each chain, (C, len(support))."""
    return (n_clusters[..., None] == support).mean(1)


def draw_bars(ax: Axes, support: np.ndarray, by_chain: np.ndarray) -> None:
    """Draw the bars, with their heights in figures above the highest chain."""
    probabilities = by_chain.mean(0)
    ax.bar(
        support,
        probabilities,
        width=0.62,
        color=BAR,
        edgecolor=INK,
        linewidth=0.6,
        label="posterior",
    )
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


def draw_prior(ax: Axes, support: np.ndarray, probabilities: np.ndarray) -> None:
    """Draw the prior as steps: pale behind the bars, their outline before them."""
    edges = np.append(support - 0.5, support[-1] + 0.5)
    ax.stairs(
        probabilities, edges, fill=True, facecolor=PALE, edgecolor=GREY, zorder=0, label="prior"
    )
    ax.stairs(probabilities, edges, color=GREY, linewidth=1, zorder=2.5)
