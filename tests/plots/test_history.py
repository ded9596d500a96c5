import numpy as np
import pytest
from textbook import assert_close

import bayesgmm as bg


def test_the_curve_is_the_history_and_ends_below_its_limit(point):
    ax = bg.plots.history(point)
    curve, limit = ax.lines
    assert_close(curve.get_ydata(), point.history["log_likelihood"])
    gain = float(point.history["remaining_gain"])
    assert_close(limit.get_ydata()[0], point.log_likelihood + gain)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("updates", "log-likelihood")


def test_restarts_are_marked_where_they_ended(rows):
    fit = bg.fit(
        rows, bg.MixtureSpec.maximum_likelihood(2), engine=bg.EM(n_init=4, start="random_from_data")
    )
    ax = bg.plots.history(fit)
    ends = np.asarray(ax.lines[-1].get_ydata())
    assert set(ends) <= set(fit.history["restart_log_likelihood"])
    assert "ends of 4 restarts" in [text.get_text() for text in ax.get_legend().get_texts()]


def test_draws_are_sent_to_the_trace(posterior):
    with pytest.raises(ValueError, match=r"Use bg\.plots\.trace"):
        bg.plots.history(posterior)
