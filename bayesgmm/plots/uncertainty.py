r"""How sure each row's cluster is, as silhouettes: cluster by cluster, the surest rows first.

With p_j the posterior probabilities of membership of a row, its doubt is the entropy -sum_j p_j log2 p_j, and
its silhouette (p_own - p_other) / max(p_own, p_other), p_other that of the next best cluster: one where
nothing else is possible, zero where two clusters are as likely, negative where another is likelier
(the form is that of Rousseeuw 1987, Journal of Computational and Applied Mathematics 20, 53-65, with
probabilities for distances; compare Menardi 2011, Statistics and Computing 21, 295-308).
"""

from typing import Literal

import numpy as np
from matplotlib.axes import Axes

from ..posterior.membership import membership
from ..posterior.partition import Partition, partition
from ..result import Fit
from .style import GREY, INK, axes_or_new, bare, colour, counted, require_choice

KINDS = ("entropy", "silhouette")
# Empty space between clusters, in shares of the rows.
GAP = 0.02
MOST_NAMED = 12


def uncertainty(
    fit: Fit,
    kind: Literal["entropy", "silhouette"] = "entropy",
    *,
    clusters: Partition | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how sure the cluster of each row is, sorted within clusters.

    Args:
        fit: any fit.
        kind: "entropy", the entropy of the row's probabilities of membership in bits: zero where its
            cluster is certain, one where two are as likely; or "silhouette", by how much its own
            cluster is likelier than the next: one where certain, zero where as likely.
        clusters: ``partition(fit)``, to save its computation.
        ax: axes to draw on; a new figure by default.

    Returns:
        The axes.

    Raises:
        ValueError: an unknown kind.
    """
    require_choice("kind", kind, KINDS)
    found = partition(fit) if clusters is None else clusters
    member = membership(fit, found, fit.data.values)
    values = member.entropy if kind == "entropy" else silhouettes(member.mean, found.labels)
    ax = bare(axes_or_new(ax, (6.4, 4.6)))
    draw_silhouettes(ax, values, found.labels, is_doubt=kind == "entropy")
    if kind == "entropy":
        ax.set_xlabel("entropy of the row's membership (bits)")
        mark(ax, 1.0, "two clusters as likely")
    else:
        ax.set_xlabel("silhouette: 1 - p(next cluster) / p(own cluster)")
        mark(ax, 0.0, "two clusters as likely")
    return ax


def silhouettes(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return (p_own - p_other) / max(p_own, p_other) of each row, (N,)."""
    if probabilities.shape[1] == 1:
        return np.ones(len(labels))
    every = np.arange(len(labels))
    own = probabilities[every, labels]
    others = probabilities.copy()
    others[every, labels] = -1
    other = others.max(1)
    return (own - other) / np.maximum(own, other)


def draw_silhouettes(ax: Axes, values: np.ndarray, labels: np.ndarray, *, is_doubt: bool) -> None:
    """Draw a bar per row, the surest of each cluster on top, the clusters beneath each other."""
    gap, top, ticks = max(1.0, GAP * len(values)), 0.0, []
    n_clusters = labels.max() + 1
    for j in range(n_clusters):
        ordered = np.sort(values[labels == j])
        if not is_doubt:
            ordered = ordered[::-1]
        heights = top + np.arange(len(ordered) + 1)
        steps = np.append(ordered, ordered[-1])
        ax.fill_betweenx(
            heights, 0, steps, step="post", color=colour(j), lw=0, alpha=0.85, gid="rows"
        )
        ticks.append(top + len(ordered) / 2)
        top += len(ordered) + gap
    named = min(n_clusters, MOST_NAMED)
    means = [values[labels == j].mean() for j in range(named)]
    sizes = np.bincount(labels)
    texts = [
        f"cluster {j}\n{counted(int(sizes[j]), 'row')}, mean {means[j]:.2f}" for j in range(named)
    ]
    ax.set_yticks(ticks[:named], texts, fontsize="small")
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(top - gap, 0)
    ax.axvline(0, color=INK, lw=0.8)
    low, high = min(0.0, values.min()), max(1.0, values.max())
    ax.set_xlim(low - 0.02 * (low < 0), high * 1.02)


def mark(ax: Axes, at: float, text: str) -> None:
    """Mark a value by a dashed line with its meaning above."""
    ax.axvline(at, color=GREY, lw=0.9, ls="--", zorder=0)
    ax.annotate(
        text,
        (at, 1),
        xycoords=("data", "axes fraction"),
        xytext=(0, 3),
        textcoords="offset points",
        ha="right" if at > 0 else "left",
        fontsize="small",
        color=INK,
    )
