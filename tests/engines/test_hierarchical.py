"""The merge tree: each merge the cheapest of all pairs, mclust's partitions, starts cut from it."""

import numpy as np
import pytest
import textbook as tb
from quick import quick_compilation
from scipy.cluster.hierarchy import fcluster, linkage
from textbook import assert_close, assert_three_parts

import bayesgmm as bg
from bayesgmm.engines import filling, hierarchical, starts
from bayesgmm.engines.hierarchical import decorrelated, dendrogram, merge_tree


@pytest.fixture(autouse=True)
def _quick():
    with quick_compilation():
        yield


def drawn():
    """Three clusters of different shapes in three columns."""
    rng = np.random.default_rng(5)
    return np.concatenate(
        [
            rng.normal(size=(30, 3)) * [1, 3, 1],
            rng.normal(size=(25, 3)) * [2, 0.5, 1] + [4, 4, 0],
            rng.normal(size=(20, 3)) * [0.5, 0.5, 2] + [-3, 4, 3],
        ]
    )


def iris():
    return bg.datasets.iris().frame.select_dtypes("number").to_numpy()


def pairs_of(labels):
    """Which rows go together, whatever the clusters are called."""
    labels = np.asarray(labels)
    return labels[:, None] == labels


# mclust ------------------------------------------------------------------------------------------

# hclass(hc(x, modelName), K) of mclust 6.0.0; "VVV" with use = "SVD", "EII" with use = "VARS".
MCLUST = {
    ("iris", "VVV", 3): (
        "111111111111111111111111111111111111111112111111113232322232222223222223223"
        "333222222223222222222232232322323233232232332323233222333222332233323332332"
    ),
    ("iris", "VVV", 6): (
        "122211112211221111111111121112211122112113211212114543455345353554533354554"
        "444533335554353553355543565655454566565565443654564555444555465566656665665"
    ),
    (
        "drawn",
        "VVV",
        3,
    ): "121121111111121111122211111111222222222222222222222222233333333332333333333",
    (
        "drawn",
        "VVV",
        8,
    ): "121323443141123313122244114334525556665665556666665552578877887772778787777",
    (
        "drawn",
        "EII",
        3,
    ): "121121112111121111122211111111323333333333333333333333322222222222222222222",
    (
        "drawn",
        "EII",
        8,
    ): "121324332141124334122233113443525556665665556666565555677777887772777777777",
}


def as_mclust(x):
    """Rows in the unit of mclust's transform "SVD"."""
    n_rows = len(x)
    return decorrelated(x) * np.sqrt((n_rows - 1) / n_rows) * (n_rows - 1) ** -0.25


@pytest.mark.parametrize(("name", "criterion", "n_clusters"), MCLUST)
def test_mclust_finds_the_same_clusters(name, criterion, n_clusters):
    x = {"iris": iris, "drawn": drawn}[name]()
    is_ward = criterion == "EII"
    tree = merge_tree(x if is_ward else as_mclust(x), common_covariance=is_ward)
    expected = list(MCLUST[name, criterion, n_clusters])
    np.testing.assert_array_equal(pairs_of(tree.labels(n_clusters)), pairs_of(expected))


# Against the definition --------------------------------------------------------------------------


def fraley(rows, weights, alpha):
    """What a cluster adds to the criterion of own covariances."""
    n = weights.sum()
    away = rows - np.average(rows, axis=0, weights=weights)
    scatter = (weights[:, None] * away).T @ away
    det = np.linalg.det(scatter / n) if n > rows.shape[1] else 0.0
    return n * np.log(det + (np.trace(scatter) + alpha) / n)


def ward(rows, weights, alpha):
    """What a cluster adds to the criterion of one covariance."""
    away = rows - np.average(rows, axis=0, weights=weights)
    return float(weights @ (away**2).sum(1))


@pytest.mark.parametrize("n_columns", [1, 2])
@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("criterion", [fraley, ward])
def test_every_merge_is_the_cheapest_of_all_pairs(criterion, is_weighted, n_columns):
    rng = np.random.default_rng(n_columns)
    x = rng.normal(size=(12, n_columns)) + 3 * rng.integers(0, 2, (12, 1))
    weights = rng.integers(1, 4, 12) * 1.0 if is_weighted else np.ones(12)
    alpha = ward(x, weights, None) / (weights.sum() * n_columns)
    tree = merge_tree(x, weights, common_covariance=criterion is ward)

    def total(labels):
        parts = (labels == label for label in np.unique(labels))
        return sum(criterion(x[part], weights[part], alpha) for part in parts)

    for n_clusters in range(12, 1, -1):
        before, after = tree.labels(n_clusters), tree.labels(n_clusters - 1)
        assert (pairs_of(before) <= pairs_of(after)).all()
        options = [
            total(np.where(before == j, i, before)) for j in range(n_clusters) for i in range(j)
        ]
        assert_close(total(after), min(options), rtol=1e-9)


def test_whole_weights_are_repeated_rows():
    x, weights = drawn()[::3], np.arange(25) % 3 + 1
    weighted = merge_tree(x, weights.astype(float)).labels(4)
    repeated = merge_tree(np.repeat(x, weights, 0)).labels(4)
    np.testing.assert_array_equal(pairs_of(np.repeat(weighted, weights)), pairs_of(repeated))
    assert_close(
        decorrelated(x, weights * 1.0).repeat(weights, 0) ** 2,
        decorrelated(np.repeat(x, weights, 0)) ** 2,
    )


