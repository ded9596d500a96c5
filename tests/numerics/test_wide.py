"""Sums in twice the working precision: right, and the same in every order."""

import math
from fractions import Fraction

import numpy as np

from bayesgmm.numerics.wide import Wide, narrowed, wide_sum, widened

RANDOM = np.random.default_rng(0)
# Numbers of many sizes and both signs, 40 summands of 500 sums.
TERMS = RANDOM.normal(size=(40, 500)) * 10.0 ** RANDOM.integers(-12, 12, (40, 500))


def summed(terms):
    return wide_sum([widened({"x": term}) for term in terms])


def test_the_sum_is_that_of_exact_arithmetic():
    total = summed(TERMS)
    exact = [math.fsum(column) for column in TERMS.T]
    np.testing.assert_array_equal(narrowed(total)["x"], exact)
    for high, low, column in zip(total.high["x"], total.low["x"], TERMS.T, strict=True):
        lost = Fraction(high) + Fraction(low) - sum(map(Fraction, column))
        assert abs(lost) <= Fraction(40, 2**104) * sum(abs(Fraction(x)) for x in column)


def test_order_and_bundles_leave_no_trace():
    """Plain sums differ in nearly every one of these."""
    first = narrowed(summed(TERMS))["x"]
    n_other = 0
    for _ in range(20):
        shuffled = TERMS[RANDOM.permutation(40)]
        bundles = np.array_split(shuffled, RANDOM.integers(1, 12))
        again = narrowed(wide_sum([summed(bundle) for bundle in bundles]))["x"]
        np.testing.assert_array_equal(again, first)
        n_other += (shuffled.sum(0) != first).sum()
    assert n_other > 1_000


def test_whole_numbers_are_added_as_they_are():
    total = wide_sum([widened((np.int64(2**60), np.array([1, 2])))] * 3)
    assert narrowed(total)[0] == 3 * 2**60
    np.testing.assert_array_equal(narrowed(total)[1], [3, 6])
    assert narrowed(total)[1].dtype.kind == "i"


def test_what_is_not_finite_stays_so():
    parts = [np.array([np.inf, -np.inf, np.nan, 1.0, np.inf]), np.array([1.0, 1, 1, 1, -np.inf])]
    total = wide_sum([widened(part) for part in parts])
    np.testing.assert_array_equal(narrowed(total), [np.inf, -np.inf, np.nan, 2, np.nan])
    assert isinstance(total, Wide)
