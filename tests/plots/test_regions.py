import numpy as np
import pytest
from matplotlib.colors import to_rgb
from textbook import assert_close

import bayesgmm as bg
from bayesgmm.plots.regions import probabilities
from bayesgmm.plots.style import colour
from bayesgmm.plots.view import view_of


def plane(rows):
    return bg.fit(rows[:, :2], bg.MixtureSpec.maximum_likelihood(2), engine=bg.EM())


def test_probabilities_are_those_of_membership(rows):
    fit = plane(rows)
    found, points = bg.partition(fit), rows[:25, :2]
    expected = bg.membership(fit, found, points).mean
    assert_close(probabilities(fit, found, view_of(fit, None), 50, points).T, expected, atol=1e-12)


def test_draws_are_averaged(posterior):
    found = bg.partition(posterior)
    view = view_of(posterior, None)
    points = view.rows(posterior.data.values)[:10]
    every = probabilities(posterior, found, view, len(found.draws), points)
    assert_close(every.sum(0), np.ones(10))
    assert every.shape == (found.n_clusters, 10)
    assert np.abs(probabilities(posterior, found, view, 10, points) - every).max() < 0.1


def test_each_side_has_the_colour_of_its_cluster(rows):
    fit = plane(rows)
    ax = bg.plots.regions(fit)
    image = ax.images[0].get_array()
    colours = {tuple(np.round(cell, 6)) for cell in image[..., :3].reshape(-1, 3)}
    assert colours == {tuple(np.round(to_rgb(colour(j)), 6)) for j in range(2)}
    # Far from the border a cell is as strong as any, at the border the palest.
    assert image[..., 3].max() > 0.4
    assert image[..., 3].min() < 0.1


def test_one_column_is_refused(line, point):
    with pytest.raises(ValueError, match="Expected two columns for a picture in the plane"):
        bg.plots.regions(line)
    with pytest.raises(ValueError, match="Expected n_draws >= 1"):
        bg.plots.regions(point, n_draws=0)
