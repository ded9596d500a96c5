r"""One partition for a posterior: the draw with the least expected variation of information.

VI(a, b) = H(a) + H(b) - 2 I(a, b) is a distance between partitions that does not see labels
(Meila 2007). The expected distance of each candidate to the posterior is an average over draws, and
the candidates are the draws themselves (Wade & Ghahramani 2018, Bayesian Analysis 13, 559-626).

What a component of one draw has to do with the clusters of that partition is a table of shares,
``shares[s, k, j]``: the share of cluster j among the rows that draw s puts into its component k. So
the probability that a new row belongs to cluster j is sum_k p(k | x, draw) shares[s, k, j], averaged
over draws: the probability that a row drawn from x's own component is one of cluster j. No labels
are matched.
"""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..numerics.precision import in_float64
from ..result import Fit

MOST_CANDIDATES = 400
MOST_ROWS = 2_000
MOST_ROWS_OF_MATRIX = 10_000


@dataclass(frozen=True)
class Partition:
    """A representative partition of the fitted rows.

    Attributes:
        labels: cluster of each row, 0 for the largest, (N,).
        n_clusters: number of clusters, J.
        expected_vi: its expected variation of information to the posterior, in bits.
        draws: indices of the draws that ``shares`` describes, (S,).
        shares: share of each cluster in each component of these draws, (S, K, J).
    """

    labels: np.ndarray
    n_clusters: int
    expected_vi: float
    draws: np.ndarray
    shares: np.ndarray


@in_float64
def partition(fit: Fit) -> Partition:
    """Find the draw with the least expected variation of information.

    For more than 2,000 rows the expectation is taken over an even subsample of rows, and for more
    than 400 draws over an even subsample of draws.

    Args:
        fit: any fit; a point has one partition, that of the most probable components.

    Returns:
        The partition, and the table that carries it to new rows.
    """
    draws = evenly(fit.log_likelihood.size, MOST_CANDIDATES)
    labels = fit.labels_of_draws(draws)
    ranked = rank_by_size(labels)
    some_rows = evenly(labels.shape[1], MOST_ROWS)
    expected = expected_vi(ranked[:, some_rows])
    best = int(np.argmin(expected))
    chosen = ranked[best]
    n_clusters = int(chosen.max()) + 1
    shares = cluster_shares(labels, chosen, fit.model.n_components, n_clusters)
    return Partition(chosen.astype(np.int64), n_clusters, float(expected[best]), draws, shares)


def evenly(n: int, most: int) -> np.ndarray:
    """Return at most ``most`` evenly spaced indices below n."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int))


def rank_by_size(labels: np.ndarray) -> np.ndarray:
    """Renumber the labels of each draw (S, N) by falling size, empty components left out."""
    ranked = np.empty_like(labels)
    for one, out in zip(labels, ranked, strict=True):
        counts = np.bincount(one)
        rank = np.empty(len(counts), labels.dtype)
        rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
        out[:] = rank[one]
    return ranked


def expected_vi(labels: np.ndarray) -> np.ndarray:
    """Return each draw's mean variation of information to all draws, in bits, (S,)."""
    return np.asarray(_expected_vi(jnp.asarray(labels), int(labels.max()) + 1))


@partial(jax.jit, static_argnums=1)
def _expected_vi(labels: Array, n_labels: int) -> Array:
    n_draws, n_rows = labels.shape
    # Counts up to 2,000 are exact in single precision, where the product is twice as fast.
    all_draws = jax.nn.one_hot(labels, n_labels, dtype=jnp.float32)
    flat = all_draws.transpose(0, 2, 1).reshape(-1, n_rows)
    entropies = _entropy(all_draws.sum(1) / n_rows)

    def mean_distance(part: tuple[Array, Array]) -> Array:
        one, entropy = part
        joint = (flat @ one).reshape(n_draws, -1) / n_rows
        return (2 * _entropy(joint) - entropy - entropies).mean()

    return jax.lax.map(mean_distance, (all_draws, entropies))


def _entropy(probabilities: Array) -> Array:
    """Return the entropy over the last axis, in bits; VI = 2 H(a, b) - H(a) - H(b)."""
    positive = jnp.where(probabilities > 0, probabilities, 1.0)
    return -(probabilities * jnp.log2(positive)).sum(-1)


def cluster_shares(
    labels: np.ndarray, chosen: np.ndarray, n_components: int, n_clusters: int
) -> np.ndarray:
    """Return the share of each cluster of ``chosen`` in each component of each draw, (S, K, J)."""
    counts = np.empty((len(labels), n_components, n_clusters))
    for one, out in zip(labels.astype(np.int64), counts, strict=True):
        cells = np.bincount(one * n_clusters + chosen, minlength=n_components * n_clusters)
        out[:] = cells.reshape(n_components, n_clusters)
    return counts / np.maximum(counts.sum(-1, keepdims=True), 1)


@in_float64
def co_clustering(fit: Fit, rows: np.ndarray | None = None) -> np.ndarray:
    """Return the posterior probability that two rows belong together.

    Args:
        fit: a posterior fit.
        rows: indices of rows (M,); all by default.

    Returns:
        (M, M), estimated from up to 400 draws' labels.

    Raises:
        ValueError: more than 10,000 rows, whose matrix would not fit.
    """
    n_rows = fit.data.n_rows if rows is None else len(np.arange(fit.data.n_rows)[rows])
    if n_rows > MOST_ROWS_OF_MATRIX:
        raise ValueError(
            f"Expected at most {MOST_ROWS_OF_MATRIX} rows for a square matrix, got {n_rows}. Pass rows=, "
            "indices of the rows you want to compare."
        )
    draws = evenly(fit.log_likelihood.size, MOST_CANDIDATES)
    labels = rank_by_size(fit.labels_of_draws(draws, rows))
    together = np.zeros((n_rows, n_rows), np.float32)
    for one in labels:
        members = np.eye(one.max() + 1, dtype=np.float32)[one]
        together += members @ members.T
    return together / len(labels)
