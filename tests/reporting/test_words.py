from types import SimpleNamespace

import numpy as np
import pytest

from bayesgmm.reporting.words import certainty, probability


@pytest.mark.parametrize(
    ("p", "text"),
    [(1.0, "> 0.99"), (0.996, "> 0.99"), (0.994, "0.99"), (0.5, "0.50"), (0.004, "< 0.01")],
)
def test_no_probability_is_shown_as_certain(p, text):
    assert probability(p) == text


def test_sure_and_doubtful_rows_are_counted():
    mean = np.array([[0.99, 0.01], [0.97, 0.03], [0.3, 0.7], [0.55, 0.45]])
    found = SimpleNamespace(labels=np.array([0, 0, 1, 0]))
    text = certainty(SimpleNamespace(mean=mean), found)
    assert text.startswith("2 of 4 rows belong to their cluster with probability 0.95 or more")
    assert "1 could as well belong elsewhere" in text
