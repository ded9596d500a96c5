"""Row weights and known labels at the door."""

import numpy as np
import pytest
from textbook import assert_three_parts

from bayesgmm.data.dataset import Dataset

ROWS = np.array([[0.0, 1.0], [2.0, 0.0], [1.0, 5.0], [4.0, 4.0]])


def made(**marks):
    return Dataset.from_array(ROWS, **marks)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([1.0, 1.0, 1.0], "a weight for each of the 4 rows"),
        (np.ones((4, 1)), r"shape \(4, 1\)"),
        ([1.0, -1.0, 1.0, 1.0], "got -1.0 in row 1"),
        ([1.0, np.nan, 1.0, 1.0], "got nan in row 1"),
        ([1.0, 1.0, np.inf, 1.0], "got inf in row 2"),
        (np.zeros(4), "all zero"),
    ],
)
def test_weights_that_are_none_are_refused(weights, words):
    with pytest.raises(ValueError, match=words) as caught:
        made(weights=weights)
    assert_three_parts(str(caught.value))


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([0, 1, 0], "a label for each of the 4 rows"),
        ([0, 1, 0, -2], "whole numbers >= -1"),
        ([0.0, 1.5, 0.0, 1.0], "whole numbers >= -1"),
        ([0.0, np.nan, 0.0, 1.0], "whole numbers >= -1"),
        (["a", "b", "a", "b"], "whole numbers >= -1"),
    ],
)
def test_labels_that_are_none_are_refused(labels, words):
    with pytest.raises(ValueError, match=words) as caught:
        made(labels=labels)
    assert_three_parts(str(caught.value))


def test_no_label_known_is_no_label():
    assert made(labels=[-1, -1, -1, -1]).labels is None


def test_rows_count_as_many():
    assert made().total_weight == 4
    assert made(weights=[0.5, 2, 0, 1]).total_weight == 3.5


def test_units_are_those_of_the_repeated_rows():
    weights = np.array([3, 0, 1, 2])
    ours = made(weights=weights).affine
    repeated = Dataset.from_array(np.repeat(ROWS, weights, 0)).affine
    np.testing.assert_allclose(ours.centre, repeated.centre, rtol=1e-14)
    np.testing.assert_allclose(ours.scale, repeated.scale, rtol=1e-14)


def test_rows_that_count_nothing_have_no_spread():
    with pytest.raises(ValueError, match="Expected at least two rows"):
        made(weights=[1.0, 0.0, 0.0, 0.0])
