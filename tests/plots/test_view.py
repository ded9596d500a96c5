import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from textbook import assert_close

import bayesgmm as bg
from bayesgmm.plots.marginal import marginal
from bayesgmm.plots.view import plane_of, view_of


def covariances(fit):
    chol = np.asarray(fit.mixture.covariance.chol)
    return chol @ chol.swapaxes(1, 2)


def test_columns_are_seen_as_they_are(point, rows):
    view = view_of(point, ["depth", "length"])
    assert view.names == ("depth", "length")
    np.testing.assert_array_equal(view.rows(rows), rows[:, [2, 0]])
    seen = marginal(point, np.arange(1), view)
    assert_close(seen.means[0], point.mixture.means[:, [2, 0]])
    assert_close(seen.covariances[0], covariances(point)[:, [2, 0]][:, :, [2, 0]])


def test_principal_components_are_those_of_scikit_learn(point, rows):
    expected = PCA(2).fit(StandardScaler().fit_transform(rows))
    view = view_of(point, "pca")
    scores = expected.transform(StandardScaler().fit_transform(rows))
    found = view.rows(rows)
    assert_close(found * np.sign((found * scores).sum(0)), scores, atol=1e-12)
    shares = expected.explained_variance_ratio_
    assert view.names == tuple(f"principal component {i + 1} ({shares[i]:.0%})" for i in range(2))


def test_components_are_seen_as_rows_drawn_from_them_would_be(point):
    view = view_of(point, "pca")
    seen = marginal(point, np.arange(1), view)
    for k, dense in enumerate(covariances(point)):
        assert_close(seen.means[0, k], view.rows(point.mixture.means[k][None])[0])
        assert_close(seen.covariances[0, k], view.matrix.T @ dense @ view.matrix)


def test_a_cell_that_is_not_looked_at_may_be_missing(rows):
    holes = rows.copy()
    holes[3, 2] = np.nan
    spec = bg.MixtureSpec.maximum_likelihood(2)
    fit = bg.fit(holes, spec, engine=bg.EM())
    assert np.isfinite(view_of(fit, None).rows(holes)).all()
    seen = view_of(fit, "pca").rows(holes)
    assert np.isnan(seen[3]).all()
    assert np.isfinite(np.delete(seen, 3, 0)).all()


def test_rows_count_by_their_weights(rows):
    repeated = np.repeat(rows, 1 + np.arange(len(rows)) % 3, axis=0)
    spec, weights = bg.MixtureSpec.maximum_likelihood(2), 1 + np.arange(len(rows)) % 3
    weighted = bg.fit(rows, spec, engine=bg.EM(), sample_weight=weights)
    found = view_of(weighted, "pca")
    expected = view_of(bg.fit(repeated, spec, engine=bg.EM()), "pca")
    assert_close(found.matrix, expected.matrix, atol=1e-12)


@pytest.mark.parametrize("columns", [["height"], ["length"] * 3, []])
def test_columns_that_cannot_be_drawn_are_refused(point, columns):
    with pytest.raises(ValueError, match="Expected columns to be one or two of"):
        view_of(point, columns)


def test_a_plane_needs_two_columns(point, line):
    with pytest.raises(ValueError, match="Expected two columns for a picture in the plane"):
        plane_of(point, ["length"])
    with pytest.raises(ValueError, match="Expected two columns or more for columns='pca'"):
        plane_of(line, "pca")
