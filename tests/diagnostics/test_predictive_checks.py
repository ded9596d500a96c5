"""Predictive checks: distances by SciPy, uniform p-values of rows that the parameters made, and power."""

from dataclasses import replace
from types import SimpleNamespace

import jax
import numpy as np
import pytest
import textbook as tb
from scipy import stats
from textbook import STRUCTURES

import bayesgmm as bg
from bayesgmm.diagnostics.predictive_checks import (
    cumulative_along,
    cumulative_distances,
    directions_of,
    distance_to_uniform,
    predictive_check,
)

D, K, N = 3, 2, 40


@pytest.fixture(autouse=True)
def _double_precision():
    with jax.enable_x64(True):
        yield


@pytest.fixture(params=STRUCTURES, ids=lambda one: one.name)
def drawn(request):
    """A mixture of each structure, its parameters in plain matrices, and rows from it."""
    random = np.random.default_rng(4)
    parameters = tb.random_parameters(random, request.param, K, D)
    mixture = tb.mixture_of(request.param, parameters)
    rows, _ = tb.random_rows(random, parameters, N)
    return request.param.family, mixture, parameters, rows


def test_along_directions_it_is_the_mixture_of_normals(drawn):
    family, mixture, parameters, rows = drawn
    directions = directions_of(("a", "b", "c"), rows).vectors
    found = cumulative_along(family, mixture, directions, rows)
    for p, direction in enumerate(directions):
        expected = 0.0
        for k in range(K):
            scale = np.sqrt(direction @ parameters.matrices[k] @ direction)
            law = stats.norm(direction @ parameters.means[k], scale)
            expected += parameters.weights[k] * law.cdf(rows @ direction)
        np.testing.assert_allclose(found[:, p], expected, rtol=0, atol=1e-12)


def test_the_distance_is_kolmogorovs():
    values = np.random.default_rng(1).random((50, 2))
    expected = [stats.kstest(column, "uniform").statistic for column in values.T]
    np.testing.assert_allclose(distance_to_uniform(values), expected, rtol=1e-12)


def test_distances_of_rows_of_the_mixture_are_uniform(drawn):
    """z | x, drawn for x ~ p(x), leaves (x, z) with their joint law: chi-square, whatever overlaps."""
    family, mixture, parameters, _ = drawn
    random = np.random.default_rng(8)
    p_values = []
    for seed in range(20):
        rows, _ = tb.random_rows(random, parameters, 1000)
        found = cumulative_distances(family, mixture, jax.random.key(seed), rows)
        p_values.append(stats.kstest(found, "uniform").pvalue)
    assert stats.kstest(p_values, "uniform").pvalue > 1e-3


def test_sums_and_differences_of_columns_have_names():
    found = directions_of(("a", "b"), np.array([[0.0, 0.0], [2.0, 4.0]]))
    assert found.names == ["a", "b", "a + b", "a - b"]
    np.testing.assert_array_equal(found.vectors, [[1, 0], [0, 1], [1, 0.5], [1, -0.5]])
    assert directions_of(("a",), np.ones((3, 1))).names == ["a"]
    many = directions_of(tuple(map(str, range(30))), np.eye(30))
    assert len(many.names) == 30 + 2 * 20


def test_rows_of_the_parameters_have_uniform_p_values(point):
    """With parameters that have not seen the rows p is uniform over data sets."""
    random = np.random.default_rng(0)
    parameters = tb.parameters_of(STRUCTURES[0], point.scaled)
    p_values = []
    for _ in range(60):
        rows, _ = tb.random_rows(random, parameters, 70)
        data = SimpleNamespace(
            scaled=rows.copy,
            representative=lambda most: np.arange(70),
            n_rows=70,
            n_columns=2,
            names=("a", "b"),
        )
        p_values.append(predictive_check(replace(point, data=data))["p_value"])
    for column in np.transpose(p_values):
        assert stats.kstest(column, "uniform").pvalue > 1e-3


def test_a_fit_that_misses_a_cluster_is_found_out(data):
    one = bg.fit(data, bg.MixtureSpec.maximum_likelihood(1))
    table = predictive_check(one)
    assert list(table.index) == ["margins", "pairs", "distances"]
    assert (table["p_value"] < 0.01).all()
    assert (table["observed"] > table["replicated"]).all()
    checks = bg.diagnose(one)
    failed = checks[~checks["passed"]]["advice"]
    assert failed.str.contains("bg.predictive_check").any()
    assert checks.verdict.startswith(
        "A point estimate with 1 component. The run can be trusted, with care"
    )


def test_it_comes_out_the_same_again(posterior):
    one, other = predictive_check(posterior), predictive_check(posterior)
    assert one.equals(other)
