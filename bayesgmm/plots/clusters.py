"""The clusters, the rows that could belong elsewhere, and how well the components are known.

Rows are coloured by the representative partition. The doubt about a row is one minus its largest
posterior probability of membership; the doubt about a component is the spread of its ellipse over
posterior draws.
"""

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba_array
from matplotlib.lines import Line2D

from ..posterior.membership import membership
from ..posterior.partition import Partition, evenly, partition
from ..result import Fit
from .dots import certainty_handles, cluster_handles, draw_rows
from .marginal import cluster_densities, densities, ellipses, marginal
from .style import GREY, INK, axes_or_new, bare, colour
from .view import Columns, View, view_of

MAIN_SHARE = 0.05
FULL_SHARE = 0.25
BAND = 0.9
FACE = "#F0F0F0"


def clusters(
    fit: Fit,
    *,
    clusters: Partition | None = None,
    columns: Columns = None,
    n_ellipses: int = 40,
    prob: float = 0.9,
    ax: Axes | None = None,
) -> Axes:
    """Draw the fitted rows by cluster with the posterior of the components.

    A row that could belong to another cluster is larger and hollow. Each thin ellipse holds
    ``prob`` of one component of one posterior draw, in the colour of the cluster it shares most
    rows with. One column alone gives a histogram with the density, its band over draws, the part of
    each cluster in it and the rows beneath.

    Args:
        fit: any fit.
        clusters: ``partition(fit)``, to save its computation.
        columns: names of one or two columns, the first two by default; or "pca" for the first two
            principal components of the standardised columns.
        n_ellipses: number of posterior draws, evenly spaced, whose ellipses are drawn.
        prob: probability inside an ellipse, in (0, 1).
        ax: axes to draw on; a new figure by default.

    Returns:
        The axes.

    Raises:
        ValueError: unknown columns, more than two of them, or a setting outside its domain.
    """
    view = view_of(fit, columns)
    check_settings(n_ellipses, prob)
    found = partition(fit) if clusters is None else clusters
    certainty = membership(fit, found, fit.data.values).mean.max(1)
    ax = bare(axes_or_new(ax))
    rows, is_plane = view.rows(fit.data.values), len(view.names) == 2
    if is_plane:
        draw_rows(ax, rows, found.labels, certainty)
        draw_ellipses(ax, fit, found, view, evenly(len(found.draws), n_ellipses), prob)
        ax.set_ylabel(view.names[1])
    else:
        draw_density(ax, fit, found, view)
        draw_rug(ax, rows[:, 0], found, certainty)
    ax.set_xlabel(view.names[0])
    draw_legends(ax, fit, found, certainty, n_ellipses if is_plane else 0, prob)
    return ax


def check_settings(n_ellipses: int, prob: float) -> None:
    """Refuse settings outside their domain."""
    if n_ellipses < 1:
        raise ValueError(f"Expected n_ellipses >= 1, got {n_ellipses!r}. Pass n_ellipses=40.")
    if not 0 < prob < 1:
        raise ValueError(f"Expected prob in (0, 1), got {prob!r}. Pass for instance prob=0.9.")


def draw_ellipses(
    ax: Axes, fit: Fit, found: Partition, view: View, thinned: np.ndarray, prob: float
) -> None:
    """Draw the ellipses of occupied components of some draws and widen the axes to hold most."""
    shown = marginal(fit, found.draws[thinned], view)
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


def draw_density(ax: Axes, fit: Fit, found: Partition, view: View) -> None:
    """Draw the histogram, the posterior mean density and its pointwise band over draws."""
    values, weights = fit.data.column(fit.model.names.index(view.names[0]))
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
    seen = marginal(fit, found.draws, view)
    for j, part in enumerate(cluster_densities(seen, found.shares, grid)):
        ax.plot(grid, part, color=colour(j), lw=1.2, gid="cluster")
    curves = densities(seen, grid)
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
    draw_rows(ax, np.stack([values, heights], 1), found.labels, certainty)
    ax.set_ylim(-0.14 * top, top)
    ax.axhline(0, color=GREY, lw=0.6)
    ax.set_yticks([tick for tick in ax.get_yticks() if 0 <= tick <= top])


def draw_legends(
    ax: Axes, fit: Fit, found: Partition, certainty: np.ndarray, n_ellipses: int, prob: float
) -> None:
    """Name the clusters and, where some row is in doubt, the scale of certainty."""
    handles: list[Artist] = [*cluster_handles(found.labels)]
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


def other_handles(
    ax: Axes, fit: Fit, found: Partition, n_ellipses: int, prob: float
) -> list[Artist]:
    """Return legend entries of ellipses or of the curves that carry labels."""
    if not n_ellipses:
        return ax.get_legend_handles_labels()[0]
    n_draws = min(n_ellipses, len(found.draws))
    text = f"{prob:.0%} ellipse" + ("" if fit.is_point else f"s, {n_draws} draws")
    return [Line2D([], [], color=GREY, lw=1.2, label=text)]
