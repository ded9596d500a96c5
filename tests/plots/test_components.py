import matplotlib.pyplot as plt
import numpy as np
import pytest
from textbook import assert_close

import bayesgmm as bg
from bayesgmm.plots.components import components_by_cluster


def dots(ax):
    return np.asarray(ax.collections[-1].get_offsets())


def test_a_point_has_dots_at_its_parameters(point):
    axes = bg.plots.components(point)
    assert axes.shape == (2, 4)
    order = components_by_cluster(bg.partition(point))
    assert_close(dots(axes[0, 0])[:, 0], np.exp(point.mixture.log_weights)[order])
    lengths = np.linalg.norm(point.mixture.covariance.chol, axis=-1)
    for d, name in enumerate(point.model.names):
        assert_close(dots(axes[0, 1 + d])[:, 0], point.mixture.means[order, d])
        assert_close(dots(axes[1, 1 + d])[:, 0], lengths[order, d])
        assert axes[0, 1 + d].get_xlabel() == f"mean of {name}"
        assert axes[1, 1 + d].get_xlabel() == f"sd of {name}"


def test_components_of_a_point_have_the_names_of_their_clusters(point):
    found = bg.partition(point)
    order = components_by_cluster(found)
    labels = np.asarray(point.allocations())[0, 0]
    for j, k in enumerate(order):
        np.testing.assert_array_equal(labels == k, found.labels == j)


def test_draws_have_intervals_that_hold_their_share(posterior):
    found = bg.relabel(posterior)
    axes = bg.plots.components(posterior, columns=["width"], prob=0.8)
    assert axes.shape == (2, 2)
    wide, narrow, medians = axes[0, 1].collections
    means = found.mixture.means[..., 1]
    assert_close(np.asarray(medians.get_offsets())[:, 0], np.median(means, 0))
    ends = np.array([segment[:, 0] for segment in wide.get_segments()])
    assert_close(ends, np.quantile(means, [0.1, 0.9], axis=0).T)
    assert (np.array([np.ptp(s[:, 0]) for s in narrow.get_segments()]) < np.ptp(ends, 1)).all()


def test_clusters_that_have_no_names_are_refused(posterior, monkeypatch):
    monkeypatch.setattr("bayesgmm.posterior.relabel.MOST_NON_PERMUTATIONS", -1.0)
    with pytest.raises(bg.NotIdentifiedError):
        bg.plots.components(posterior)


def test_bad_settings_are_refused(point):
    with pytest.raises(ValueError, match="Expected prob in"):
        bg.plots.components(point, prob=1.0)
    with pytest.raises(ValueError, match="Expected columns to be one to 3 of"):
        bg.plots.components(point, columns=["height"])
    with pytest.raises(ValueError, match=r"Expected axes of shape \(2, 4\)"):
        bg.plots.components(point, axes=plt.subplots(2, 2)[1])
