import numpy as np
import pytest
from textbook import assert_close

import bayesgmm as bg
from bayesgmm.plots.uncertainty import silhouettes


def drawn_values(ax):
    """Values of the rows of each cluster, from the steps of its outline."""
    found = []
    for one in ax.collections:
        if one.get_gid() == "rows":
            corners = one.get_paths()[0].vertices
            steps = {round(y): x for x, y in corners if x != 0}
            found.append(sorted(steps.values()))
    return found


def test_there_is_a_silhouette_per_cluster_with_its_rows(posterior):
    found = bg.partition(posterior)
    ax = bg.plots.uncertainty(posterior, clusters=found)
    entropy = bg.membership(posterior, found, posterior.data.values).entropy
    outlines = drawn_values(ax)
    assert len(outlines) == found.n_clusters
    for j, values in enumerate(outlines):
        assert_close(max(values), entropy[found.labels == j].max())
    assert "bits" in ax.get_xlabel()
    sizes = np.bincount(found.labels)
    texts = [one.get_text() for one in ax.get_yticklabels()]
    assert [text.split(",")[0] for text in texts] == [
        f"cluster {j}\n{n} rows" for j, n in enumerate(sizes)
    ]


def test_silhouettes_compare_the_own_cluster_with_the_next():
    probabilities = np.array([[1.0, 0, 0], [0.5, 0.5, 0], [0.2, 0.7, 0.1], [0.1, 0.6, 0.3]])
    found = silhouettes(probabilities, np.array([0, 1, 1, 2]))
    assert_close(found, [1, 0, 0.5 / 0.7, -0.5])
    assert_close(silhouettes(np.ones((3, 1)), np.zeros(3, int)), np.ones(3))


def test_the_kind_decides_the_axis(point):
    ax = bg.plots.uncertainty(point, "silhouette")
    assert ax.get_xlabel().startswith("silhouette")
    with pytest.raises(ValueError, match="Expected kind to be one of"):
        bg.plots.uncertainty(point, "doubt")
