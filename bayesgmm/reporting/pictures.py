"""Figures as parts of a page."""

import base64
import io

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from ..plots import (
    clusters,
    components,
    history,
    n_clusters,
    ppc,
    similarity,
    trace,
    uncertainty,
)
from ..plots.style import figure_of
from ..posterior.partition import Partition
from ..posterior.relabel import NotIdentifiedError
from ..result import Fit
from .section import Picture

DPI = 130
CSS_PIXELS_PER_INCH = 96


def inline(ax: Axes, alt: str, caption: str) -> Picture:
    """Draw the figure of some axes into a data URI and close it."""
    figure = figure_of(ax)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, bbox_inches="tight")
    plt.close(figure)
    width, height = np.frombuffer(buffer.getvalue()[16:24], ">u4")
    return Picture(
        source="data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode(),
        alt=alt,
        caption=caption,
        width=round(int(width) * CSS_PIXELS_PER_INCH / DPI),
        height=round(int(height) * CSS_PIXELS_PER_INCH / DPI),
    )


def picture_of_n_clusters(fit: Fit) -> Picture:
    """Return the posterior of the number of clusters."""
    return inline(
        n_clusters(fit),
        "Bars: posterior probability of each number of clusters; steps: its prior; dots: single chains.",
        "The number of clusters. Where the dots, one for each chain, lie at the height of the bar, the "
        "chains agree.",
    )


def pictures_of_clusters(fit: Fit, found: Partition) -> list[Picture]:
    """Return the clusters in the first columns and, where there are more, in principal components."""
    names = fit.model.names
    shown = " and ".join(names[:2])
    doubt = "Large hollow dots are rows that could belong to another cluster"
    spread = (
        "" if fit.is_point else "; the spread of the ellipses is what is not known of the clusters"
    )
    first = inline(
        clusters(fit, clusters=found),
        f"The rows in {shown}, coloured by cluster, with the components of the mixture.",
        f"The clusters in {shown}. {doubt}{spread}.",
    )
    if len(names) < 3:
        return [first]
    second = inline(
        clusters(fit, clusters=found, columns="pca"),
        "The rows in the first two principal components, coloured by cluster.",
        "The same in the first two principal components of the standardised columns.",
    )
    return [first, second]


def pictures_of_doubt(fit: Fit, found: Partition) -> list[Picture]:
    """Return the entropy of each row's membership and, for draws, the similarity matrix."""
    pictures = [
        inline(
            uncertainty(fit, clusters=found),
            "Entropy of each row's membership in bits, sorted within clusters.",
            "How uncertain each row's cluster is: none at zero, two clusters as likely at one bit.",
        )
    ]
    if not fit.is_point:
        pictures.append(
            inline(
                similarity(fit, clusters=found),
                "Matrix of the probabilities that two rows belong to the same cluster.",
                "The probability that two rows belong together. Pale blocks off the diagonal are clusters "
                "that exchange rows; structure inside a block is a cluster that may fall apart.",
            )
        )
    return pictures


def picture_of_components(fit: Fit, found: Partition) -> list[Picture]:
    """Return the forest of the clusters' parameters, or nothing if they have no names."""
    try:
        axes = components(fit, clusters=found)
    except NotIdentifiedError:
        return []
    return [
        inline(
            axes[0, 0],
            "Weight, means and standard deviations of each cluster with intervals.",
            "What the clusters are: weight, means and standard deviations, in the units of the data.",
        )
    ]


def picture_of_prediction(fit: Fit) -> Picture:
    """Return the columns beside what the fit expects of them."""
    axes = np.ravel(np.asarray(ppc(fit), dtype=object))
    return inline(
        axes[0],
        "Histogram of each column with the density that the fit expects.",
        "The rows, as histograms, beside the density that the fit expects of each column.",
    )


def picture_of_run(fit: Fit) -> Picture:
    """Return the course of the run: traces of draws, or the climb of a point."""
    if fit.is_point:
        return inline(
            history(fit),
            "Log-likelihood after each update.",
            "How EM climbed; the dashed line is the estimated maximum.",
        )
    return inline(
        trace(fit)[0, 0],
        "Traces of the log-likelihood and of the number of clusters, a colour for each chain.",
        "The run. Chains that have mixed wander over the same range, and their ranks are level.",
    )
