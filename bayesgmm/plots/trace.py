"""Traces of what does not depend on labels: the log-likelihood and the number of clusters.

Beside the log-likelihood stand rank histograms (Vehtari et al. 2021, Bayesian Analysis 16, 667-718):
chains that draw from one distribution have bars about the dashed line.
"""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from scipy.stats import rankdata

from ..result import Fit
from .history import history
from .style import GREY, INK, PALE, bare, colour

N_BINS = 20
LINE = {"lw": 0.6, "alpha": 0.85}


def trace(fit: Fit, *, ax: Any = None) -> np.ndarray:
    """Draw the course of a run.

    For draws: log-likelihood and K+ per draw, a colour per chain, with the ranks of the
    log-likelihood and the frequencies of K+ per chain at the right. For a point: ``history``.

    Args:
        fit: any fit.
        ax: axes to draw on, 2 x 2 of them (one for a point); a new figure by default.

    Returns:
        The axes, (2, 2) for draws and (1, 1) for a point.

    Raises:
        ValueError: not the axes that are needed.
    """
    if fit.is_point:
        return np.array([[history(fit, ax=single_axes(ax))]])
    axes = grid_of_axes(ax)
    draw_log_likelihood(fit, axes[0])
    draw_n_clusters(fit, axes[1])
    return axes


def single_axes(ax: Any) -> Axes | None:
    """Return one axes, taken out of an array if need be."""
    if ax is None:
        return None
    given = np.ravel(np.asarray(ax, dtype=object))
    if len(given) != 1:
        raise ValueError(f"Expected one axes for a point fit, got {len(given)}. Pass ax=None.")
    return given[0]


def grid_of_axes(ax: Any) -> np.ndarray:
    """Return 2 x 2 bare axes, wide ones at the left."""
    if ax is None:
        _, ax = plt.subplots(2, 2, figsize=(9.0, 4.8), width_ratios=(2.6, 1), layout="constrained")
    axes = np.asarray(ax, dtype=object)
    if axes.size != 4:
        raise ValueError(f"Expected four axes, got {axes.size}. Pass ax=None or a 2 x 2 array.")
    for one in axes.flat:
        bare(one)
    return axes.reshape(2, 2)


def draw_log_likelihood(fit: Fit, axes: np.ndarray) -> None:
    """Draw the trace and the rank histograms of the log-likelihood."""
    left, right = axes
    for c, values in enumerate(fit.log_likelihood):
        left.plot(values, color=colour(c), **LINE)
    left.set_ylabel("log-likelihood")
    left.set_xlabel("draw")
    left.set_xlim(0, max(fit.log_likelihood.shape[1] - 1, 1))
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    draw_divergences(fit, left)
    draw_ranks(fit.log_likelihood, right)


def draw_divergences(fit: Fit, ax: Axes) -> None:
    """Mark divergent draws by ticks at the foot of the trace."""
    at = np.nonzero(fit.sample_stats["diverging"])[1] if "diverging" in fit.sample_stats else []
    if len(at):
        ax.plot(
            at,
            np.zeros(len(at)),
            "|",
            color=INK,
            ms=9,
            transform=ax.get_xaxis_transform(),
            clip_on=False,
            label="divergent draw",
        )
        ax.legend(
            frameon=False,
            fontsize="small",
            loc="lower right",
            bbox_to_anchor=(1, 1),
            borderaxespad=0,
            handletextpad=0.1,
        )


def draw_ranks(values: np.ndarray, ax: Axes) -> None:
    """Draw each chain's histogram of ranks among all draws, on a base line of its own."""
    n_chains, n_draws = values.shape
    n_bins = int(np.clip(n_draws // 10, 4, N_BINS))
    edges = np.linspace(0.5, values.size + 0.5, n_bins + 1)
    ranks = rankdata(values, axis=None).reshape(values.shape)
    expected = n_draws / n_bins
    for c, of_chain in enumerate(ranks):
        height = np.histogram(of_chain, edges)[0] / expected
        base = 2.2 * (n_chains - 1 - c)
        ax.bar(
            edges[:-1],
            height,
            np.diff(edges),
            bottom=base,
            align="edge",
            color=colour(c),
            alpha=0.75,
            edgecolor="white",
            lw=0.4,
        )
        ax.axhline(base + 1, color=INK, lw=0.8, ls="--")
        ax.axhline(base, color=GREY, lw=0.5)
    ax.set_yticks(
        [2.2 * (n_chains - 1 - c) + 0.5 for c in range(n_chains)],
        [f"chain {c}" for c in range(n_chains)],
    )
    ax.tick_params(axis="y", length=0)
    ax.set_xlim(edges[0], edges[-1])
    ax.set_xlabel("rank of log-likelihood")


def draw_n_clusters(fit: Fit, axes: np.ndarray) -> None:
    """Draw the trace of K+ and, on the same scale, its frequencies per chain."""
    left, right = axes
    n_chains, n_draws = fit.n_clusters.shape
    shifts = np.linspace(-0.5, 0.5, n_chains) * 0.5 if n_chains > 1 else np.zeros(1)
    numbers = np.arange(fit.n_clusters.min(), fit.n_clusters.max() + 1)
    for c, values in enumerate(fit.n_clusters):
        left.plot(np.arange(n_draws), values + shifts[c], ".", ms=1.8, color=colour(c))
        share = (values[:, None] == numbers).mean(0)
        thickness = 0.5 / max(n_chains - 1, 1)
        right.barh(numbers + shifts[c], share, thickness, color=colour(c), alpha=0.75)
    for one in (left, right):
        one.set_yticks(numbers)
        one.set_ylim(numbers[0] - 0.6, numbers[-1] + 0.6)
        for edge in numbers[:-1] + 0.5:
            one.axhline(edge, color=PALE, lw=0.6, zorder=0)
    left.set_xlim(0, max(n_draws - 1, 1))
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.set(xlabel="draw", ylabel="clusters $K_+$")
    right.set(xlabel="share of the chain's draws", xlim=(0, 1))
