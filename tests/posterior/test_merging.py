"""Merging by entropy: every merge against its definition, and the numbers of mclust."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import textbook as tb
from posterior import handmade
from quick import quick_compilation
from scipy.special import xlogy
from textbook import assert_close, assert_three_parts

import bayesgmm as bg
from bayesgmm.posterior import merging
from bayesgmm.posterior.elbow import elbow
from bayesgmm.result import Fit


@pytest.fixture(autouse=True)
def _quick():
    with quick_compilation():
        yield


def point_fit(x, parameters, **marks):
    """A point fit of given parameters in the units of the rows."""
    data = bg.Dataset.from_array(x, **marks)
    centre, scale = data.affine
    scaled = tb.Parameters(
        parameters.weights, (parameters.means - centre) / scale, parameters.matrices / scale**2
    )
    spec = bg.MixtureSpec.maximum_likelihood(len(parameters.weights))
    return Fit(
        model=bg.resolve(spec, data),
        data=data,
        engine=None,
        kind="point",
        scaled=tb.mixture_of(handmade.FULL, scaled),
        log_likelihood=np.zeros(()),
        status=bg.Status(bg.Outcome.COMPLETE, ""),
    )


def crossed(n_rows=600):
    """Rows from six components of which two lie across each other, and the components."""
    weights = np.array([0.2, 0.2, 0.25, 0.1, 0.15, 0.1])
    means = np.array([[0, 0], [0, 0], [8, 5], [8, 1], [1, 8], [2.5, 7]], float)
    scales = np.array([[3, 0.3], [0.3, 3], [1, 1], [0.8, 1.2], [0.6, 0.6], [1.5, 0.5]])
    angles = np.array([0.5, 0.5, 0, 0.2, 0, -0.6])
    turns = np.array([[np.cos(angles), -np.sin(angles)], [np.sin(angles), np.cos(angles)]])
    chol = np.moveaxis(turns, 2, 0) * scales[:, None, :]
    rng = np.random.default_rng(7)
    z = rng.choice(6, n_rows, p=weights)
    x = means[z] + np.einsum("nij,nj->ni", chol[z], rng.standard_normal((n_rows, 2)))
    return x, tb.Parameters(weights, means, chol @ chol.swapaxes(1, 2))


def faithful():
    """Old Faithful with the four components that mclust's EM finds."""
    weights = [0.094080568453677529, 0.131028149408223216, 0.549405414343096421]
    means = [
        [4.1152607341470260, 87.0975765251208145],
        [1.8382294591153772, 52.0947602032667803],
        [4.3210987967967780, 78.7655821113408052],
        [2.1541134470834193, 55.8915382910402343],
    ]
    first, cross, second = np.array(
        [
            [0.1859303142447275847, 1.349153039218944139, 17.4781547835045074635],
            [0.0042879687160594935, -0.0827519045359552397, 23.5709078644071539088],
            [0.1591092315808460833, 1.0975102803140512897, 28.8181930957184455622],
            [0.0723522277861491647, 0.3199534408793195395, 34.4889421937906490712],
        ]
    ).T
    matrices = np.stack([np.stack([first, cross], 1), np.stack([cross, second], 1)], 1)
    parameters = tb.Parameters(np.append(weights, 1 - sum(weights)), np.array(means), matrices)
    return bg.datasets.faithful().frame.to_numpy(), parameters


class Published(NamedTuple):
    """What mclust 6.0.0 gives for the same parameters: clustCombi, entPlot and its pcws2_reg.

    The lines are intercept and slope left of the bend, then right of it.
    """

    entropy: tuple[float, ...]
    n_merged: tuple[int, ...]
    merges: tuple[tuple[int, int], ...]
    n_clusters: int
    lines: tuple[float, ...]
    normalised_bend: int
    normalised_lines: tuple[float, ...]


MCLUST = {
    "crossed": (
        crossed,
        Published(
            entropy=(
                115.901976524425,
                58.700088506226,
                27.6328809117527,
                8.33290886229226,
                3.06945836026202,
                0.0,
            ),
            n_merged=(157, 226, 217, 443, 600),
            merges=((4, 5), (0, 1), (2, 3), (0, 2), (0, 4)),
            n_clusters=4,
            lines=(-12.2817112757454, 8.8162093237288, -153.2610903842121, 44.1345478063360),
            normalised_bend=4,
            normalised_lines=(
                -3.543653342224895,
                0.018329266794077,
                -260.22281825192886,
                0.223947004032397,
            ),
        ),
    ),
    "faithful": (
        faithful,
        Published(
            entropy=(54.5172992659373, 26.9563521773679, 0.584295132057602, 0.0),
            n_merged=(175, 97, 272),
            merges=((0, 2), (1, 3), (0, 1)),
            n_clusters=2,
            lines=(-0.5842951320576, 0.5842951320576, -53.5468573423653, 26.9665020669399),
            normalised_bend=2,
            normalised_lines=(0.0, 2.1481438678588e-03, -49.040182074666, 0.19339957198258),
        ),
    ),
}


