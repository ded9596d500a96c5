"""Known permutations are undone, and clusters that cannot be named are refused."""

from dataclasses import replace

import arviz as az
import jax
import numpy as np
import pytest
from clustered import handmade, shuffled
from numpy.testing import assert_array_equal
from quick import quick_compilation, slow_after
from textbook import assert_close

import bayesgmm as bg

METHODS = ("ecr", "stephens", "centroids")
FAMILIES = ("full", "tied", "diag", "spherical")
TRUTH = np.repeat([0, 1, 2], [60, 40, 30])
CENTRES = np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]])


def sample(rows, **settings):
    spec = bg.MixtureSpec(**settings)
    engine = bg.Gibbs(n_chains=2, n_warmup=200, n_draws=400, thin=1, progress=False)
    with quick_compilation():
        return bg.fit(rows, spec, engine=engine, seed=0)


def rows_around(centres, seed=1):
    return np.random.default_rng(seed).normal(centres[TRUTH])


@pytest.fixture(scope="module")
def fits():
    rows = rows_around(CENTRES)
    return {family: handmade(rows, TRUTH, [1.0, 1.0, 1.0], family) for family in FAMILIES}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("family", FAMILIES)
def test_known_permutations_are_undone(fits, family, method):
    fit = fits[family]
    before = bg.relabel(fit, method)
    switched, order = shuffled(fit)
    after = bg.relabel(switched, method)
    known = np.take_along_axis(order.reshape(-1, 3), after.components, 1)
    assert_array_equal(known, before.components)
    for ours, theirs in zip(
        jax.tree.leaves(after.mixture), jax.tree.leaves(before.mixture), strict=True
    ):
        assert_array_equal(ours, theirs)
    assert after.is_identified
    assert after.non_permutation_rate == 0


@pytest.mark.parametrize("method", METHODS)
def test_means_of_symmetric_modes_do_not_average_to_the_middle(method):
    truth = np.repeat([0, 1], 50)
    x = np.random.default_rng(0).normal(8.0 * truth - 4)[:, None]
    switched, _ = shuffled(handmade(x, truth, [1.0, 1.0]))
    middle = switched.mixture.means.mean((0, 1))
    assert np.abs(middle).max() < 1
    means = bg.relabel(switched, method).mixture.means.mean(0)
    assert_close(np.sort(means.ravel()), [-4, 4], atol=1.0)


@pytest.mark.parametrize("method", METHODS)
def test_separated_clusters_have_mixed(fits, method):
    switched, _ = shuffled(fits["full"])
    found = bg.relabel(switched, method)
    means = found.mixture.means.reshape(2, -1, 6)
    assert max(az.rhat(means[..., i]) for i in range(6)) < 1.01


@pytest.mark.parametrize("method", METHODS)
def test_clusters_of_one_place_and_two_widths_are_told_apart(method):
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(150, 2)), 20 * rng.normal(size=(150, 2))])
    switched, _ = shuffled(handmade(x, np.repeat([0, 1], 150), [1.0, 20.0]))
    found = bg.relabel(switched, method)
    widths = np.linalg.norm(found.mixture.covariance.chol, axis=(-2, -1))
    assert_close(np.sort(widths.mean(0)) / np.sqrt(2), [1, 20], rtol=0.2)
    assert (widths[:, 0] > widths[:, 1]).mean() in (0, 1)


@pytest.fixture(scope="module")
def varying():
    return sample(rows_around(CENTRES), n_components="auto", max_components=6)


@pytest.mark.parametrize("method", slow_after(1, METHODS))
def test_every_draw_can_be_kept(varying, method):
    fit = varying
    modal, whole = (bg.relabel(fit, method, keep=keep) for keep in ("modal", "all"))
    assert modal.n_clusters == whole.n_clusters == 3
    assert_close(modal.share_of_draws, (fit.n_clusters == 3).mean())
    assert len(whole.draws) == 800
    assert len(modal.draws) < 800
    assert_array_equal(whole.components[modal.draws], modal.components)
    fewer = fit.n_clusters.ravel() < 3
    assert_array_equal((whole.components < 0).any(1), fewer)
    assert_array_equal(np.isnan(whole.mixture.means).any((1, 2)), fewer)


def test_fewer_clusters_than_asked_for_leave_some_without_a_component(varying):
    most = int(varying.n_clusters.max())
    found = bg.relabel(varying, n_clusters=most, keep="all")
    lacking = (found.components < 0).sum(1)
    assert_array_equal(lacking, most - varying.n_clusters.ravel())


def test_names_are_those_of_the_partition(fits):
    switched, _ = shuffled(fits["diag"])
    clusters = bg.partition(switched)
    found = bg.relabel(switched, clusters=clusters)
    rows = np.asarray(switched.data.values)
    centres = [rows[clusters.labels == j].mean(0) for j in range(3)]
    assert_close(found.mixture.means.mean(0), centres, atol=0.5)


@pytest.mark.slow
def test_clusters_that_overlap_are_not_named():
    x = np.random.default_rng(0).normal(size=(60, 2))
    fit = sample(x, n_components=3)
    found = bg.relabel(fit, "centroids", n_clusters=3)
    assert found.non_permutation_rate > 0.1
    assert not found.is_identified
    with pytest.raises(ValueError, match=r"not identified: in \d+% of the draws two components"):
        found.require_identified()


def test_chains_with_different_numbers_of_clusters_are_not_named(fits):
    fit = fits["full"]
    counts = fit.counts.copy()
    counts[1, :, 0] += counts[1, :, 1]
    counts[1, :, 1] = 0
    found = bg.relabel(replace(fit, counts=counts), n_clusters=3)
    assert "chains hold that number of clusters in [400, 0] draws" in found.reason


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "mode"}, r"Expected method to be one of .* got 'mode'"),
        ({"keep": "some"}, r"Expected keep to be one of .* got 'some'"),
        ({"n_clusters": 7}, r"Expected n_clusters to be one of \[3\], .* got 7"),
    ],
)
def test_unknown_settings_are_refused(fits, settings, message):
    with pytest.raises(ValueError, match=message):
        bg.relabel(fits["full"], **settings)


def test_a_point_has_one_numbering():
    x = np.random.default_rng(0).normal(size=(30, 2))
    with pytest.raises(ValueError, match="Expected a posterior"):
        bg.relabel(bg.fit(x, bg.MixtureSpec.maximum_likelihood(2)))


@pytest.mark.slow
@pytest.mark.parametrize("covariance", ["full", "tied"])
def test_chains_of_a_sampler_agree_cluster_by_cluster_once_relabelled(covariance):
    """Three clear clusters, four chains from different starts, each with names of its own."""
    centres = np.repeat([[0.0, 0.0], [8.0, 0.0], [0.0, 8.0]], [80, 100, 120], 0)
    rows = np.random.default_rng(6).normal(centres)
    spec = bg.MixtureSpec(covariance=covariance)
    fit = bg.fit(rows, spec, engine=bg.Gibbs(n_draws=2000, progress=False), seed=2)
    unnamed = [float(az.rhat(fit.mixture.means[..., k, 0])) for k in range(3)]
    assert max(unnamed) > 1.05
    for method in ("ecr", "stephens", "centroids"):
        table = bg.summary(fit, method)
        of_clusters = table[table.index.str.startswith(("weight[", "mean[", "sd["))]
        assert len(of_clusters) == 3 + 3 * 2 * 2
        assert (of_clusters["r_hat"] < 1.01).all()
