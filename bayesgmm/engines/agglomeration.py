"""Merging clusters of rows, the cheapest pair first, by a criterion that adds up over clusters.

A table holds the price of every merge, and the cheapest partner of each cluster is kept: a merge costs
one row of the table.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

# What clusters of counts (m,) and scatter (m, D, D) add to the criterion, (m,).
type Terms = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Clusters(NamedTuple):
    """Moments of clusters.

    Attributes:
        counts: weight of their rows, (M,).
        means: (M, D).
        scatter: about the means, (M, D, D).
        terms: what they add to the criterion, (M,).
    """

    counts: np.ndarray
    means: np.ndarray
    scatter: np.ndarray
    terms: np.ndarray


def agglomerate(clusters: Clusters, terms: Terms) -> np.ndarray:
    """Merge M clusters, the cheapest pair first; return the pairs (M - 1, 2)."""
    n = len(clusters.counts)
    prices = np.full((n, n), np.inf)
    for index in range(n - 1):
        others = np.arange(index + 1, n)
        prices[index, others] = prices[others, index] = prices_with(clusters, index, others, terms)
    partner, cheapest = prices.argmin(1), prices.min(1)
    merges = np.empty((n - 1, 2), int)
    for step in range(n - 1):
        first, second = sorted((int(cheapest.argmin()), int(partner[cheapest.argmin()])))
        merges[step] = first, second
        put(clusters, first, second, terms)
        prices[second] = prices[:, second] = cheapest[second] = np.inf
        others = np.flatnonzero(np.isfinite(cheapest))
        others = others[others != first]
        if not len(others):
            break
        new = prices_with(clusters, first, others, terms)
        prices[first, others] = prices[others, first] = new
        keep_cheapest(prices, partner, cheapest, others, first, second)
    return merges


def keep_cheapest(
    prices: np.ndarray,
    partner: np.ndarray,
    cheapest: np.ndarray,
    others: np.ndarray,
    first: int,
    second: int,
) -> None:
    """Bring the cheapest partner of every cluster up to date after a merge."""
    new = prices[first, others]
    closer = others[new < cheapest[others]]
    partner[closer], cheapest[closer] = first, prices[first, closer]
    was_with = (partner[others] == first) | (partner[others] == second)
    lost = np.append(others[was_with & (new > cheapest[others])], first)
    partner[lost] = prices[lost].argmin(1)
    cheapest[lost] = prices[lost, partner[lost]]


def put(clusters: Clusters, first: int, second: int, terms: Terms) -> None:
    """Put the union of two clusters in the place of the first."""
    union = unions(clusters, first, np.array([second]), terms)
    for table, new in zip(clusters, union, strict=True):
        table[first] = new[0]


def prices_with(clusters: Clusters, index: int, others: np.ndarray, terms: Terms) -> np.ndarray:
    """Return what merges of a cluster with others (m,) cost, (m,)."""
    union = unions(clusters, index, others, terms)
    return union.terms - clusters.terms[others] - clusters.terms[index]


def unions(clusters: Clusters, index: int, others: np.ndarray, terms: Terms) -> Clusters:
    """Return the unions of a cluster with each of others (m,)."""
    counts = clusters.counts[others] + clusters.counts[index]
    away = clusters.means[others] - clusters.means[index]
    share = clusters.counts[others] / counts
    between = (share * clusters.counts[index])[:, None, None] * away[:, :, None] * away[:, None]
    scatter = clusters.scatter[others] + clusters.scatter[index] + between
    means = clusters.means[index] + share[:, None] * away
    return Clusters(counts, means, scatter, terms(counts, scatter))


def traces(counts: np.ndarray, scatter: np.ndarray) -> np.ndarray:
    """Return Ward's terms of clusters (m,) of scatter (m, D, D), (m,)."""
    return np.trace(scatter, axis1=1, axis2=2)


def log_determinants(alpha: float, counts: np.ndarray, scatter: np.ndarray) -> np.ndarray:
    """Return Fraley's terms of clusters (m,) of scatter (m, D, D), (m,)."""
    size = scatter.shape[-1]
    inner = np.log((traces(counts, scatter) + alpha) / counts)
    large = np.flatnonzero(counts > size)
    sign, log_det = np.linalg.slogdet(scatter[large])
    log_det = np.where(sign > 0, log_det, -np.inf) - size * np.log(counts[large])
    inner[large] = np.logaddexp(inner[large], log_det)
    return counts * inner


def clusters_of(
    values: np.ndarray, weights: np.ndarray, labels: np.ndarray, terms: Terms
) -> Clusters:
    """Return the clusters of rows (N, D) by labels (N,)."""
    n_clusters, size = int(labels.max()) + 1, values.shape[1]
    counts = np.bincount(labels, weights)
    means = np.zeros((n_clusters, size))
    np.add.at(means, labels, weights[:, None] * values)
    means /= counts[:, None]
    away = values - means[labels]
    scatter = np.zeros((n_clusters, size, size))
    np.add.at(scatter, labels, weights[:, None, None] * away[:, :, None] * away[:, None])
    return Clusters(counts, means, scatter, terms(counts, scatter))
