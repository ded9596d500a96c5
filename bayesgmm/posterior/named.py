"""Clusters under the names that known labels give them.

Known labels tell clusters apart in every draw: component k of a draw holds the rows of label k. So
clusters with known rows need no matching: they come first, in the order of their labels, and where all
components have known rows everything about them is an average over draws of one component.
"""

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..result import Fit


def known_labels(fit: Fit) -> np.ndarray:
    """Return the labels that are known, in their order, (L,)."""
    labels = fit.data.labels
    return np.empty(0, int) if labels is None else np.unique(labels[labels >= 0])


def are_all_named(fit: Fit) -> bool:
    """Say whether every component of the model has known rows."""
    return not fit.model.spec.is_auto and len(known_labels(fit)) == fit.model.n_components


def most_frequent(labels: np.ndarray, n_components: int) -> np.ndarray:
    """Return the most frequent component of each row in draws (S, N), (N,)."""
    return np.argmax([(labels == k).sum(0) for k in range(n_components)], 0)


def under_names(fit: Fit, clusters: np.ndarray) -> np.ndarray:
    """Renumber clusters (N,): those of known labels in their order, then the others as they were.

    A label has the cluster with most of its rows, one of its own if another label has that. Its rows
    are put there.
    """
    names, known = known_labels(fit), fit.data.labels
    if known is None:
        return clusters
    n_clusters, n_names = int(clusters.max()) + 1, len(names)
    shared = np.zeros((n_names, n_clusters + n_names))
    # A new cluster is better than one without any row of the label.
    shared[:, n_clusters:] = 0.5
    np.add.at(shared, (np.searchsorted(names, known[known >= 0]), clusters[known >= 0]), 1)
    _, homes = linear_sum_assignment(-shared)
    order = np.concatenate([homes, np.setdiff1d(np.arange(n_clusters + n_names), homes)])
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    named = rank[clusters]
    named[known >= 0] = np.searchsorted(names, known[known >= 0])
    # Clusters that have lost their last row are left out.
    return np.unique(named, return_inverse=True)[1].astype(clusters.dtype)


def with_named_shares(fit: Fit, shares: np.ndarray) -> np.ndarray:
    """Let each component with known rows stand for its own cluster in all draws, (S, K, J)."""
    names = known_labels(fit)
    own = np.eye(shares.shape[2])[: len(names)]
    shares[:, names] = own
    return shares


def with_named_places(
    fit: Fit, components: np.ndarray, central: int, costs: np.ndarray
) -> np.ndarray:
    """Make it dear to call a component with known rows anything but its own cluster.

    Args:
        fit: the fit.
        components: component in each place of each draw, (S, P).
        central: draw whose places number the clusters.
        costs: what it costs to call a component a cluster, (S, P, J).
    """
    dear, costs = 4 * (np.abs(costs).max() + 1), costs.copy()
    for name in known_labels(fit):
        own = np.arange(costs.shape[2]) == int((components[central] == name).argmax())
        costs += dear * ((components == name)[..., None] != own)
    return costs


def names_first(fit: Fit, index: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Put the clusters (J,) of known labels first in an order; ``index`` (S, J) are components."""
    named = [int((index[0] == name).argmax()) for name in known_labels(fit)]
    return np.array([*named, *(j for j in order if j not in named)], int)
