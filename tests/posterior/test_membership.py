import warnings
from dataclasses import replace

import numpy as np
import pytest
from clustered import handmade, shuffled
from scipy.stats import multivariate_normal, norm
from textbook import assert_close

import bayesgmm as bg
from bayesgmm.posterior.partition import shares_of

TRUTH = np.repeat([0, 1, 2], [60, 40, 30])
CENTRES = np.array([[0.0, 0.0], [3.5, 0.0], [0.0, 6.0]])
NEW = np.array([[0.5, 0.2], [1.7, 0.1], [2.0, 2.0], [0.0, 3.1]])


@pytest.fixture(scope="module")
def fit():
    rows = np.random.default_rng(1).normal(CENTRES[TRUTH])
    return shuffled(handmade(rows, TRUTH, [1.0, 1.0, 1.0]))[0]


@pytest.fixture(scope="module")
def clusters(fit):
    return bg.partition(fit)


def responsibilities(fit, clusters):
    """p(cluster | x, draw) of the new rows in SciPy, (S, M, K), clusters as the partition names them."""
    draws = bg.relabel(fit, clusters=clusters).mixture
    covariances = draws.covariance.chol @ draws.covariance.chol.swapaxes(-1, -2)
    densities = [
        [multivariate_normal(m, c).pdf(NEW) for m, c in zip(*draw, strict=True)]
        for draw in zip(draws.means, covariances, strict=True)
    ]
    joint = np.exp(draws.log_weights)[:, None] * np.swapaxes(densities, 1, 2)
    return joint / joint.sum(2, keepdims=True)


def test_means_and_intervals_are_those_of_the_responsibilities(fit, clusters):
    found = bg.membership(fit, clusters, NEW, interval=0.8)
    expected = responsibilities(fit, clusters)
    assert_close(found.mean, expected.mean(0), rtol=1e-8)
    assert_close(found.lower, np.quantile(expected, 0.1, 0), rtol=1e-8)
    assert_close(found.upper, np.quantile(expected, 0.9, 0), rtol=1e-8)
    assert_close(found.mean.sum(1), np.ones(4))
    assert_close(found.unknown, np.zeros(4))


def test_entropy_is_in_bits(fit, clusters):
    found = bg.membership(fit, clusters, NEW)
    assert_close(found.entropy, -(found.mean * np.log2(found.mean)).sum(1))
    halves = found._replace(mean=np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]))
    assert_close(halves.entropy, [1.0, 0.0])


def test_a_component_without_rows_is_none_of_the_clusters():
    rows = np.random.default_rng(1).normal(CENTRES[TRUTH])
    fit = handmade(rows, TRUTH, [1.0, 1.0, 1.0])
    means, log_weights = fit.scaled.means.copy(), fit.scaled.log_weights.copy()
    # The third component moves to where no row is; the other two have the rest of the weight.
    means[..., 2, :] = fit.model.affine.forward(np.array([40.0, 40.0]))
    log_weights[:] = np.log([0.6, 0.3, 0.1])
    fit = replace(fit, scaled=fit.scaled._replace(means=means, log_weights=log_weights))
    found = bg.membership(fit, bg.partition(fit), [[0.0, 0.0], [40.0, 40.0], [1e6, 1e6]])
    assert_close(found.unknown[:2], [0.0, 1.0], atol=1e-12)
    assert_close(found.mean.sum(1), np.ones(3))


def test_share_of_a_component_is_the_cluster_it_has_most_rows_of():
    counts = np.array([[[9, 1], [2, 8], [0, 0]]])
    assert_close(shares_of(counts), [[[1, 0], [0, 1], [0, 0]]])


def test_parts_of_a_split_cluster_both_stand_for_it():
    counts = np.array([[[6, 1], [3, 0], [1, 8]]])
    assert_close(shares_of(counts), [[[1, 0], [1, 0], [0, 1]]])


def test_merged_clusters_share_their_component_by_rows():
    counts = np.array([[[9, 3, 0], [1, 0, 8]]])
    assert_close(shares_of(counts), [[[0.75, 0.25, 0], [0, 0, 1]]])


@pytest.mark.parametrize("interval", [0, 1, 1.2, -0.1, np.nan])
def test_interval_is_between_0_and_1(fit, clusters, interval):
    with pytest.raises(ValueError, match=r"Expected interval in \(0, 1\)"):
        bg.membership(fit, clusters, NEW, interval)


def test_too_few_draws_for_an_interval_are_named(fit, clusters):
    with pytest.warns(UserWarning, match=r"Expected 2000 draws for an interval of 0.99, got 800"):
        bg.membership(fit, clusters, NEW, interval=0.99)


def test_chains_that_disagree_about_the_number_of_clusters_are_named(fit, clusters):
    counts = fit.counts.copy()
    counts[1, :, 0] += counts[1, :, 1]
    counts[1, :, 1] = 0
    with pytest.warns(UserWarning, match=r"got most often 3, 2 in each:"):
        bg.membership(replace(fit, counts=counts), clusters, NEW)


def test_chains_that_disagree_but_for_their_usual_number_are_named(fit, clusters):
    counts = fit.counts.copy()
    moved = np.arange(counts.shape[1]) % 5 < 2
    counts[1, moved, 0] += counts[1, moved, 1]
    counts[1, moved, 1] = 0
    with pytest.warns(UserWarning, match=r"got on average 3, 2\.6 in each, R-hat 1\.\d+:"):
        bg.membership(replace(fit, counts=counts), clusters, NEW)


# Coverage ----------------------------------------------------------------------------------------

N_SETS = 200
WEIGHTS, MEANS, SDS = np.array([0.6, 0.4]), np.array([0.0, 3.0]), np.array([1.0, 0.8])
PLACES = np.array([-1.0, 0.5, 1.2, 1.6, 2.0, 2.4, 3.5])


def covered(seed):
    """Which true responsibilities lie in their 90 % intervals; None if clusters are not two."""
    rng = np.random.default_rng(seed)
    label = (rng.random(300) < WEIGHTS[1]).astype(int)
    rows = rng.normal(MEANS[label], SDS[label])
    engine = bg.Gibbs(n_chains=2, n_warmup=200, n_draws=500, thin=2, progress=False)
    fit = bg.fit(rows[:, None], bg.MixtureSpec(2), engine=engine, seed=seed)
    clusters = bg.partition(fit, n_runs=2)
    if clusters.n_clusters != 2:
        return None
    found = bg.membership(fit, clusters, PLACES[:, None], interval=0.9)
    left = int(np.argmin([rows[clusters.labels == j].mean() for j in range(2)]))
    joint = WEIGHTS * norm.pdf(PLACES[:, None], MEANS, SDS)
    truth = joint[:, 0] / joint.sum(1)
    return (found.lower[:, left] <= truth) & (truth <= found.upper[:, left])


@pytest.mark.slow
def test_intervals_cover_the_truth():
    with warnings.catch_warnings():
        # Chains of a thousand sweeps may disagree now and then.
        warnings.filterwarnings("ignore", "Expected chains that agree")
        hits = [one for one in map(covered, range(N_SETS)) if one is not None]
    print(np.mean(hits, 0))
    assert len(hits) > 0.95 * N_SETS
    assert 0.85 <= np.mean(hits) <= 0.95
