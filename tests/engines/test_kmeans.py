"""k-means for many K at once, beside scikit-learn's from the same seeds."""

import numpy as np
import pytest
from quick import quick_compilation
from sklearn.cluster import KMeans, kmeans_plusplus
from textbook import assert_close

import bayesgmm as bg
from bayesgmm.engines.em import EM
from bayesgmm.engines.grid import grid_of
from bayesgmm.engines.grid_starts import starts_of
from bayesgmm.engines.seeding import seed_rows
from bayesgmm.numerics.precision import in_float64

NUMBERS, N_INIT = (1, 2, 3, 5), 3


@pytest.mark.parametrize("weighted", [False, True])
def test_centres_are_scikit_learns(weighted):
    # Of random numbers, which are never as near to two centres.
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(150, 3)) + rng.normal(scale=3, size=(4, 3))[rng.integers(4, size=150)]
    weights = rng.uniform(0.5, 3, len(rows)) if weighted else None
    data = bg.Dataset.from_array(rows, weights=weights)

    @in_float64
    def ours():
        grid = grid_of(data, NUMBERS, N_INIT)
        return grid, starts_of(EM(n_init=N_INIT), data, grid, 0).centres

    with quick_compilation():
        grid, centres = ours()
    random, scaled = np.random.RandomState(0), data.scaled()
    for restart in range(N_INIT):
        first = scaled[seed_rows(scaled, weights, max(NUMBERS), random)]
        for lane, size in enumerate(grid.sizes):
            if lane % N_INIT == restart:
                theirs = KMeans(size, init=first[:size], n_init=1, tol=1e-4)
                theirs.fit(scaled, sample_weight=weights)
                inertia = ((scaled[:, None] - centres[lane, :size]) ** 2).sum(-1).min(1)
                inertia = np.average(inertia, weights=weights) * (
                    len(scaled) if weights is None else weights.sum()
                )
                assert_close(inertia, theirs.inertia_, rtol=1e-3)
                assert not centres[lane, size:].any()


@pytest.mark.parametrize("weighted", [False, True])
def test_seeds_are_scikit_learns(weighted):
    rng = np.random.default_rng(1)
    for seed in range(20):
        rows, weights = rng.normal(size=(60, 3)), None
        if weighted:
            weights = rng.uniform(0.5, 3, len(rows)) * (rng.random(len(rows)) < 0.8)
        theirs = kmeans_plusplus(rows, 9, sample_weight=weights, random_state=seed)[1]
        ours = seed_rows(rows, weights, 9, np.random.RandomState(seed))
        # Two candidates may be as good as each other, and rounding then decides for all that follow.
        n_same = int(np.argmin(np.append(ours == theirs, False)))
        assert n_same >= 7
        assert_close(potential(rows, ours[: n_same + 1]), potential(rows, theirs[: n_same + 1]))


def potential(rows, seeds):
    """Sum of squared distances to the nearest seed."""
    return ((rows[:, None] - rows[seeds]) ** 2).sum(-1).min(1).sum()