# mclust's numbers are printed to twelve digits and more; its parameters to seventeen.
@pytest.mark.parametrize(("problem", "expected"), MCLUST.values(), ids=MCLUST)
def test_mclust_gives_the_same_numbers(problem, expected):
    merged = bg.merge_components(point_fit(*problem()))
    assert_close(merged.entropy, expected.entropy, rtol=1e-9, atol=1e-11)
    np.testing.assert_array_equal(merged.n_merged, expected.n_merged)
    np.testing.assert_array_equal(merged.merges, expected.merges)
    assert merged.n_clusters == expected.n_clusters
    assert_lines(merged.elbow(), expected.n_clusters, expected.lines)
    bend = merged.elbow(normalised=True)
    assert_lines(bend, expected.normalised_bend, expected.normalised_lines)


def assert_lines(bend, n_clusters, lines):
    assert bend.point + 1 == n_clusters
    assert_close((*bend.left, *bend.right), lines, rtol=1e-9, atol=1e-11)


# Against the definition --------------------------------------------------------------------------


def merged_by_hand(t, weights):
    """Every pair tried at every step: lists of components, entropies, rows and pairs."""
    clusters, entropies, n_merged, merges = [[k] for k in range(t.shape[1])], [], [], []

    def soft(clusters):
        return np.stack([t[:, one].sum(1) for one in clusters], 1)

    def entropy(clusters):
        return -weights @ xlogy(soft(clusters), soft(clusters)).sum(1)

    def joined(i, j):
        rest = [one for index, one in enumerate(clusters) if index not in (i, j)]
        return sorted([*rest, sorted(clusters[i] + clusters[j])])

    entropies.append(entropy(clusters))
    while len(clusters) > 1:
        pairs = [(i, j) for j in range(len(clusters)) for i in range(j)]
        i, j = min(pairs, key=lambda pair: entropy(joined(*pair)))
        n_merged.append(weights @ np.isin(soft(clusters).argmax(1), (i, j)))
        merges.append((clusters[i][0], clusters[j][0]))
        clusters = joined(i, j)
        entropies.append(entropy(clusters))
    return entropies, n_merged, merges


MARKS = {
    "plain": {},
    "weights": {"weights": np.arange(150) % 4 / 2},
    "labels": {"labels": np.where(np.arange(150) % 3 == 0, np.arange(150) % 6, -1)},
}


@pytest.mark.parametrize("name", MARKS)
def test_every_merge_is_the_best_of_all_pairs(name):
    x, parameters = crossed(150)
    merged = bg.merge_components(point_fit(x, parameters, **MARKS[name]))
    t = tb.responsibilities(parameters, x)
    known = MARKS[name].get("labels", np.full(150, -1))
    t[known >= 0] = np.eye(6)[known[known >= 0]]
    weights = MARKS[name].get("weights", np.ones(150))
    entropies, n_merged, merges = merged_by_hand(t, weights)
    assert_close(merged.entropy, entropies, rtol=1e-10, atol=1e-10)
    assert_close(merged.n_merged, n_merged)
    np.testing.assert_array_equal(merged.merges, merges)


def test_missing_cells_leave_the_others(monkeypatch):
    x, parameters = crossed(150)
    holes = x.copy()
    holes[::5, 0] = np.nan
    fit = point_fit(holes, parameters)
    one = tb.Parameters(parameters.weights, parameters.means[:, 1:], parameters.matrices[:, 1:, 1:])
    t = tb.responsibilities(parameters, x)
    t[::5] = tb.responsibilities(one, x[::5, 1:])
    merged = bg.merge_components(fit)
    assert_close(merged.entropy, merged_by_hand(t, np.ones(150))[0], rtol=1e-9, atol=1e-10)
    monkeypatch.setattr(merging, "BLOCK_ROWS", 40)
    assert_close(merged.responsibilities(6), t, rtol=1e-9)


