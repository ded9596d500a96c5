import numpy as np
import pytest
from clustered import handmade
from scipy.stats import chi2, kstest
from textbook import assert_close

import bayesgmm as bg
from bayesgmm.posterior.density import draw_rows

TRUTH = np.repeat([0, 1], [60, 40])
ROWS = np.random.default_rng(1).normal(np.array([[0.0, 0.0], [9.0, 0.0]])[TRUTH], [1.0, 3.0])
# Kolmogorov's distance that two samples exceed with probability 0.001: this times the root of
# 1/n + 1/m (Smirnov 1948).
KOLMOGOROV = 1.95


@pytest.fixture(scope="module")
def fit():
    return handmade(ROWS, TRUTH, [1.0, 1.0])


@pytest.mark.parametrize("kind", ["posterior", "point"])
def test_scores_of_rows_of_the_model_are_uniform(fit, kind):
    if kind == "point":
        fit = bg.fit(ROWS, bg.MixtureSpec.maximum_likelihood(2))
    rows, _ = draw_rows(fit, 2000, np.random.RandomState(1))
    scores = bg.anomaly_score(fit, rows)
    assert kstest(scores, "uniform").statistic < KOLMOGOROV * np.sqrt(1 / 2000 + 1 / 4000)


def test_score_of_one_gaussian_is_the_tail_of_a_chi_square():
    fit = bg.fit(ROWS, bg.MixtureSpec.maximum_likelihood(1))
    rows = ROWS[:20]
    offsets = rows - ROWS.mean(0)
    distances = (offsets * np.linalg.solve(np.cov(ROWS.T, bias=True), offsets.T).T).sum(1)
    expected = chi2.sf(distances, 2)
    error = np.sqrt(expected * (1 - expected) / 4000) + 1 / 4000
    assert (np.abs(bg.anomaly_score(fit, rows) - expected) < 4 * error).all()


def test_far_rows_score_low_and_central_ones_high(fit):
    scores = bg.anomaly_score(fit, [[0.0, 0.0], [4.5, 0.0], [60.0, 60.0]])
    assert scores[0] > 0.5
    assert_close(scores[2], 1 / 4002)


def test_units_do_not_matter(fit):
    other = handmade(1000 * ROWS + 5e4, TRUTH, [1000.0, 1000.0], jitter=150)
    # Rounding may change the place of a row among 4,000.
    scores = bg.anomaly_score(other, 1000 * ROWS + 5e4)
    assert_close(scores, bg.anomaly_score(fit, ROWS), atol=1e-3)


def test_something_is_there_to_compare_with(fit):
    with pytest.raises(ValueError, match="Expected n_reference >= 1, got 0"):
        bg.anomaly_score(fit, ROWS, n_reference=0)
