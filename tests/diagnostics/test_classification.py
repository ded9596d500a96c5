"""Entropy and overlap of mixtures whose responsibilities are known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import bayesgmm as bg
from bayesgmm.diagnostics.classification import entropy_and_overlap
from bayesgmm.model.mixture import Full
from bayesgmm.numerics.precision import in_float64

doubt_of = in_float64(entropy_and_overlap)


def with_means(point, distance):
    """Two components of unit variance, equal weights, so far apart in the first column."""
    means = np.array([[-distance / 2, 0.0], [distance / 2, 0.0]])
    scaled = point.scaled._replace(
        log_weights=np.log([0.5, 0.5]), means=means, covariance=Full(np.stack([np.eye(2)] * 2))
    )
    return replace(point, scaled=scaled)


def test_equal_components_leave_one_bit_and_half_the_rows(point):
    np.testing.assert_allclose(doubt_of(with_means(point, 0.0)), [1, 0.5], rtol=1e-12)


def test_far_components_leave_nothing(point):
    np.testing.assert_allclose(doubt_of(with_means(point, 1e5)), 0, atol=1e-9)


def test_between_it_is_the_logistic(point):
    """p(1 | x) = 1 / (1 + exp(d x_0)): SciPy's entropy of it, row by row."""
    x = point.data.scaled()[:, 0]
    p = 1 / (1 + np.exp(1.5 * x))
    both = np.stack([p, 1 - p])
    expected = [stats.entropy(both, base=2).mean(), (1 - both.max(0)).mean()]
    np.testing.assert_allclose(doubt_of(with_means(point, 1.5)), expected, rtol=1e-9)


def test_draws_are_averaged(posterior):
    entropy, overlap = doubt_of(posterior)
    assert 0 <= overlap < 0.01
    assert 0 <= entropy < 0.1


@pytest.mark.parametrize(
    ("distance", "word"), [(1e5, "hardly"), (0.0, "use probabilities rather than labels")]
)
def test_it_is_said_in_words(point, distance, word):
    table = bg.diagnose(with_means(point, distance)).set_index("check")
    row = table.loc["overlap (share misclassified at best)"]
    assert row["passed"]
    assert row["threshold"] == "none"
    assert word in row["advice"]