def test_blocks_of_rows_add_up(monkeypatch):
    fit = point_fit(*crossed(150), weights=np.arange(150) / 50)
    whole = bg.merge_components(fit)
    monkeypatch.setattr(merging, "BLOCK_ROWS", 64)
    parts = bg.merge_components(fit)
    assert_close(parts.entropy, whole.entropy, rtol=1e-12)
    assert_close(parts.n_merged, whole.n_merged)


def test_prices_far_below_rounding_still_rank():
    """Clusters ten apart and a pair twelve apart: the first merges cost 1e-12 of a nat or less."""
    means = np.array([[0.0], [12.0], [22.0], [40.0]])
    x = np.concatenate([mean + np.linspace(-1, 1, 9)[:, None] for mean in means])
    fit = point_fit(x, tb.Parameters(np.full(4, 0.25), means, np.ones((4, 1, 1))))
    np.testing.assert_array_equal(bg.merge_components(fit).merges, [(1, 2), (0, 1), (0, 3)])


# Using it ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def merged():
    return bg.merge_components(point_fit(*crossed()))


def test_clusters_are_sums_of_components(merged):
    x, parameters = crossed()
    np.testing.assert_array_equal(merged.components(4), [0, 0, 1, 2, 3, 3])
    np.testing.assert_array_equal(merged.components(6), np.arange(6))
    np.testing.assert_array_equal(merged.components(1), np.zeros(6))
    t = tb.responsibilities(parameters, x)
    expected = np.stack([t[:, [0, 1]].sum(1), t[:, 2], t[:, 3], t[:, [4, 5]].sum(1)], 1)
    assert_close(merged.responsibilities(4), expected, rtol=1e-9)
    assert_close(merged.responsibilities(4, x[:7]), expected[:7], rtol=1e-9)
    np.testing.assert_array_equal(merged.labels(4), expected.argmax(1))
    np.testing.assert_array_equal(merged.labels(4, x[:7]), expected[:7].argmax(1))


def test_other_rows_may_be_looked_at(merged):
    x, _ = crossed()
    weights = np.repeat([1.0, 0.0], 300)
    half = bg.merge_components(merged.fit, x[:300])
    assert_close(bg.merge_components(merged.fit, x, weights).entropy, half.entropy, rtol=1e-12)
    assert half.n_merged[-1] == 300


def test_the_table_has_a_row_per_number_of_clusters(merged):
    table = merged.table
    assert list(table.index) == [6, 5, 4, 3, 2, 1]
    np.testing.assert_array_equal(table["entropy"], merged.entropy)
    assert table.loc[6, "drop":].isna().all()
    assert_close(table["drop"][1:], -np.diff(merged.entropy))
    assert_close(table["drop_per_row"][1:], -np.diff(merged.entropy) / merged.n_merged)
    assert (table["first"][3], table["second"][3]) == (2, 3)
    assert isinstance(table, pd.DataFrame)


def test_two_components_have_no_bend():
    x, six = crossed(150)
    fit = point_fit(x, tb.Parameters(np.array([0.5, 0.5]), six.means[1:3], six.matrices[1:3]))
    merged = bg.merge_components(fit)
    assert merged.elbow() is None
    assert merged.n_clusters == 2


def test_points_above_each_other_have_a_level_line():
    """Empty components: no row moves when they merge."""
    bend = elbow(np.array([0.0, 0.0, 1.0, 2.0]), np.array([0.0, 1.0, 3.0, 5.0]))
    assert bend.point == 1
    assert bend.left == (0.5, 0.0)
    assert_close(bend.right, (1.0, 2.0))


def test_what_cannot_be_merged_is_refused(merged):
    posterior = handmade.fit_of(handmade.FULL, "posterior")
    with pytest.raises(ValueError, match="Expected a point fit") as refused:
        bg.merge_components(posterior)
    assert_three_parts(str(refused.value), "posterior", "bg.partition")
    one = tb.Parameters(np.ones(1), np.zeros((1, 2)), np.eye(2)[None])
    with pytest.raises(ValueError, match="at least two components") as refused:
        bg.merge_components(point_fit(crossed(150)[0], one))
    assert_three_parts(str(refused.value), "1", "n_components")


@pytest.mark.parametrize("n_clusters", [0, 7, 2.5, "3"])
def test_numbers_of_clusters_are_checked(merged, n_clusters):
    for method in (merged.components, merged.labels, merged.responsibilities):
        with pytest.raises(ValueError, match=r"Expected n_clusters in 1, \.\.\., 6") as refused:
            method(n_clusters)
        assert_three_parts(str(refused.value), repr(n_clusters))
