import numpy as np
import pytest
from scipy.stats import entropy
from sklearn.metrics import mutual_info_score
from textbook import assert_close

import bayesgmm as bg
from bayesgmm.diagnostics.partition_distance import distances_to, partition_distances

X = np.random.default_rng(1).normal([[0, 0]] * 30 + [[7, 0]] * 40 + [[0, 7]] * 40)


def test_distance_is_the_variation_of_information():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, (20, 60))
    one = rng.integers(0, 3, 60)

    def expected(a, b):
        bits = [entropy(np.bincount(v), base=2) for v in (a, b)]
        return sum(bits) - 2 * mutual_info_score(a, b) / np.log(2)

    assert_close(distances_to(labels, one), [expected(row, one) for row in labels])
    assert_close(distances_to(one[None], one), [0.0], atol=1e-12)


@pytest.fixture(scope="module")
def fit():
    engine = bg.Gibbs(n_chains=2, n_warmup=100, n_draws=60, thin=1, progress=False)
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
