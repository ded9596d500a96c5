r"""One partition for a posterior, its clusters in each draw, and how often two rows go together.

The partition has the least expected loss over posterior draws (``losses``, ``salso``). Its clusters
are found again in each draw by the rows they share with its components: ``shares[s, k, j]`` is the part
of component k of draw s that stands for cluster j. So the probability that a new row belongs to cluster
j is sum_k p(k | x, draw) shares[s, k, j], averaged over draws.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..numerics.precision import in_float64
from ..result import Fit
from .losses import Loss, losses, padded_size
from .losses import vi_lower_bound as vi_lower_bound_of_draws
from .named import are_all_named, most_frequent, under_names, with_named_shares
from .salso import classified, renumbered, search

MOST_DRAWS = 1_000
MOST_SEARCHED_ROWS = 20_000
# Labels held at once, two bytes each; further draws are left out among very many rows.
MOST_LABELS = 200_000_000
FEWEST_DRAWS = 100
MOST_ROWS_OF_MATRIX = 10_000
# Labels, or cells of the tables that count them, that a loss is computed from at once.
MOST_COUNTED = 20_000_000


@dataclass(frozen=True)
class Partition:
    """A representative partition of the fitted rows.

    Attributes:
        labels: cluster of each row, 0 for the largest; where labels are known, their clusters come
            first, in their order, (N,).
        n_clusters: number of clusters, J.
        loss: the loss whose expectation it makes small.
        expected_loss: that expectation over the draws, for the searched rows; bits for the
            variation of information.
        draws: indices of the draws used, into those of all chains laid end to end, (S,).
        searched: indices of the rows that were partitioned together; the others went to the cluster
            where each costs least, (M,).
        shares: part of each component of these draws that stands for each cluster: of an occupied
            component they add up to one, of an empty one to zero, (S, K, J).
    """

    labels: np.ndarray
    n_clusters: int
    loss: Loss
    expected_loss: float
    draws: np.ndarray
    searched: np.ndarray
    shares: np.ndarray


@in_float64
def partition(
    fit: Fit, loss: str = "vi", a: float = 1.0, *, n_runs: int | None = None, seed: int = 0
) -> Partition:
    """Find the partition of the least expected loss.

    The expectation is taken over up to 1,000 draws, evenly spaced. Up to 20,000 rows, evenly
    spaced, are searched together; each further row goes to the cluster where it costs least.

    Rows whose label is known are in the cluster of that name. Where all components of the model have
    such rows, every other row is in the cluster of its most frequent component.

    Args:
        fit: any fit; a point has one partition, that of the most probable components.
        loss: "vi", the variation of information, or "binder".
        a: price of parting two rows that belong together, in (0, 2), against 2 - a for joining two
            that do not; above one for fewer clusters.
        n_runs: runs of the search from different starts; by default 16, fewer for many rows.
        seed: seed of the order in which rows are visited.

    Returns:
        The partition, and the table that carries it to new rows.

    Raises:
        ValueError: another loss, or a outside (0, 2), or n_runs below one.
    """
    measure = Loss(loss, a)
    if n_runs is not None and n_runs < 1:
        raise ValueError(f"Expected n_runs >= 1, got {n_runs}. Leave it out for the default.")
    draws = draws_for(fit)
    labels = fit.labels_of_draws(draws)
    searched = evenly(labels.shape[1], MOST_SEARCHED_ROWS)
    some = rank_by_size(labels[:, searched])
    if are_all_named(fit):
        chosen = most_frequent(labels, fit.model.n_components)
    else:
        chosen = some[0] if len(some) == 1 else search(measure, some, n_runs, seed).labels
        if len(searched) < labels.shape[1]:
            chosen = completed(measure, labels, searched, chosen)
        chosen = under_names(fit, chosen)
    expected = float(losses(measure, chosen[None, searched], some).mean())
    chosen = chosen.astype(np.int64)
    n_clusters = int(chosen.max()) + 1
    shares = shares_of(cluster_counts(labels, chosen, fit.model.n_components, n_clusters))
    shares = with_named_shares(fit, shares)
    return Partition(chosen, n_clusters, measure, expected, draws, searched, shares)


def completed(
    loss: Loss, labels: np.ndarray, searched: np.ndarray, of_searched: np.ndarray
) -> np.ndarray:
    """Send the rows beyond those searched to the clusters of a partition, (N,)."""
    chosen = classified(loss, labels[:, searched], of_searched, labels)
    chosen[searched] = of_searched
    return renumbered(chosen)


def draws_for(fit: Fit) -> np.ndarray:
    """Return evenly spaced draws, 1,000 of them or, among very many rows, fewer."""
    most = min(MOST_DRAWS, max(FEWEST_DRAWS, MOST_LABELS // fit.data.n_rows))
    return evenly(fit.log_likelihood.size, most)


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


def cluster_counts(
    labels: np.ndarray, chosen: np.ndarray, n_components: int, n_clusters: int
) -> np.ndarray:
    """Count the rows of each cluster of ``chosen`` in each component of each draw, (S, K, J)."""
    counts = np.empty((len(labels), n_components, n_clusters))
    for one, out in zip(labels, counts, strict=True):
        cells = np.bincount(
            one.astype(np.int64) * n_clusters + chosen, minlength=n_components * n_clusters
        )
        out[:] = cells.reshape(n_components, n_clusters)
    return counts


def shares_of(counts: np.ndarray) -> np.ndarray:
    """Return what part of each component stands for which cluster, (S, K, J), from counts of rows.

    A component stands for the cluster it has most rows of. A cluster that no component stands for
    has been merged into the one with most of its rows, which stands for both by their rows.
    """
    n_components, n_clusters = counts.shape[1:]
    is_own = np.arange(n_clusters) == counts.argmax(2)[..., None]
    is_own &= counts.any(2, keepdims=True)
    is_home = np.arange(n_components)[:, None] == counts.argmax(1)[:, None]
    kept = np.where(is_own | (is_home & ~is_own.any(1, keepdims=True)), counts, 0)
    return kept / np.maximum(kept.sum(2, keepdims=True), 1)


@in_float64
def co_clustering(fit: Fit, rows: np.ndarray | None = None) -> np.ndarray:
    """Return the posterior probability that two rows belong together.

    Args:
        fit: a posterior fit.
        rows: indices of rows (M,); all by default.

    Returns:
        (M, M), estimated from up to 1,000 draws' labels.

    Raises:
        ValueError: more than 10,000 rows, whose matrix would not fit.
    """
    n_rows = fit.data.n_rows if rows is None else len(np.arange(fit.data.n_rows)[rows])
    if n_rows > MOST_ROWS_OF_MATRIX:
        raise ValueError(
            f"Expected at most {MOST_ROWS_OF_MATRIX} rows for a square matrix, got {n_rows}. Pass rows=, "
            "indices of the rows you want to compare."
        )
    labels = rank_by_size(fit.labels_of_draws(draws_for(fit), rows))
    together = np.zeros((n_rows, n_rows), np.float32)
    for one in labels:
        members = np.eye(one.max() + 1, dtype=np.float32)[one]
        together += members @ members.T
    return together / len(labels)


def expected_loss(fit: Fit, labels: Any, loss: str = "vi", a: float = 1.0) -> float:
    """Return the expected loss of a partition of your own, as ``partition`` gives it for its own.

    Args:
        fit: any fit.
        labels: label of each fitted row, whole numbers or strings, (N,).
        loss: "vi", the variation of information, or "binder".
        a: price of parting two rows that belong together, in (0, 2), against 2 - a for joining two
            that do not.

    Returns:
        The expectation over up to 1,000 draws, evenly spaced, in bits for the variation of
        information; for all rows, not only those that ``partition`` searches.

    Raises:
        ValueError: another loss, or a outside (0, 2), or rows without a label.
    """
    measure, chosen = Loss(loss, a), numbered(labels, fit.data.n_rows)
    draws = rank_by_size(fit.labels_of_draws(draws_for(fit)))
    counted = max(len(chosen), padded_size(draws) * padded_size(chosen))
    length = max(1, MOST_COUNTED // counted)
    blocks = [draws[start : start + length] for start in range(0, len(draws), length)]
    each = [losses(measure, chosen[None], block) for block in blocks]
    return float(np.concatenate(each, axis=1).mean())


def vi_lower_bound(fit: Fit, labels: Any) -> float:
    """Return a lower bound of the expected variation of information of a partition.

    It is that of Jensen's inequality, which the R package mcclust.ext makes small in place of the
    expectation: ``expected_loss(fit, labels)`` is never below, and equal where all draws agree.

    Args:
        fit: any fit.
        labels: label of each fitted row, whole numbers or strings, (N,).

    Returns:
        The bound in bits, for the draws of ``expected_loss``.

    Raises:
        ValueError: rows without a label.

    Reference:
        Wade & Ghahramani (2018), Bayesian Analysis 13, 559-626, section 3.2.
    """
    chosen = numbered(labels, fit.data.n_rows)
    return vi_lower_bound_of_draws(chosen, fit.labels_of_draws(draws_for(fit)))


def numbered(labels: Any, n_rows: int) -> np.ndarray:
    """Return labels of any kind as numbers 0, 1, ..., (N,)."""
    import pandas as pd

    given = np.asarray(labels)
    if given.shape != (n_rows,):
        raise ValueError(
            f"Expected a label for each of the {n_rows} fitted rows, got shape {given.shape}. Pass one "
            "label per row, in the order of the rows."
        )
    numbers = pd.factorize(given)[0]
    if numbers.min() < 0:
        raise ValueError(
            f"Expected a label for each of the {n_rows} fitted rows, got {int((numbers < 0).sum())} "
            "missing ones. Give these rows labels too, each its own if it stands alone."
        )
    return numbers
