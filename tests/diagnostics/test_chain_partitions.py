"""Agreement of chains about the partition, on labels written down by hand and on a short run."""

import numpy as np
import pytest
from quick import quick_compilation
from sklearn.metrics import adjusted_rand_score

import bayesgmm as bg
from bayesgmm.diagnostics.chain_partitions import ChainPartitions, chain_partitions
from bayesgmm.diagnostics.posterior_checks import ROUNDING

X = np.random.default_rng(1).normal([[0, 0]] * 30 + [[7, 0]] * 40 + [[0, 7]] * 40)
N_ROWS = 60


@pytest.fixture(scope="module")
def fit():
    engine = bg.Gibbs(n_chains=2, n_warmup=100, n_draws=60, thin=1, progress=False)
    with quick_compilation():
        return bg.fit(X, bg.MixtureSpec(max_components=4), engine=engine)


def chains_around(*partitions, n_draws=120, noise=0.05):
    """A chain around each partition: single rows go astray in single draws."""
    random = np.random.default_rng(3)
    labels = np.repeat(np.array(partitions)[:, None], n_draws, 1)
    astray = random.random(labels.shape) < noise
    return ChainPartitions(np.where(astray, (labels + 1) % 3, labels))


def vi_in_bits(one, other):
    """Entropies of the table of common rows: H(one | other) + H(other | one)."""
    table = np.zeros((one.max() + 1, other.max() + 1))
    np.add.at(table, (one, other), 1 / len(one))
    parts = [table.ravel(), table.sum(1), table.sum(0)]
    joint, *own = [-(p[p > 0] * np.log2(p[p > 0])).sum() for p in parts]
    return 2 * joint - sum(own)


def test_chains_of_one_posterior_agree():
    halves = np.repeat([0, 1], N_ROWS // 2)
    found = chains_around(halves, halves, halves)
    np.testing.assert_array_equal(found.points, [halves] * 3)
    assert found.between == 0 < found.within
    assert found.lowest_rand == 1 > found.usual_rand


def test_distances_are_those_of_the_textbook():
    """One chain parts the rows in halves, the other in thirds."""
    halves, thirds = np.repeat([0, 1], N_ROWS // 2), np.repeat([0, 1, 2], N_ROWS // 3)
    found = chains_around(halves, thirds)
    assert found.between == pytest.approx(vi_in_bits(halves, thirds), abs=1e-12)
    assert found.lowest_rand == pytest.approx(adjusted_rand_score(halves, thirds), abs=1e-12)
    assert found.between > found.within
    assert found.lowest_rand < found.usual_rand
    each = [
        vi_in_bits(point, draw)
        for point, draws in zip((halves, thirds), found.labels, strict=True)
        for draw in draws
    ]
    assert found.within == pytest.approx(np.mean(each), abs=1e-12)


def test_a_number_of_clusters_may_agree_where_partitions_do_not():
    """Rows 0-29 and 30-59, or even and odd rows: two clusters either way."""
    halves, parity = np.repeat([0, 1], N_ROWS // 2), np.arange(N_ROWS) % 2
    found = chains_around(halves, parity, noise=0)
    assert found.lowest_rand < 0.1
    # Neither chain is in doubt about any pair, together they are.
    together = found.togetherness()
    assert len(together)
    assert np.ptp(together, axis=2).max() == 0
    assert set(np.unique(together.mean(2))) == {0, 1}


@pytest.mark.parametrize("sizes", [(8, 11, 16, 4), (5, 7, 3), (20, 13), (1, 2, 3, 4, 5)])
def test_equal_partitions_are_no_farther_apart_than_rounding(sizes):
    partition = np.repeat(np.arange(len(sizes)), sizes)
    found = ChainPartitions(np.broadcast_to(partition, (2, 10, len(partition))))
    assert found.between <= found.within + ROUNDING
    assert found.lowest_rand >= found.usual_rand - ROUNDING


def test_pairs_that_are_never_in_doubt_are_left_out():
    halves = np.repeat([0, 1], N_ROWS // 2)
    assert len(chains_around(halves, halves, noise=0).togetherness()) == 0


@pytest.mark.slow
def test_every_draw_has_a_distance_and_every_chain_a_partition(fit):
    found = chain_partitions(fit)
    assert found.labels.shape == (2, 60, 110)
    assert found.points.shape == (2, 110)
    distances = found.distances()
    assert distances.shape == (2, 60)
    assert (distances >= -1e-12).all()


@pytest.mark.slow
def test_diagnose_has_them(fit):
    checks = set(bg.diagnose(fit)["check"])
    assert {
        "R-hat, distance to the partition",
        "VI between chains' partitions (bits)",
        "ARI between chains' partitions",
        "largest R-hat, pairs together",
        "share of split-merge moves accepted",
        "share of draws that switch labels",
    } <= checks


@pytest.mark.slow
def test_labels_of_some_rows_are_those_of_all(fit):
    draws, rows = np.array([3, 70, 119]), np.array([0, 5, 64, 109])
    together = fit.labels_of_draws(draws)
    np.testing.assert_array_equal(fit.labels_of_draws(draws, rows), together[:, rows])
