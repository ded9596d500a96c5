"""The search against all partitions of a few rows, and the ball against its definition."""

import itertools
from collections import Counter
from dataclasses import replace

import enumeration
import jax
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from quick import quick_compilation
from scipy.stats import entropy
from sklearn.metrics import adjusted_rand_score, mutual_info_score
from textbook import assert_close, assert_three_parts

import bayesgmm as bg
from bayesgmm.posterior import partition as module
from bayesgmm.posterior.ball import ball_of_draws
from bayesgmm.posterior.losses import Loss, losses
from bayesgmm.posterior.salso import classified, search

LOSSES = [Loss(), Loss("binder"), Loss("vi", 0.6), Loss("binder", 1.5)]
N_SETS = 200
SOME = 40
N_DRAWS = 30


# The search --------------------------------------------------------------------------------------


def random_draws(seed):
    """Draws of 5 or 9 rows, from all alike to anything goes, (S, N)."""
    rng = np.random.default_rng(seed)
    n_rows = (5, 9)[seed % 2]
    centre = rng.integers(0, rng.integers(1, 6), n_rows)
    noise = rng.integers(0, rng.integers(1, 7), (N_DRAWS, n_rows))
    draws = np.where(rng.random(noise.shape) < rng.random(), noise, centre)
    return np.stack([np.unique(one, return_inverse=True)[1] for one in draws])


def exhaustive_minimum(loss, draws):
    """The least expected loss of any partition, in plain NumPy.

    The part of the loss that depends on the partition is a sum over its clusters; all subsets of
    the rows are tabulated once.
    """
    f = {"vi": lambda n: n * np.log2(np.maximum(n, 1)), "binder": lambda n: n**2.0}[loss.name]
    n_rows = draws.shape[1]
    is_in = (np.arange(2**n_rows)[:, None] >> np.arange(n_rows)) & 1
    members = draws[:, None] == np.arange(n_rows)[:, None]
    shared = f(np.einsum("ai,ski->ask", is_in, members)).sum(-1).mean(1)
    of_subset = (2 - loss.a) * f(is_in.sum(1)) - 2 * shared
    strings = enumeration.partitions(n_rows)
    subsets = ((strings[:, None] == np.arange(n_rows)[:, None]) << np.arange(n_rows)).sum(-1)
    constant = loss.a * f(members.sum(-1)).sum(1).mean()
    return (of_subset[subsets].sum(1).min() + constant) / n_rows ** (1 + (loss.name == "binder"))


@pytest.mark.parametrize("loss", LOSSES, ids=str)
@pytest.mark.parametrize(
    "seeds", [range(SOME), pytest.param(range(SOME, N_SETS), marks=pytest.mark.slow)], ids=str
)
def test_search_finds_the_minimum_over_all_partitions(loss, seeds):
    missed = {}
    for seed in seeds:
        draws = random_draws(seed)
        found = losses(loss, search(loss, draws).labels[None], draws).mean()
        least = exhaustive_minimum(loss, draws)
        if abs(found - least) > 1e-9:
            missed[seed] = (found, least)
    assert not missed


def test_clusters_are_numbered_by_falling_size():
    labels = search(Loss(), random_draws(3)).labels
    counts = np.bincount(labels)
    assert (np.diff(counts) <= 0).all()
    assert (counts > 0).all()


def noisy_draws(n_rows, n_draws, share):
    rng = np.random.default_rng(0)
    centre = rng.integers(0, 6, n_rows)
    noise = rng.integers(0, 9, (n_draws, n_rows))
    return centre, np.where(rng.random(noise.shape) < share, noise, centre)


@pytest.mark.parametrize("loss", LOSSES[:2], ids=str)
def test_a_partition_behind_much_noise_is_found(loss):
    centre, draws = noisy_draws(1000, 100, 0.2)
    assert adjusted_rand_score(search(loss, draws, n_runs=2).labels, centre) == 1


def test_same_seed_same_partition_and_any_number_of_runs():
    _, draws = noisy_draws(60, 20, 0.8)
    first = search(Loss(), draws, seed=1)
    assert_array_equal(search(Loss(), draws, seed=1).labels, first.labels)
    assert search(Loss(), draws, n_runs=1, seed=1).cost >= first.cost


def test_further_rows_go_where_they_cost_least():
    centre, draws = noisy_draws(400, 50, 0.2)
    found = classified(Loss(), draws[:, :300], centre[:300], draws)
    assert_array_equal(found, centre)


