from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from quick import quick_compilation

import bayesgmm as bg


@pytest.fixture(scope="module")
def merged(rows):
    labels = np.arange(100) * 4 // 100
    engine = bg.EM(start=np.eye(4)[labels], max_iter=0)
    with quick_compilation():
        fit = bg.fit(rows, bg.MixtureSpec.maximum_likelihood(4), engine=engine)
        return bg.merge_components(fit)


def line_of(ax):
    (line,) = (line for line in ax.lines if line.get_label() == "entropy")
    return line


def test_both_curves_are_the_entropy(merged):
    left, right = bg.plots.merging(merged)
    for ax in (left, right):
        np.testing.assert_array_equal(line_of(ax).get_ydata(), merged.entropy[::-1])
    np.testing.assert_array_equal(line_of(left).get_xdata(), [1, 2, 3, 4])
    np.testing.assert_allclose(np.diff(line_of(right).get_xdata()), merged.n_merged[::-1])
    assert [text.get_text() for text in right.texts] == ["1", "2", "3", "4"]


def test_segments_meet_at_the_suggested_number(merged):
    for ax, normalised in zip(bg.plots.merging(merged), (False, True), strict=True):
        bend = merged.elbow(normalised=normalised)
        (ring,) = (line for line in ax.lines if line.get_gid() == "bend")
        assert ring.get_ydata()[0] == merged.entropy[::-1][bend.point]
        segments = [line for line in ax.lines if line.is_dashed() and len(line.get_xdata())]
        for line, fitted in zip(segments, (bend.left, bend.right), strict=True):
            np.testing.assert_allclose(line.get_ydata(), fitted.at(line.get_xdata()))


def test_two_components_have_no_segments(merged):
    two = replace(merged, entropy=merged.entropy[2:], n_merged=merged.n_merged[2:])
    for ax in bg.plots.merging(two):
        assert [line.get_label() for line in ax.lines] == ["entropy"]


def test_given_axes_are_used_and_others_refused(merged):
    _, axes = plt.subplots(1, 2)
    assert (bg.plots.merging(merged, ax=axes) == axes).all()
    with pytest.raises(ValueError, match="Expected two axes, got 1"):
        bg.plots.merging(merged, ax=axes[0])
