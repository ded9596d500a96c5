"""How far each draw's partition lies from a representative one: what chains must agree about.

The variation of information (Meila 2007) on a sample of rows, the labels redrawn.
"""

import numpy as np

from ..posterior.losses import Loss, losses
from ..posterior.partition import evenly, rank_by_size
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
    to_each_other = losses(Loss(), candidates, candidates).mean(1)
    representative = candidates[int(np.argmin(to_each_other))]
    return losses(Loss(), representative[None], labels).reshape(n_chains, -1)
