import matplotlib.pyplot as plt
import numpy as np
import pytest

import bayesgmm as bg
from bayesgmm.plots.marginal import densities, ellipses, marginal
from bayesgmm.plots.style import PALETTE, colour, marker
from bayesgmm.plots.view import column_view


def collections(ax, gid):
    return [one for one in ax.collections if one.get_gid() == gid]


def legend_texts(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_a_point_has_one_ellipse_per_component(point):
    ax = bg.plots.clusters(point)
    (lines,) = collections(ax, "ellipses")
    assert len(lines.get_segments()) == 2
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("length", "width")


def test_a_posterior_has_an_ellipse_per_occupied_component_of_each_draw(posterior):
    clusters = bg.partition(posterior)
    ax = bg.plots.clusters(posterior, clusters=clusters, n_ellipses=10)
    (lines,) = collections(ax, "ellipses")
    # The first draw, which is always among the thinned ones, holds one component only.
    assert len(lines.get_segments()) == 2 * 10 - 1
    assert "90% ellipses, 10 draws" in legend_texts(ax)


def test_every_row_is_drawn_in_the_colour_of_its_cluster(point, rows):
    ax = bg.plots.clusters(point, columns=["width", "depth"])
    drawn = collections(ax, "rows")
    labels = bg.partition(point).labels
    assert [len(one.get_offsets()) for one in drawn] == np.bincount(labels).tolist()
    expected = np.sort(rows[labels == 0, 1])
    np.testing.assert_array_equal(np.sort(np.asarray(drawn[0].get_offsets())[:, 0]), expected)


def test_uncertain_rows_are_larger_and_emptier(point):
    clusters = bg.partition(point)
    certainty = bg.membership(point, clusters, point.data.values).mean.max(1)
    drawn = collections(bg.plots.clusters(point, clusters=clusters), "rows")[0]
    order = np.sort(certainty[clusters.labels == 0])[::-1]
    assert order[-1] < 0.95
    assert (np.diff(drawn.get_sizes()) >= 0).all()
    assert (np.diff(drawn.get_facecolors()[:, 3]) <= 0).all()


def test_the_legend_names_clusters_and_the_scale_of_certainty(point):
    texts = legend_texts(bg.plots.clusters(point))
    sizes = np.bincount(bg.partition(point).labels)
    assert texts[:2] == [f"cluster {j}: {n} rows" for j, n in enumerate(sizes)]
    assert "probability of its cluster" in texts


def test_given_axes_are_used_and_returned(posterior):
    _, ax = plt.subplots()
    assert bg.plots.clusters(posterior, ax=ax) is ax
    assert len(plt.get_fignums()) == 1


def test_one_column_gives_density_band_and_rug(posterior):
    ax = bg.plots.clusters(posterior, columns=["length"])
    assert {"data", "density", "90% band"} <= set(legend_texts(ax))
    assert sum(len(one.get_offsets()) for one in collections(ax, "rows")) == 100
    assert not collections(ax, "ellipses")
    assert ax.get_ylabel() == "density"


def test_a_fit_of_one_column_and_a_point_has_no_band(line):
    texts = legend_texts(bg.plots.clusters(line))
    assert "density" in texts
    assert "90% band" not in texts


def test_global_settings_are_left_alone(point):
    before = dict(plt.rcParams)
    bg.plots.clusters(point)
    assert dict(plt.rcParams) == before


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"columns": ["height"]}, "height"),
        ({"columns": ["length", "width", "depth"]}, "one or two"),
        ({"columns": []}, "one or two"),
        ({"n_ellipses": 0}, "n_ellipses"),
        ({"prob": 1.0}, "prob"),
    ],
)
def test_bad_settings_are_refused(point, settings, match):
    with pytest.raises(ValueError, match=match):
        bg.plots.clusters(point, **settings)


def test_ellipses_hold_the_probability_they_claim():
    random = np.random.default_rng(1)
    covariance = np.array([[2.0, 0.6], [0.6, 0.5]])
    (outline,) = ellipses(np.array([[1.0, -1.0]]), covariance[None], 0.9)
    n = 20_000
    x = random.multivariate_normal([1, -1], covariance, n) - [1, -1]
    distance = np.einsum("ni,ij,nj->n", x, np.linalg.inv(covariance), x)
    edge = outline - [1, -1]
    radius = np.einsum("ni,ij,nj->n", edge, np.linalg.inv(covariance), edge)
    np.testing.assert_allclose(radius, radius[0])
    # 4 standard errors of a share of 0.9.
    assert abs((distance < radius[0]).mean() - 0.9) < 4 * np.sqrt(0.09 / n)


def test_the_density_in_one_column_is_that_of_the_fit(line):
    grid = np.linspace(-3, 7, 50)
    shown = densities(marginal(line, np.array([0]), column_view(line, [0])), grid)[0]
    np.testing.assert_allclose(np.log(shown), bg.log_density(line, grid[:, None]), rtol=1e-10)


def test_colours_and_markers_part_more_clusters_than_there_are_colours():
    assert len({(colour(j), marker(j)) for j in range(20)}) == 20
    assert len(set(PALETTE)) == len(PALETTE)


def test_in_one_column_the_parts_of_the_clusters_add_up_to_the_density(line):
    ax = bg.plots.clusters(line)
    parts = [one.get_ydata() for one in ax.lines if one.get_gid() == "cluster"]
    (whole,) = (one.get_ydata() for one in ax.lines if one.get_label() == "density")
    assert len(parts) == bg.partition(line).n_clusters
    np.testing.assert_allclose(sum(parts), whole, rtol=1e-10)