# The partition of a fit --------------------------------------------------------------------------


TRUTH = np.repeat([0, 1, 2], [60, 40, 20])


def fit_of(centres):
    rows = np.random.default_rng(1).normal(np.asarray(centres)[TRUTH])
    engine = bg.Gibbs(n_chains=2, n_warmup=100, n_draws=100, thin=2, progress=False)
    with quick_compilation():
        return bg.fit(rows, bg.MixtureSpec(max_components=5), engine=engine, seed=2)


@pytest.fixture(scope="module")
def fit():
    """Two of the clusters overlap."""
    return fit_of([[0, 0], [3, 0], [0, 9]])


@pytest.fixture(scope="module")
def separated():
    return fit_of([[0, 0], [9, 0], [0, 9]])


@pytest.mark.parametrize("loss", ["vi", "binder"])
def test_no_draw_is_better_than_the_partition(fit, loss):
    found = bg.partition(fit, loss)
    draws = fit.labels_of_draws(found.draws)
    assert found.expected_loss <= losses(found.loss, draws, draws).mean(1).min() + 1e-12
    assert_close(found.expected_loss, losses(found.loss, found.labels[None], draws).mean())
    assert found.n_clusters == found.labels.max() + 1


def test_a_higher_price_of_parting_rows_makes_fewer_clusters(fit):
    numbers = [bg.partition(fit, a=a).n_clusters for a in (0.2, 1.0, 1.8)]
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[0] > numbers[2]


def test_rows_beyond_the_searched_ones_join_their_clusters(separated, monkeypatch):
    assert_array_equal(bg.partition(separated).labels, TRUTH)
    monkeypatch.setattr(module, "MOST_SEARCHED_ROWS", 60)
    part = bg.partition(separated)
    assert_array_equal(part.labels, TRUTH)
    assert len(part.searched) == 60
    assert bg.credible_ball(separated, clusters=part).horizontal.shape[1] == 60


def test_number_of_runs_is_positive(fit):
    with pytest.raises(ValueError, match="Expected n_runs >= 1, got 0"):
        bg.partition(fit, n_runs=0)


# Partitions of the user --------------------------------------------------------------------------


def textbook_vi(one, other):
    """The variation of information in bits, by its entropies."""
    shared = mutual_info_score(one, other)
    return (entropy(np.bincount(one)) + entropy(np.bincount(other)) - 2 * shared) / np.log(2)


def own_partitions():
    rng = np.random.default_rng(7)
    return {
        "truth": TRUTH,
        "one": np.zeros(120, int),
        "each": np.arange(120),
        "random": rng.integers(0, 6, 120),
    }


@pytest.mark.parametrize("name", own_partitions())
def test_expected_loss_is_the_mean_over_draws(fit, name, monkeypatch):
    labels = own_partitions()[name]
    draws = fit.allocations().reshape(-1, 120)
    expected = np.mean([textbook_vi(labels, one) for one in draws])
    assert_close(bg.expected_loss(fit, labels), expected)
    assert bg.vi_lower_bound(fit, labels) <= expected + 1e-12
    monkeypatch.setattr(module, "MOST_COUNTED", 7 * 120)
    assert_close(bg.expected_loss(fit, labels), expected)


@pytest.mark.parametrize("settings", [("vi", 1.0), ("binder", 1.0), ("vi", 0.6)], ids=str)
def test_expected_loss_of_the_partition_is_what_it_says(fit, settings):
    found = bg.partition(fit, *settings)
    assert_close(bg.expected_loss(fit, found.labels, *settings), found.expected_loss)
    assert bg.expected_loss(fit, TRUTH, *settings) >= found.expected_loss - 1e-12


def test_the_bound_is_below_the_loss_of_draws_that_differ_and_is_the_loss_where_they_agree(fit):
    labels = own_partitions()["random"]
    assert bg.vi_lower_bound(fit, labels) < bg.expected_loss(fit, labels) - 0.01
    point = bg.fit(fit.data, bg.MixtureSpec.maximum_likelihood(3), engine=bg.EM(progress=False))
    still = replace(
        fit,
        scaled=jax.tree.map(lambda leaf: np.repeat(leaf[None, None], 3, 1), point.scaled),
        log_likelihood=np.zeros((1, 3)),
        label_key=None,
        model=point.model,
    )
    for one in (point, still):
        assert_close(bg.vi_lower_bound(one, labels), bg.expected_loss(one, labels))


