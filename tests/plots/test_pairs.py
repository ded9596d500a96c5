import matplotlib.pyplot as plt
import numpy as np
import pytest

import bayesgmm as bg


def collections(ax, gid):
    return [one for one in ax.collections if one.get_gid() == gid]


def test_pairs_lie_below_densities_and_nothing_above(posterior):
    grid = bg.plots.pairs(posterior)
    assert grid.shape == (3, 3)
    for (i, j), ax in np.ndenumerate(grid):
        assert ax.axison == (i >= j)
        assert bool(collections(ax, "rows")) == (i > j)
        assert len([line for line in ax.lines if line.get_gid() == "cluster"]) == 2 * (i == j)


def test_each_plane_shows_its_columns(point, rows):
    grid = bg.plots.pairs(point, columns=["depth", "length", "width"])
    drawn = np.concatenate([one.get_offsets() for one in collections(grid[2, 0], "rows")])
    np.testing.assert_array_equal(np.sort(drawn, 0), np.sort(rows[:, [2, 1]], 0))
    (lines,) = collections(grid[2, 0], "ellipses")
    assert len(lines.get_segments()) == 2


def test_edges_are_named_and_rows_are_level(point):
    grid = bg.plots.pairs(point)
    assert [ax.get_xlabel() for ax in grid[-1]] == ["length", "width", "depth"]
    assert [ax.get_ylabel() for ax in grid[:, 0]] == ["", "width", "depth"]
    assert grid[2, 0].get_ylim() == grid[2, 1].get_ylim()
    assert grid[1, 0].get_xlim() == grid[2, 0].get_xlim()


def test_the_legend_is_that_of_one_plane(posterior):
    texts = [text.get_text() for text in bg.plots.pairs(posterior)[0, -1].get_legend().get_texts()]
    assert texts[0].startswith("cluster 0: ")
    assert "90% ellipses, 20 draws" in texts


def test_given_axes_are_drawn_on(point):
    figure, axes = plt.subplots(2, 2)
    grid = bg.plots.pairs(point, columns=["length", "depth"], axes=axes)
    assert grid[1, 0].figure is figure
    with pytest.raises(ValueError, match=r"Expected axes of shape \(3, 3\), got \(2, 2\)"):
        bg.plots.pairs(point, axes=axes)


@pytest.mark.parametrize("columns", [["length"], ["length", "colour"], ["depth"] * 9])
def test_other_columns_are_refused(point, columns):
    with pytest.raises(ValueError, match="Expected"):
        bg.plots.pairs(point, columns=columns)
