"""k-means for many K at once, beside scikit-learn's from the same seeds."""

import numpy as np
import pytest
from quick import quick_compilation
from sklearn.cluster import KMeans
from textbook import assert_close

import bayesgmm as bg
from bayesgmm.engines.em import EM
from bayesgmm.engines.grid import grid_of
from bayesgmm.engines.grid_starts import starts_of
from bayesgmm.engines.kmeans import seeds
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
        first = seeds(scaled, weights, max(NUMBERS), random)
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
