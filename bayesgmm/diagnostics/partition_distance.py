"""How far each draw's partition lies from a representative one: what chains must agree about.

The variation of information (Meila 2007) on a sample of rows, the labels redrawn.
"""

import numpy as np

from ..posterior.partition import evenly, expected_vi, rank_by_size
from ..result import Fit

MOST_ROWS = 500
MOST_CANDIDATES = 100
# Random numbers drawn to redraw labels, a few nanoseconds each.
MOST_NUMBERS = 500_000_000


def partition_distances(fit: Fit) -> np.ndarray:
    """Return the distance of each draw to a representative draw, in bits, (C, S).

    Among very many rows S is a part of the draws, evenly spaced.
    """
    n_chains, n_draws = fit.log_likelihood.shape
    most = max(100, MOST_NUMBERS // (fit.data.n_rows * n_chains))
    kept = evenly(n_draws, most)
    draws = (n_draws * np.arange(n_chains)[:, None] + kept).ravel()
    labels = rank_by_size(fit.labels_of_draws(draws, evenly(fit.data.n_rows, MOST_ROWS)))
    candidates = labels[evenly(len(labels), MOST_CANDIDATES)]
    representative = candidates[int(np.argmin(expected_vi(candidates)))]
    return distances_to(labels, representative).reshape(n_chains, -1)


def distances_to(labels: np.ndarray, one: np.ndarray) -> np.ndarray:
    """Return the variation of information of labels (S, N) to one partition (N,), in bits, (S,)."""
    size = int(one.max()) + 1
    n_labels = int(labels.max()) + 1
    cells = labels.astype(np.int64) * size + one
    joint = np.stack([np.bincount(row, minlength=n_labels * size) for row in cells])
    joint = joint.reshape(len(labels), n_labels, size) / labels.shape[1]
    of_one = np.bincount(one) / len(one)
    return 2 * entropy(joint.reshape(len(labels), -1)) - entropy(joint.sum(-1)) - entropy(of_one)


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """Return the entropy over the last axis, in bits."""
    positive = np.where(probabilities > 0, probabilities, 1.0)
    return -(probabilities * np.log2(positive)).sum(-1)
