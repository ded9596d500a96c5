"""K-means beside the mixture: what changes when clusters may differ in size, shape and overlap.

K-means is the limit of EM for one spherical covariance shared by equally weighted components, as that
covariance goes to zero (Bishop 2006, Pattern Recognition and Machine Learning, section 9.3.2).
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from sklearn.cluster import KMeans

from ..posterior.membership import membership
from ..posterior.partition import Partition, partition
from ..result import Fit
from .dots import draw_rows
from .recolour import renamed
from .regions import Grid, draw_regions, grid_over, probabilities
from .style import counted, row_of_axes
from .view import Columns, View, plane_of

N_DRAWS = 50
SIZE = (9.4, 4.2)  # inches


def kmeans(
    fit: Fit,
    *,
    clusters: Partition | None = None,
    columns: Columns = None,
    seed: int = 0,
    axes: Any = None,
) -> np.ndarray:
    """Draw k-means with as many clusters beside the clusters of a fit.

    Colours are matched by the rows that clusters share. Regions of k-means are drawn where the fit has
    two columns; with more a region has no shape in the plane.

    Args:
        fit: any fit.
        clusters: ``partition(fit)``, to save its computation.
        columns: names of two columns, the first two by default; or "pca".
        seed: seed of k-means.
        axes: two axes to draw on; a new figure by default.

    Returns:
        The axes, (2,): k-means, then the mixture.

    Raises:
        ValueError: unknown columns, rows with missing cells, or another number of axes.
    """
    view = plane_of(fit, columns)
    if fit.data.has_missing:
        raise ValueError(
            "Expected whole rows, got missing cells, which k-means cannot use. Fit the rows without them, "
            "or use bg.plots.regions."
        )
    found = partition(fit) if clusters is None else clusters
    rows = view.rows(fit.data.values)
    grid, axes = grid_over(rows), row_of_axes(axes, 2, SIZE)
    draw_kmeans(axes[0], fit, found, view, grid, seed)
    draw_mixture(axes[1], fit, found, view, grid)
    for ax in axes:
        ax.set_xlabel(view.names[0])
    axes[0].set_ylabel(view.names[1])
    return axes


def draw_kmeans(ax: Axes, fit: Fit, found: Partition, view: View, grid: Grid, seed: int) -> None:
    """Draw the clusters of k-means and, where the plane is all there is, their regions."""
    model = KMeans(found.n_clusters, n_init=10, random_state=seed)
    labels = model.fit_predict(fit.data.values, sample_weight=fit.data.weights)
    names = renamed(labels, found.labels)
    if fit.data.n_columns == 2:
        inverse = np.linalg.inv(view.matrix)
        nearest = model.predict((grid.points @ inverse + view.centre).astype(fit.data.values.dtype))
        name_of = np.empty(found.n_clusters, int)
        name_of[labels] = names
        draw_regions(ax, grid, np.eye(names.max() + 1)[name_of[nearest]].T)
    draw_rows(ax, view.rows(fit.data.values), names, np.ones(len(names)))
    ax.set_title(f"k-means, {counted(found.n_clusters, 'cluster')}", fontsize="medium")


def draw_mixture(ax: Axes, fit: Fit, found: Partition, view: View, grid: Grid) -> None:
    """Draw the clusters of the fit with their regions."""
    draw_regions(ax, grid, probabilities(fit, found, view, N_DRAWS, grid.points))
    certainty = membership(fit, found, fit.data.values).mean.max(1)
    draw_rows(ax, view.rows(fit.data.values), found.labels, certainty)
    ax.set_title(f"Gaussian mixture, {counted(found.n_clusters, 'cluster')}", fontsize="medium")
