import numpy as np
import pytest
from scipy.stats import entropy
from sklearn.metrics import mutual_info_score
from textbook import assert_close

from bayesgmm.posterior.losses import Loss, losses, vi_lower_bound

RANDOM = np.random.default_rng(0)
PARTITIONS = RANDOM.integers(0, 3, (4, 60))
DRAWS = RANDOM.integers(0, 5, (20, 60))


def bits(labels):
    return entropy(np.bincount(labels), base=2)


def shared_bits(one, other):
    return mutual_info_score(one, other) / np.log(2)


def table(distance):
    return [[distance(one, draw) for draw in DRAWS] for one in PARTITIONS]


def parted(labels):
    return labels[:, None] != labels


@pytest.mark.parametrize("a", [1.0, 0.4, 1.7])
def test_vi_is_made_of_conditional_entropies(a):
    def distance(one, draw):
        shared = shared_bits(one, draw)
        return a * (bits(one) - shared) + (2 - a) * (bits(draw) - shared)

    assert_close(losses(Loss("vi", a), PARTITIONS, DRAWS), table(distance))


@pytest.mark.parametrize("a", [1.0, 0.4, 1.7])
def test_binder_counts_pairs_of_rows(a):
    def distance(one, draw):
        wrongly_parted = (parted(one) & ~parted(draw)).mean()
        return a * wrongly_parted + (2 - a) * (~parted(one) & parted(draw)).mean()

    assert_close(losses(Loss("binder", a), PARTITIONS, DRAWS), table(distance))


@pytest.mark.parametrize("loss", [Loss(), Loss("binder")], ids=str)
def test_equal_partitions_are_nothing_apart_however_numbered(loss):
    renumbered = np.array([3, 0, 4])[PARTITIONS]
    assert_close(np.diag(losses(loss, PARTITIONS, renumbered)), np.zeros(4), atol=1e-12)
    assert (losses(loss, PARTITIONS, renumbered) >= 0).all()


@pytest.mark.parametrize("settings", [("omari", 1.0), ("vi", 0.0), ("vi", 2), ("vi", np.nan)])
def test_settings_outside_their_domain_are_refused(settings):
    with pytest.raises(ValueError, match=r"Expected .* got .* Pass"):
        Loss(*settings)


def test_lower_bound_is_that_of_the_matrix_over_pairs():
    one = PARTITIONS[0]
    together = (DRAWS[:, :, None] == DRAWS[:, None, :]).mean(0)
    sizes = (DRAWS[:, :, None] == DRAWS[:, None, :]).sum(-1)
    shared = np.where(parted(one), 0, together).sum(1)
    terms = np.log2(np.bincount(one)[one]) + np.log2(sizes).mean(0) - 2 * np.log2(shared)
    assert_close(vi_lower_bound(one, DRAWS), terms.mean())
    assert vi_lower_bound(one, DRAWS) <= losses(Loss(), one[None], DRAWS).mean()
    assert_close(vi_lower_bound(one, one[None]), 0.0, atol=1e-12)
