"""The ball of partitions around the representative one that holds most of the posterior.

The smallest ball around the estimate with posterior probability at least ``prob``, and its bounds:
vertical upper bounds have the fewest clusters in the ball, vertical lower bounds the most, horizontal
bounds are the farthest from the estimate; each the farthest of their kind. (Wade & Ghahramani 2018,
Bayesian Analysis 13, 559-626, section 4.)
"""

from dataclasses import dataclass

import numpy as np

from ..numerics.precision import in_float64
from ..result import Fit
from .losses import Loss, losses
from .partition import Partition, partition, rank_by_size

# Distances closer than this are equal but for rounding.
ROUNDING = 1e-9


@dataclass(frozen=True)
class CredibleBall:
    """A credible ball around a partition, estimated from posterior draws.

    Attributes:
        prob: probability asked for.
        radius: largest distance inside, in bits for the variation of information.
        share: share of the draws inside, at least ``prob``.
        horizontal: partitions farthest from the centre, one per row, (M, N).
        upper: those with the fewest clusters, of these the farthest, (M, N).
        lower: those with the most clusters, of these the farthest, (M, N).
        rows: indices of the rows that these partitions label, (N,).
    """

    prob: float
    radius: float
    share: float
    horizontal: np.ndarray
    upper: np.ndarray
    lower: np.ndarray
    rows: np.ndarray


@in_float64
def credible_ball(fit: Fit, prob: float = 0.95, clusters: Partition | None = None) -> CredibleBall:
    """Return the credible ball around the representative partition.

    Args:
        fit: a posterior fit.
        prob: probability inside, in (0, 1).
        clusters: ``partition(fit)``, to save its computation; its loss measures the distances.

    Returns:
        The ball; for more rows than were searched together, on those that were.

    Raises:
        ValueError: prob outside (0, 1), or a point fit.
    """
    if not 0 < prob < 1:
        raise ValueError(f"Expected prob in (0, 1), got {prob!r}. Pass for instance prob=0.95.")
    if fit.is_point:
        raise ValueError(
            "Expected a posterior, got a point fit: a single partition has no ball around it. Fit with "
            "engine=bg.Gibbs()."
        )
    found = partition(fit) if clusters is None else clusters
    draws = rank_by_size(fit.labels_of_draws(found.draws, found.searched))
    return ball_of_draws(found.loss, found.labels[found.searched], draws, prob, found.searched)


def ball_of_draws(
    loss: Loss, centre: np.ndarray, draws: np.ndarray, prob: float, rows: np.ndarray
) -> CredibleBall:
    """Return the smallest ball around a partition (N,) with ``prob`` of the draws (S, N)."""
    names = np.unique(centre, return_inverse=True)[1]
    distances = losses(loss, names[None], draws)[0]
    n_inside = int(np.ceil(prob * len(draws) - ROUNDING))
    radius = float(np.sort(distances)[n_inside - 1])
    is_inside = distances <= radius + ROUNDING
    inside, distances = draws[is_inside], distances[is_inside]
    n_clusters = inside.max(1) + 1
    return CredibleBall(
        prob=prob,
        radius=radius,
        share=float(is_inside.mean()),
        horizontal=farthest(inside, distances),
        upper=farthest(inside, distances, n_clusters == n_clusters.min()),
        lower=farthest(inside, distances, n_clusters == n_clusters.max()),
        rows=rows,
    )


def farthest(
    draws: np.ndarray, distances: np.ndarray, is_candidate: np.ndarray | None = None
) -> np.ndarray:
    """Return the different partitions of the candidates that are farthest away, (M, N)."""
    if is_candidate is not None:
        draws, distances = draws[is_candidate], distances[is_candidate]
    chosen = draws[distances >= distances.max() - ROUNDING]
    first_seen = np.stack([in_order_of_appearance(one) for one in chosen])
    _, index = np.unique(first_seen, axis=0, return_index=True)
    return chosen[np.sort(index)].astype(np.int64)


def in_order_of_appearance(labels: np.ndarray) -> np.ndarray:
    """Renumber labels by their first row, so that equal partitions have equal labels."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]
