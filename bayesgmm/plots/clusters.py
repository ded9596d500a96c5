"""The clusters, the rows that could belong elsewhere, and how well the components are known.

Rows are coloured by the representative partition. The doubt about a row is one minus its largest
posterior probability of membership; the doubt about a component is the spread of its ellipse over
posterior draws.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba_array
from matplotlib.lines import Line2D

from ..posterior.membership import membership
from ..posterior.partition import Partition, evenly, partition
from ..result import Fit
from .marginal import densities, ellipses, marginal
from .style import GREY, INK, axes_or_new, bare, colour, counted, marker

DOT = 14.0
GROWTH = 110.0
SCALE_OF_CERTAINTY = (1.0, 0.8, 0.6)
MAIN_SHARE = 0.05
FULL_SHARE = 0.25
MOST_NAMED = 10
BAND = 0.9
FACE = "#F0F0F0"


def clusters(
    fit: Fit,
    *,
    clusters: Partition | None = None,
    columns: Sequence[str] | None = None,
    n_ellipses: int = 40,
    prob: float = 0.9,
    ax: Axes | None = None,
) -> Axes:
    """Draw the fitted rows by cluster with the posterior of the components.

    A row that could belong to another cluster is larger and hollow. Each thin ellipse holds
    ``prob`` of one component of one posterior draw, in the colour of the cluster it shares most
    rows with. One column alone gives a histogram with the density, its band over draws and the
    rows beneath.

    Args:
        fit: any fit.
        clusters: ``partition(fit)``, to save its computation.
        columns: names of one or two columns; the first two by default.
        n_ellipses: number of posterior draws, evenly spaced, whose ellipses are drawn.
        prob: probability inside an ellipse, in (0, 1).
        ax: axes to draw on; a new figure by default.

    Returns:
        The axes.

    Raises:
        ValueError: unknown columns, more than two of them, or a setting outside its domain.
    """
    chosen = column_indices(fit, columns)
    check_settings(n_ellipses, prob)
    found = partition(fit) if clusters is None else clusters
    certainty = membership(fit, found, fit.data.values).mean.max(1)
    ax = bare(axes_or_new(ax))
    if len(chosen) == 1:
        draw_density(ax, fit, found, chosen)
        draw_rug(ax, fit.data.values[:, chosen[0]], found, certainty)
    else:
        draw_rows(ax, fit.data.values[:, chosen], found, certainty)
        draw_ellipses(ax, fit, found, chosen, evenly(len(found.draws), n_ellipses), prob)
        ax.set_ylabel(fit.model.names[chosen[1]])
    ax.set_xlabel(fit.model.names[chosen[0]])
    draw_legends(ax, fit, found, certainty, n_ellipses if len(chosen) == 2 else 0, prob)
    return ax


def column_indices(fit: Fit, columns: Sequence[str] | None) -> list[int]:
    """Return the indices of the columns to draw."""
    names = fit.model.names
    wanted = list(names[:2]) if columns is None else list(columns)
    unknown = [name for name in wanted if name not in names]
    if unknown or not 1 <= len(wanted) <= 2:
        raise ValueError(
            f"Expected columns to be one or two of {list(names)}, got {wanted}. "
            "Pass for instance columns=" + repr(list(names[-2:])) + "."
        )
    return [names.index(name) for name in wanted]


def check_settings(n_ellipses: int, prob: float) -> None:
    """Refuse settings outside their domain."""
    if n_ellipses < 1:
        raise ValueError(f"Expected n_ellipses >= 1, got {n_ellipses!r}. Pass n_ellipses=40.")
    if not 0 < prob < 1:
        raise ValueError(f"Expected prob in (0, 1), got {prob!r}. Pass for instance prob=0.9.")


def draw_rows(ax: Axes, xy: np.ndarray, found: Partition, certainty: np.ndarray) -> None:
    """Draw a scatter per cluster, uncertain rows on top, larger and hollow."""
    for j in range(found.n_clusters):
        order = np.flatnonzero(found.labels == j)
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


def draw_ellipses(
    ax: Axes, fit: Fit, found: Partition, columns: list[int], thinned: np.ndarray, prob: float
) -> None:
    """Draw the ellipses of occupied components of some draws and widen the axes to hold most."""
    shown = marginal(fit, found.draws[thinned], columns)
    nearest = found.shares[thinned].argmax(-1)[shown.occupied]
    outlines = ellipses(shown.means[shown.occupied], shown.covariances[shown.occupied], prob)
    lines = LineCollection(
        list(outlines),
        colors=line_colours(nearest, shown.shares[shown.occupied], len(thinned)),
        linewidths=1.6 if len(thinned) == 1 else 0.8,
        zorder=2,
        gid="ellipses",
    )
    ax.add_collection(lines, autolim=False)
    main = shown.shares[shown.occupied] >= MAIN_SHARE
    ax.update_datalim(outlines[main].reshape(-1, 2))
    ax.autoscale_view()


def line_colours(nearest: np.ndarray, shares: np.ndarray, n_draws: int) -> np.ndarray:
    """Return the colours of ellipses: fainter the more draws there are and the fewer their rows."""
    if n_draws == 1:
        return to_rgba_array([colour(j) for j in nearest])
    strength = np.sqrt(np.clip(shares / FULL_SHARE, 0.1, 1))
    faint = np.clip(14 / n_draws, 0.15, 0.7)
    return to_rgba_array([colour(j) for j in nearest], faint * strength)


def draw_density(ax: Axes, fit: Fit, found: Partition, columns: list[int]) -> None:
    """Draw the histogram, the posterior mean density and its pointwise band over draws."""
    values, weights = fit.data.column(columns[0])
    ax.hist(
        values,
        bins=histogram_bins(values).tolist(),
        weights=weights,
        density=True,
        histtype="stepfilled",
        fc=FACE,
        ec=GREY,
        lw=0.6,
        label="data",
    )
    pad = 0.08 * np.ptp(values)
    grid = np.linspace(values.min() - pad, values.max() + pad, 500)
    curves = densities(marginal(fit, found.draws, columns), grid)
    ax.plot(grid, curves.mean(0), color=INK, lw=1.6, label="density")
    if len(curves) > 1:
        low, high = np.quantile(curves, [(1 - BAND) / 2, (1 + BAND) / 2], axis=0)
        ax.fill_between(grid, low, high, color=INK, alpha=0.22, lw=0, label=f"{BAND:.0%} band")
    ax.set_xlim(grid[0], grid[-1])
    ax.set_ylabel("density")


def histogram_bins(values: np.ndarray) -> np.ndarray:
    """Return bins of Freedman and Diaconis's width, halved to show clusters: 25 to 60."""
    width = np.ptp(np.histogram_bin_edges(values, "fd")[:2]) / 2
    n_bins = int(np.clip(np.ceil(np.ptp(values) / width), 25, 60))
    return np.linspace(values.min(), values.max(), n_bins + 1)


