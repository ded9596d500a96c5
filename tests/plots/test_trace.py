import matplotlib.pyplot as plt
import numpy as np
import pytest

import bayesgmm as bg
from bayesgmm.plots.trace import draw_ranks


def test_a_line_per_chain_and_ticks_for_divergences(posterior):
    axes = bg.plots.trace(posterior)
    assert axes.shape == (2, 2)
    lines = axes[0, 0].lines
    for line, values in zip(lines[:2], posterior.log_likelihood, strict=True):
        np.testing.assert_array_equal(line.get_ydata(), values)
    assert lines[2].get_xdata().tolist() == [7]
    assert [ax.get_ylabel() for ax in axes[:, 0]] == ["log-likelihood", "clusters $K_+$"]


def test_ranks_of_equal_chains_are_level():
    _, ax = plt.subplots()
    draw_ranks(np.stack([np.arange(0, 400, 2), np.arange(1, 400, 2)]), ax)
    assert len(ax.patches) == 2 * 20
    np.testing.assert_allclose([bar.get_height() for bar in ax.patches], 1.0, atol=0.11)


def test_a_point_shows_its_history(point):
    axes = bg.plots.trace(point)
    assert axes.shape == (1, 1)
    np.testing.assert_array_equal(
        axes[0, 0].lines[0].get_ydata(), np.atleast_1d(point.history["log_likelihood"])
    )
    assert axes[0, 0].get_xlabel() == "updates"


def test_given_axes_are_used_and_returned(posterior, point):
    _, axes = plt.subplots(2, 2)
    assert (bg.plots.trace(posterior, ax=axes) == axes).all()
    _, ax = plt.subplots()
    assert bg.plots.trace(point, ax=ax)[0, 0] is ax


def test_other_numbers_of_axes_are_refused(posterior, point):
    _, axes = plt.subplots(1, 3)
    with pytest.raises(ValueError, match="four axes"):
        bg.plots.trace(posterior, ax=axes)
    with pytest.raises(ValueError, match="one axes"):
        bg.plots.trace(point, ax=axes)