def test_labels_may_have_any_names(fit):
    names = np.array(["Adelie", "Gentoo", "Chinstrap"])[TRUTH]
    forms = [names, names.tolist(), pd.Series(names), pd.Categorical(names), 5 - 100 * TRUTH]
    for ask in (bg.expected_loss, bg.vi_lower_bound):
        assert_close([ask(fit, form) for form in forms], np.repeat(ask(fit, TRUTH), len(forms)))


NOT_LABELS = {
    "short": (TRUTH[:-1], r"got shape \(119,\)"),
    "table": (TRUTH[:, None], r"got shape \(120, 1\)"),
    "nan": (np.where(TRUTH == 2, np.nan, TRUTH), "got 20 missing"),
    "none": ([*TRUTH[:-1].astype(str), None], "got 1 missing"),
}


@pytest.mark.parametrize(("labels", "words"), NOT_LABELS.values(), ids=NOT_LABELS)
def test_every_row_has_a_label(fit, labels, words):
    for ask in (bg.expected_loss, bg.vi_lower_bound):
        with pytest.raises(ValueError, match=words) as refused:
            ask(fit, labels)
        assert_three_parts(str(refused.value), "120 fitted rows")


# The ball ----------------------------------------------------------------------------------------


def canonical(labels):
    """Labels in order of appearance, as a tuple."""
    names = list(dict.fromkeys(labels.tolist()))
    return tuple(names.index(one) for one in labels.tolist())


def brute_force(loss, centre, draws, prob):
    """Radius and the three sets of bounds by their definitions."""
    distances = losses(loss, centre[None], draws)[0].round(9)
    distance = dict(zip(map(canonical, draws), distances, strict=True))
    counts = Counter(map(canonical, draws))
    radius = next(
        r
        for r in sorted(set(distance.values()))
        if sum(n for one, n in counts.items() if distance[one] <= r) >= prob * len(draws)
    )
    inside = [one for one in counts if distance[one] <= radius]

    def farthest(some):
        most = max(distance[one] for one in some)
        return {one for one in some if distance[one] == most}

    sizes = [len(set(one)) for one in inside]
    fewest = [one for one in inside if len(set(one)) == min(sizes)]
    largest = [one for one in inside if len(set(one)) == max(sizes)]
    return radius, farthest(inside), farthest(fewest), farthest(largest)


@pytest.mark.parametrize("loss", LOSSES[:2], ids=str)
def test_ball_is_that_of_its_definition(loss):
    for seed, prob in itertools.product(range(30), (0.5, 0.8, 0.95)):
        draws = random_draws(seed)
        centre = search(loss, draws, n_runs=2).labels
        ball = ball_of_draws(loss, centre, draws, prob, np.arange(draws.shape[1]))
        radius, *bounds = brute_force(loss, centre, draws, prob)
        assert_close(ball.radius, radius, atol=1e-8)
        for ours, theirs in zip((ball.horizontal, ball.upper, ball.lower), bounds, strict=True):
            assert {canonical(one) for one in ours} == theirs
            assert len(ours) == len(theirs)
        assert ball.share >= prob


def test_ball_grows_with_its_probability(fit):
    clusters = bg.partition(fit)
    small, large = (bg.credible_ball(fit, prob, clusters) for prob in (0.5, 0.95))
    assert small.radius <= large.radius
    assert small.share <= large.share
    assert large.upper.max() <= large.lower.max()


@pytest.mark.parametrize("prob", [0, 1, -0.5, np.nan])
def test_probability_of_the_ball_is_between_0_and_1(fit, prob):
    with pytest.raises(ValueError, match=r"Expected prob in \(0, 1\)"):
        bg.credible_ball(fit, prob)


def test_a_point_has_no_ball():
    rows = np.random.default_rng(0).normal(size=(30, 2))
    with pytest.raises(ValueError, match="Expected a posterior"):
        bg.credible_ball(bg.fit(rows, bg.MixtureSpec.maximum_likelihood(2)))


# Co-clustering -----------------------------------------------------------------------------------


def test_co_clustering_is_the_share_of_draws_that_join_two_rows(fit):
    labels = fit.allocations().reshape(-1, 120)
    rows = np.array([3, 70, 110, 59])
    together = (labels[:, rows, None] == labels[:, None, rows]).mean(0)
    assert_close(bg.co_clustering(fit, rows), together, rtol=1e-6)
