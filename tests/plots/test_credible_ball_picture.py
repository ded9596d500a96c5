import matplotlib.pyplot as plt
import numpy as np
import pytest

import bayesgmm as bg
from bayesgmm.plots.recolour import renamed


def test_four_partitions_of_all_rows(posterior):
    ball = bg.credible_ball(posterior, 0.9)
    axes = bg.plots.credible_ball(posterior, ball=ball)
    for ax in axes:
        assert sum(len(one.get_offsets()) for one in ax.collections) == 100
    titles = [ax.get_title() for ax in axes]
    assert titles[0] == "representative:\n2 clusters"
    assert titles[2] == f"fewest clusters within 90%:\n{ball.upper[0].max() + 1} cluster" + (
        "s" if ball.upper[0].max() else ""
    )


def test_clusters_keep_their_colours():
    centre = np.array([0, 0, 0, 1, 1, 2])
    np.testing.assert_array_equal(renamed(np.array([5, 5, 5, 3, 3, 1]), centre), centre)
    split = renamed(np.array([0, 0, 9, 1, 1, 2]), centre)
    np.testing.assert_array_equal(split, [0, 0, 3, 1, 1, 2])
    np.testing.assert_array_equal(renamed(np.array([4, 4, 4, 4, 4, 7]), centre), [0] * 5 + [2])


def test_a_point_and_wrong_axes_are_refused(point, posterior):
    with pytest.raises(ValueError, match="does not know how far partitions may be"):
        bg.plots.credible_ball(point)
    with pytest.raises(ValueError, match="Expected 4 axes, got 1"):
        bg.plots.credible_ball(posterior, axes=plt.subplots()[1])
