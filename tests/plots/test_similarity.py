import sys

import numpy as np
import pytest
from textbook import assert_close

import bayesgmm as bg


def blocks(ax):
    return [one for one in ax.patches if one.get_gid() == "block"]


def test_the_matrix_is_that_of_the_posterior_ordered_by_cluster(posterior):
    found = bg.partition(posterior)
    ax = bg.plots.similarity(posterior, clusters=found)
    drawn = ax.images[0].get_array()
    expected = bg.co_clustering(posterior)
    assert_close(np.sort(drawn.ravel()), np.sort(expected.ravel()))
    # Rows of the first cluster come first: their mutual probabilities fill the first block.
    n_first = int((found.labels == 0).sum())
    inside = found.labels == 0
    assert_close(
        drawn[:n_first, :n_first].mean(), expected[np.ix_(inside, inside)].mean(), rtol=1e-5
    )


def test_each_cluster_has_a_block_of_its_size(posterior):
    found = bg.partition(posterior)
    ax = bg.plots.similarity(posterior, clusters=found)
    assert [one.get_width() for one in blocks(ax)] == np.bincount(found.labels).tolist()
    assert [one.get_text() for one in ax.get_yticklabels()] == ["cluster 0", "cluster 1"]


def test_some_rows_only(posterior):
    ax = bg.plots.similarity(posterior, rows=np.arange(20))
    assert ax.images[0].get_array().shape == (20, 20)
    assert ax.get_xlabel().startswith("20 of 100 rows")


def test_of_many_rows_some_of_each_cluster(posterior, monkeypatch):
    monkeypatch.setattr(sys.modules["bayesgmm.plots.similarity"], "MOST_ROWS", 30)
    found = bg.partition(posterior)
    ax = bg.plots.similarity(posterior, clusters=found)
    assert ax.images[0].get_array().shape == (30, 30)
    sizes = np.array([one.get_width() for one in blocks(ax)])
    assert np.abs(sizes / 30 - np.bincount(found.labels) / 100).max() < 0.05


def test_a_point_is_refused(point):
    with pytest.raises(ValueError, match="does not know how often rows go together"):
        bg.plots.similarity(point)
