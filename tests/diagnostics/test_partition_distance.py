import numpy as np
import pytest
from quick import quick_compilation

import bayesgmm as bg
from bayesgmm.diagnostics.partition_distance import partition_distances

X = np.random.default_rng(1).normal([[0, 0]] * 30 + [[7, 0]] * 40 + [[0, 7]] * 40)


@pytest.fixture(scope="module")
def fit():
    engine = bg.Gibbs(n_chains=2, n_warmup=100, n_draws=60, thin=1, progress=False)
    with quick_compilation():
        return bg.fit(X, bg.MixtureSpec(max_components=4), engine=engine)


def test_every_draw_has_a_distance(fit):
    distances = partition_distances(fit)
    assert distances.shape == (2, 60)
    assert (distances >= -1e-12).all()
    assert "R-hat, distance to the partition" in set(bg.diagnose(fit)["check"])


def test_labels_of_some_rows_are_those_of_all(fit):
    draws, rows = np.array([3, 70, 119]), np.array([0, 5, 64, 109])
    together = fit.labels_of_draws(draws)
    np.testing.assert_array_equal(fit.labels_of_draws(draws, rows), together[:, rows])
