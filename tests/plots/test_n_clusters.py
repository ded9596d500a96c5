import matplotlib.pyplot as plt
import numpy as np
import pytest

import bayesgmm as bg


def test_bars_are_the_posterior_and_dots_the_chains(posterior):
    ax = bg.plots.n_clusters(posterior)
    heights = [bar.get_height() for bar in ax.patches]
    np.testing.assert_allclose(heights, [1 / 60, 59 / 60])
    assert [line.get_ydata().tolist() for line in ax.lines] == [[1 / 30, 29 / 30], [0, 1]]
    assert ax.get_ylabel() == "posterior probability"


def test_ticks_are_whole_numbers(posterior):
    np.testing.assert_array_equal(bg.plots.n_clusters(posterior).get_xticks(), [1, 2])


def test_given_axes_are_used_and_returned(posterior):
    _, ax = plt.subplots()
    assert bg.plots.n_clusters(posterior, ax=ax) is ax


def test_a_point_is_refused(point):
    with pytest.raises(ValueError, match="point fit"):
        bg.plots.n_clusters(point)