def draw_rug(ax: Axes, values: np.ndarray, found: Partition, certainty: np.ndarray) -> None:
    """Draw the rows in a strip beneath the density, shifted up and down to part them."""
    top = ax.get_ylim()[1]
    heights = -top * (0.045 + 0.05 * (np.arange(len(values)) * 0.618034 % 1))
    draw_rows(ax, np.stack([values, heights], 1), found, certainty)
    ax.set_ylim(-0.14 * top, top)
    ax.axhline(0, color=GREY, lw=0.6)
    ax.set_yticks([tick for tick in ax.get_yticks() if 0 <= tick <= top])


def draw_legends(
    ax: Axes, fit: Fit, found: Partition, certainty: np.ndarray, n_ellipses: int, prob: float
) -> None:
    """Name the clusters and, where some row is in doubt, the scale of certainty."""
    handles: list[Artist] = [*cluster_handles(found)]
    handles += other_handles(ax, fit, found, n_ellipses, prob)
    if certainty.min() < 0.95:
        handles += certainty_handles()
    ax.legend(
        handles=handles,
        frameon=False,
        fontsize="small",
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
        borderaxespad=0.3,
        labelspacing=0.55,
    )


def cluster_handles(found: Partition) -> list[Line2D]:
    """Return a legend entry per cluster with its size."""
    sizes = np.bincount(found.labels, minlength=found.n_clusters)
    named = min(found.n_clusters, MOST_NAMED)
    handles = [
        dot(colour(j), marker(j), 1.0, f"cluster {j}: {counted(int(sizes[j]), 'row')}")
        for j in range(named)
    ]
    if found.n_clusters > named:
        rest = counted(found.n_clusters - named, "smaller cluster")
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


def other_handles(
    ax: Axes, fit: Fit, found: Partition, n_ellipses: int, prob: float
) -> list[Artist]:
    """Return legend entries of ellipses or of the curves that carry labels."""
    if not n_ellipses:
        return ax.get_legend_handles_labels()[0]
    n_draws = min(n_ellipses, len(found.draws))
    text = f"{prob:.0%} ellipse" + ("" if fit.is_point else f"s, {n_draws} draws")
    return [Line2D([], [], color=GREY, lw=1.2, label=text)]
