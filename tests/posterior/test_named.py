"""Known labels name clusters: in partitions, in matching, and in what a row contributes."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from handmade import made
from quick import quick_compilation

import bayesgmm as bg
from bayesgmm.model.mixture import Mixture, Spherical
from bayesgmm.posterior.named import under_names

N, K, N_DRAWS = 45, 3, 60
CENTRES = np.array([[-1.5, 0.0], [0.0, 1.2], [1.5, 0.0]])
TRUTH = np.arange(N) % K
# A row of component 1 in the midst of component 0, which all but a label gives to that.
STRAY = 16


def draws(is_free):
    """Components near their centres, those that are free in any order, in engine units."""
    random = np.random.default_rng(2)
    order = np.tile(np.arange(K), (N_DRAWS, 1))
    free = np.flatnonzero(is_free)
    order[:, free] = [random.permutation(free) for _ in range(N_DRAWS)]
    means = CENTRES[order] + 0.02 * random.normal(size=(N_DRAWS, K, 2))
    log_weights = np.log(random.dirichlet(np.full(K, 50.0), N_DRAWS))
    mixture = Mixture(log_weights, means, Spherical(np.full((N_DRAWS, K), 0.2)))
    return order, jax.tree.map(lambda leaf: leaf.reshape(2, -1, *leaf.shape[1:]), mixture)


def fit_of(labels, holes=False):
    order, mixture = draws(~np.isin(np.arange(K), labels))
    random = np.random.default_rng(3)
    rows = CENTRES[TRUTH] + 0.2 * random.normal(size=(N, 2))
    rows[STRAY] = CENTRES[0]
    if holes:
        rows[3::9, 1] = np.nan
    fit = made(mixture, "spherical", "posterior", 40 + 7 * rows, ("a", "b"))
    centre, scale = fit.model.affine
    # As if the rows' own units were the engine's.
    scaled = fit.scaled._replace(
        means=(40 + 7 * fit.scaled.means - centre) / scale,
        covariance=Spherical(fit.scaled.covariance.scales * 7 / scale),
    )
    key = np.asarray(jax.random.key_data(jax.random.key(5)))
    data = bg.Dataset.from_array(fit.data.values, names=("a", "b"), labels=labels)
    fit = replace(fit, scaled=scaled, data=data, label_key=key)
    counts = (fit.allocations()[..., None] == np.arange(K)).sum(-2)
    return order, replace(fit, counts=counts)


@pytest.fixture(scope="module", params=["some", "all"])
def case(request):
    names = [2, 1] if request.param == "some" else [0, 1, 2]
    labels = np.where(np.isin(TRUTH, names) & (np.arange(N) < 9), TRUTH, -1)
    labels[STRAY] = 1
    with quick_compilation():
        return labels, *fit_of(labels, holes=True)


def test_components_keep_their_names_and_the_others_follow(case):
    labels, order, fit = case
    names = np.unique(labels[labels >= 0])
    expected = [*names, *np.setdiff1d(np.arange(K), names)]
    for method in ("ecr", "stephens", "centroids"):
        with quick_compilation():
            found = bg.relabel(fit, method)
        assert found.is_identified
        assert found.non_permutation_rate == 0
        of_clusters = np.take_along_axis(order[found.draws], found.components, 1)
        np.testing.assert_array_equal(of_clusters, np.tile(expected, (len(found.draws), 1)))


def test_rows_with_a_known_label_are_in_the_cluster_of_its_name(case):
    labels, _, fit = case
    with quick_compilation():
        clusters = bg.partition(fit)
        belongs = bg.membership(fit, clusters, fit.data.values)
    names = np.unique(labels[labels >= 0])
    rank = np.searchsorted(names, labels[labels >= 0])
    np.testing.assert_array_equal(clusters.labels[labels >= 0], rank)
    truth = np.array([*names, *np.setdiff1d(np.arange(K), names)])[clusters.labels]
    np.testing.assert_array_equal(truth, TRUTH)
    others = np.arange(N) != STRAY
    np.testing.assert_array_equal(belongs.mean.argmax(1)[others], clusters.labels[others])
    assert belongs.mean[STRAY].max() > 0.99


def test_a_known_row_contributes_its_component_only(case):
    """In plain NumPy, with the cells that are there."""
    labels, _, fit = case
    with quick_compilation():
        found = bg.pointwise_log_likelihood(fit)
    x, mixture = fit.data.values, fit.mixture
    for n in (0, 1, 3, 12, STRAY, N - 1):
        there = ~np.isnan(x[n])
        scales = mixture.covariance.scales
        squared = ((x[n] - mixture.means)[..., there] ** 2).sum(-1) / scales**2
        joint = (
            mixture.log_weights - squared / 2 - there.sum() * np.log(scales * np.sqrt(2 * np.pi))
        )
        expected = np.logaddexp.reduce(joint, -1) if labels[n] < 0 else joint[..., labels[n]]
        np.testing.assert_allclose(found[..., n], expected, rtol=1e-9)


def test_labels_that_share_a_cluster_are_parted(case):
    """Clusters 0 and 1 hold the known rows of three labels; the third has one of its own."""
    _, _, fit = case
    labels = np.full(N, -1)
    labels[[0, 1, 2, 3, 4, 5]] = [7, 7, 3, 5, 5, 3]
    data = bg.Dataset.from_array(fit.data.values, labels=labels)
    clusters = np.zeros(N, int)
    clusters[[3, 4, 10]] = 1
    clusters[20:] = 2
    named = under_names(replace(fit, data=data), clusters)
    np.testing.assert_array_equal(named[[0, 1, 2, 3, 4, 5]], [2, 2, 0, 1, 1, 0])
    assert named[10] == 1
    assert (named[20:] == 3).all()
    assert set(named[6:10]) == {named[6]} <= {0, 2}


def test_weighted_rows_have_no_leave_one_out(case):
    fit = case[2]
    data = bg.Dataset.from_array(fit.data.values, weights=np.full(N, 2.0))
    for criterion in (bg.loo, bg.waic):
        with pytest.raises(ValueError, match=r"count once each, got row weights.*np\.repeat"):
            criterion(replace(fit, data=data))