def test_many_rows_begin_in_groups_of_ward():
    x = drawn()
    tree = merge_tree(x, most_groups=20, common_covariance=True)
    for n_clusters in (20, 3):
        expected = fcluster(linkage(x, "ward"), n_clusters, "maxclust")
        np.testing.assert_array_equal(pairs_of(tree.labels(n_clusters)), pairs_of(expected))


def test_coordinates_do_not_depend_on_units_or_copies_of_columns():
    x = drawn()
    scaled = decorrelated(x * [1, 100, 0.01] + 7)
    assert_close(decorrelated(x) ** 2, scaled**2, rtol=1e-8)
    assert decorrelated(np.column_stack([x, 2 * x[:, 0], np.ones(75)])).shape == (75, 3)
    assert_close(decorrelated(x).var(0) ** 2, np.linalg.eigvalsh(np.corrcoef(x.T)))


def test_numbers_of_clusters_beyond_the_tree_are_refused():
    tree = merge_tree(np.array([[0.0], [1.0], [1.0]]))
    np.testing.assert_array_equal(pairs_of(tree.labels(2)), pairs_of([0, 1, 1]))
    for n_clusters in (0, 3):
        with pytest.raises(ValueError, match=r"Expected n_clusters in 1, \.\.\., 2") as refused:
            tree.labels(n_clusters)
        assert_three_parts(str(refused.value), str(n_clusters))


# As a start --------------------------------------------------------------------------------------


def begun(x, family="full", n_components=3, n_init=1, seed=0, **marks):
    """The mixture that EM starts from."""
    spec = bg.MixtureSpec.maximum_likelihood(n_components, family)
    engine = bg.EM(start="hierarchical", n_init=n_init, max_iter=0, reg_covar=0.0)
    return bg.fit(x, spec, engine=engine, seed=seed, **marks)


def test_em_starts_from_the_moments_of_the_clusters():
    x = drawn()
    fit = begun(x, n_init=3)
    counts, means, scatter = tb.moments(np.eye(3)[merge_tree(decorrelated(x)).labels(3)], x)
    parameters = tb.parameters_of(tb.STRUCTURES[0], fit.mixture)
    assert_close(parameters.weights, counts / 75)
    assert_close(parameters.means, means)
    assert_close(parameters.matrices, scatter / counts[:, None, None])
    assert_close(fit.history["restart_log_likelihood"], np.full(3, fit.log_likelihood))


def test_structures_of_one_covariance_start_from_wards_tree():
    x = drawn()
    labels = {
        is_ward: merge_tree(decorrelated(x), common_covariance=is_ward).labels(3)
        for is_ward in (False, True)
    }
    for family, is_ward in (("tied", True), ("spherical", False)):
        counts, _, _ = tb.moments(np.eye(3)[labels[is_ward]], x)
        assert_close(np.exp(begun(x, family).mixture.log_weights), counts / 75)


def test_rows_beyond_the_bound_are_left_to_em(monkeypatch):
    """A start from 40 of 75 rows, others by another seed."""
    monkeypatch.setattr(hierarchical, "MOST_ROWS", 40)
    monkeypatch.setattr(starts, "MOST_ROWS", 40)
    x = drawn()
    grown = dendrogram(x, None, np.random.RandomState(0))
    assert len(np.unique(grown.rows)) == len(grown.rows) == len(grown.tree.labels(2)) == 40
    chosen = x[grown.rows]
    expected = tb.moments(np.eye(3)[merge_tree(decorrelated(chosen)).labels(3)], chosen)
    assert_close(begun(x).mixture.means, expected[1])
    assert np.unique(begun(x, n_init=3).history["restart_log_likelihood"]).size == 3


def test_missing_cells_have_the_mean_of_their_cluster():
    x = np.concatenate([drawn(), drawn() + 100])
    holes = x.copy()
    holes[::10, 1] = np.nan
    means = np.stack([np.nanmean(holes[:75], 0), np.nanmean(holes[75:], 0)])
    assert_close(np.sort(begun(holes, n_components=2).mixture.means, 0), means)


def test_cells_are_filled_by_regression(monkeypatch):
    """Where one column alone misses cells, EM ends at least squares on the rows that are whole."""
    monkeypatch.setattr(filling, "N_UPDATES", 300)
    x, missing = drawn(), np.zeros((75, 3), bool)
    missing[::3, 1] = True
    whole = np.delete(np.arange(75), np.arange(75)[::3])
    design = np.column_stack([np.ones(75), x[:, [0, 2]]])
    slopes = np.linalg.lstsq(design[whole], x[whole, 1])[0]
    filled = filling.regressed(np.where(missing, x[whole].mean(0), x), missing)
    assert_close(filled[::3, 1], design[::3] @ slopes)
    np.testing.assert_array_equal(filled[~missing], x[~missing])


def test_the_estimator_takes_it():
    x = drawn()
    model = bg.GaussianMixture(3, init_params="hierarchical", max_iter=0, reg_covar=0.0).fit(x)
    assert_close(model.means_, begun(x).mixture.means)


@pytest.mark.slow
def test_structures_share_a_tree_where_the_criterion_is_the_same(monkeypatch):
    grown = []
    monkeypatch.setattr(
        starts,
        "dendrogram",
        lambda *args, **given: grown.append(given) or dendrogram(*args, **given),
    )
    bg.select(
        drawn(),
        2,
        ["VVV", "VEI", "EEE", "EII"],
        init_params="hierarchical",
        progress=False,
    )
    assert [given["common_covariance"] for given in grown] == [False, True]
