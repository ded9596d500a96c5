"""Do chains agree about the partition, not only about its number of clusters?

Each chain gets a partition of its own, the one of least expected variation of information over its
draws (``posterior.salso``). Two chains of one posterior lie no farther apart than a draw lies from the
partition of its chain; that bound needs no scale of its own. Labels are redrawn for a sample of rows.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from ..posterior.losses import Loss, losses
from ..posterior.partition import evenly, rank_by_size
from ..posterior.salso import search
from ..result import Fit

MOST_ROWS = 500
MOST_DRAWS_OF_CHAIN = 250
MOST_CANDIDATES = 100
DRAWS_COMPARED = 40
N_RUNS = 4
# Random numbers drawn to redraw labels, a few nanoseconds each.
MOST_NUMBERS = 500_000_000
MOST_PAIRS = 100
# Pairs of which all chains are sure say nothing about mixing.
UNSURE = (0.05, 0.95)


@dataclass(frozen=True)
class ChainPartitions:
    """Labels of some rows in each chain.

    Attributes:
        labels: cluster of each row within its draw, 0 for the largest, (C, S, M).
    """

    labels: np.ndarray

    @cached_property
    def points(self) -> np.ndarray:
        """The partition of each chain, (C, M)."""
        some = self.labels[:, evenly(self.labels.shape[1], MOST_DRAWS_OF_CHAIN)]
        return np.stack([search(Loss(), draws, N_RUNS).labels for draws in some])

    @cached_property
    def between(self) -> float:
        """The largest variation of information between the partitions of two chains, in bits."""
        return float(losses(Loss(), self.points, self.points).max())

    @cached_property
    def within(self) -> float:
        """The mean distance of a draw to the partition of its chain, in bits."""
        each = zip(self.points, self.labels, strict=True)
        return float(np.mean([losses(Loss(), one[None], draws) for one, draws in each]))

    @cached_property
    def lowest_rand(self) -> float:
        """The lowest adjusted Rand index between the partitions of two chains."""
        pairs = combinations(self.points, 2)
        return min((adjusted_rand(one, other) for one, other in pairs), default=1.0)

    @cached_property
    def usual_rand(self) -> float:
        """The mean adjusted Rand index of a draw and the partition of its chain."""
        some = self.labels[:, evenly(self.labels.shape[1], DRAWS_COMPARED)]
        each = zip(self.points, some, strict=True)
        return float(np.mean([adjusted_rand(one, draw) for one, draws in each for draw in draws]))

    def distances(self) -> np.ndarray:
        """Return the distance of each draw to a representative draw of all chains, in bits, (C, S)."""
        draws = self.labels.reshape(-1, self.labels.shape[-1])
        candidates = draws[evenly(len(draws), MOST_CANDIDATES)]
        to_each_other = losses(Loss(), candidates, candidates).mean(1)
        representative = candidates[int(np.argmin(to_each_other))]
        return losses(Loss(), representative[None], draws).reshape(self.labels.shape[:2])

    def togetherness(self) -> np.ndarray:
        """Return whether each draw joins each of up to 100 pairs that it might, (P, C, S)."""
        rows = self.labels.shape[-1]
        random = np.random.default_rng(0)
        one, other = random.integers(0, rows, (2, 20 * MOST_PAIRS))
        joined = self.labels[..., one] == self.labels[..., other]
        shares = joined.mean((0, 1))
        unsure = np.flatnonzero((one != other) & (shares > UNSURE[0]) & (shares < UNSURE[1]))
        return np.moveaxis(joined[..., unsure[:MOST_PAIRS]], -1, 0).astype(float)


def chain_partitions(fit: Fit) -> ChainPartitions:
    """Redraw the labels of up to 500 rows, evenly spaced.

    Among very many rows S is a part of the draws, evenly spaced.
    """
    n_chains, n_draws = fit.log_likelihood.shape
    most = max(100, MOST_NUMBERS // (fit.data.n_rows * n_chains))
    kept = evenly(n_draws, most)
    draws = (n_draws * np.arange(n_chains)[:, None] + kept).ravel()
    labels = rank_by_size(fit.labels_of_draws(draws, evenly(fit.data.n_rows, MOST_ROWS)))
    return ChainPartitions(labels.reshape(n_chains, len(kept), -1))


def adjusted_rand(one: np.ndarray, other: np.ndarray) -> float:
    """Return the adjusted Rand index of two partitions (Hubert & Arabie 1985)."""
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(one, other))
