from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.patches import StepPatch

import bayesgmm as bg


def legend_of(ax):
    return {text.get_text() for text in ax.get_legend().get_texts()}


@pytest.fixture
def with_prior(posterior):
    """The same draws of a model with a prior on the weights."""
    spec = bg.MixtureSpec(2)
    return replace(posterior, model=replace(posterior.model, spec=spec, weights=spec.weights))


def test_bars_are_the_posterior_and_dots_the_chains(posterior):
    ax = bg.plots.n_clusters(posterior)
    heights = [bar.get_height() for bar in ax.patches]
    np.testing.assert_allclose(heights, [1 / 60, 59 / 60])
    assert [line.get_ydata().tolist() for line in ax.lines] == [[1 / 30, 29 / 30], [0, 1]]
    assert legend_of(ax) == {"posterior", "chain 0", "chain 1"}


def test_steps_are_the_prior_of_the_same_numbers(with_prior):
    ax = bg.plots.n_clusters(with_prior)
    expected = bg.prior_of_clusters(bg.MixtureSpec(2), 100).loc[1:2]
    steps = [patch for patch in ax.patches if isinstance(patch, StepPatch)]
    assert len(steps) == 2
    for patch in steps:
        values, edges, _ = patch.get_data()
        np.testing.assert_allclose(values, expected)
        np.testing.assert_array_equal(edges, [0.5, 1.5, 2.5])
    assert legend_of(ax) == {"posterior", "prior", "chain 0", "chain 1"}


def test_the_prior_may_be_left_out(with_prior, posterior):
    ax = bg.plots.n_clusters(with_prior, prior=False)
    assert len(ax.patches) == len(bg.plots.n_clusters(posterior).patches) == 2


def test_ticks_are_whole_numbers(posterior):
    np.testing.assert_array_equal(bg.plots.n_clusters(posterior).get_xticks(), [1, 2])


def test_given_axes_are_used_and_returned(posterior):
    _, ax = plt.subplots()
    assert bg.plots.n_clusters(posterior, ax=ax) is ax


def test_a_point_is_refused(point):
    with pytest.raises(ValueError, match="point fit"):
        bg.plots.n_clusters(point)
