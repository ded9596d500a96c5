r"""Where in the plane a new row would go, and how surely.

The probability that a row at x belongs to cluster j is that of ``membership``, E sum_k p(k | x) share_kj
over draws, for rows of which only the two axes of the picture are seen.
"""

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from scipy.special import logsumexp

from ..posterior.membership import membership
from ..posterior.partition import Partition, evenly, partition
from ..result import Fit
from .dots import certainty_handles, cluster_handles, draw_rows
from .marginal import Marginal, marginal
from .ppc_draws import axis_ends
from .style import INK, axes_or_new, bare, colour
from .view import Columns, View, plane_of

N_GRID = 220
# Cells of the grid times components whose densities are held at once.
MOST_CELLS = 4_000_000
PALEST, STRONGEST = 0.04, 0.45


class Grid(NamedTuple):
    """Points of a plane.

    Attributes:
        x: (G,).
        y: (G,).
        points: all pairs, y changing slowest, (G * G, 2).
    """

    x: np.ndarray
    y: np.ndarray
    points: np.ndarray

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """The ends of the axes, as ``imshow`` wants them."""
        return float(self.x[0]), float(self.x[-1]), float(self.y[0]), float(self.y[-1])


def regions(
    fit: Fit,
    *,
    clusters: Partition | None = None,
    columns: Columns = None,
    n_draws: int = 50,
    ax: Axes | None = None,
) -> Axes:
    """Draw the regions in which new rows would go to each cluster, paler where that is less sure.

    With more columns than the two drawn, a new row is one of which these two alone are seen: regions
    are those of the marginal distribution.

    Args:
        fit: any fit.
        clusters: ``partition(fit)``, to save its computation.
        columns: names of two columns, the first two by default; or "pca".
        n_draws: number of posterior draws, evenly spaced, over which probabilities are averaged.
        ax: axes to draw on; a new figure by default.

    Returns:
        The axes.

    Raises:
        ValueError: unknown columns, or not two of them, or n_draws below one.
    """
    view = plane_of(fit, columns)
    if n_draws < 1:
        raise ValueError(f"Expected n_draws >= 1, got {n_draws!r}. Pass n_draws=50.")
    found = partition(fit) if clusters is None else clusters
    rows = view.rows(fit.data.values)
    certainty = membership(fit, found, fit.data.values).mean.max(1)
    grid = grid_over(rows)
    ax = bare(axes_or_new(ax))
    draw_regions(ax, grid, probabilities(fit, found, view, n_draws, grid.points))
    draw_rows(ax, rows, found.labels, certainty)
    handles = cluster_handles(found.labels)
    if certainty.min() < 0.95:
        handles += certainty_handles()
    ax.legend(
        handles=handles, frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1, 1)
    )
    ax.set(xlabel=view.names[0], ylabel=view.names[1])
    return ax


def grid_over(rows: np.ndarray) -> Grid:
    """Return a grid over rows (N, 2) with a margin."""
    ends = axis_ends(rows, rows[~np.isnan(rows).any(1)])
    x, y = (np.linspace(low, high, N_GRID) for low, high in ends)
    return Grid(x, y, np.stack(np.meshgrid(x, y), -1).reshape(-1, 2))


def probabilities(
    fit: Fit, found: Partition, view: View, n_draws: int, points: np.ndarray
) -> np.ndarray:
    """Return the probability of each cluster at points (G, 2) of a view, (J, G)."""
    kept = evenly(len(found.draws), n_draws)
    seen = marginal(fit, found.draws[kept], view)
    total = np.zeros((found.n_clusters, len(points)))
    length = max(1, MOST_CELLS // seen.weights.shape[1])
    for shares, draw in zip(found.shares[kept], range(len(kept)), strict=True):
        one = Marginal(*(part[draw] for part in seen))
        for start in range(0, len(points), length):
            block = slice(start, start + length)
            total[:, block] += shares.T @ responsibilities(one, shares, points[block])
    return total / total.sum(0)


def responsibilities(one: Marginal, shares: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return p(k | x) among components that stand for a cluster, (K, G)."""
    log_joint = np.full((len(one.weights), len(points)), -np.inf)
    for k in np.flatnonzero(shares.any(1) & (one.weights > 0)):
        chol = np.linalg.cholesky(one.covariances[k])
        white = np.linalg.solve(chol, (points - one.means[k]).T)
        log_joint[k] = np.log(one.weights[k]) - np.log(np.diag(chol)).sum() - (white**2).sum(0) / 2
    return np.exp(log_joint - logsumexp(log_joint, axis=0))


def draw_regions(ax: Axes, grid: Grid, probability: np.ndarray) -> None:
    """Colour each cell by its likeliest cluster, by how much that is likelier, and draw borders."""
    n_clusters, n_cells = probability.shape
    best = probability.argmax(0)
    colours = np.array([to_rgb(colour(j)) for j in range(n_clusters)])
    # One where certain, zero where all clusters are as likely.
    least = 1 / max(n_clusters, 2)
    sureness = np.clip((probability.max(0) - least) / (1 - least), 0, 1)
    strength = PALEST + (STRONGEST - PALEST) * sureness
    image = np.concatenate([colours[best], strength[:, None]], 1).reshape(len(grid.y), -1, 4)
    ax.imshow(
        image, origin="lower", extent=grid.extent, aspect="auto", zorder=0, interpolation="bilinear"
    )
    for j in np.unique(best)[1:] if n_cells else []:
        is_own = (best == j).astype(float).reshape(len(grid.y), -1)
        ax.contour(grid.x, grid.y, is_own, levels=[0.5], colors=INK, linewidths=0.8, zorder=1)
