import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

import bayesgmm as bg
from bayesgmm.plots.style import colour


def labels_drawn(ax, rows):
    """Colour of each row."""
    found = np.full(len(rows), "", dtype=object)
    for one in ax.collections:
        if one.get_gid() == "rows" and len(one.get_offsets()):
            is_here = (rows[:, None] == np.asarray(one.get_offsets())).all(2).any(1)
            found[is_here] = str(one.get_edgecolors()[0])
    return found


def test_both_partitions_are_drawn(rows):
    fit = bg.fit(rows[:, :2], bg.MixtureSpec.maximum_likelihood(2), engine=bg.EM())
    left, right = bg.plots.kmeans(fit)
    expected = KMeans(2, n_init=10, random_state=0).fit_predict(rows[:, :2])
    assert adjusted_rand_score(labels_drawn(left, rows[:, :2]), expected) == 1
    assert adjusted_rand_score(labels_drawn(right, rows[:, :2]), bg.partition(fit).labels) == 1
    assert len(left.images) == len(right.images) == 1
    assert left.get_title() == "k-means, 2 clusters"
    assert colour(0) != colour(1)


def test_with_more_columns_k_means_has_no_regions(point):
    left, right = bg.plots.kmeans(point, columns="pca")
    assert not left.images
    assert len(right.images) == 1


def test_missing_cells_and_wrong_axes_are_refused(rows, point):
    holes = rows.copy()
    holes[0, 0] = np.nan
    fit = bg.fit(holes, bg.MixtureSpec.maximum_likelihood(2), engine=bg.EM())
    with pytest.raises(ValueError, match="Expected whole rows"):
        bg.plots.kmeans(fit)
    with pytest.raises(ValueError, match="Expected 2 axes, got 1"):
        bg.plots.kmeans(point, axes=plt.subplots()[1])
