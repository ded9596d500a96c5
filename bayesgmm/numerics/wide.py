"""Sums that keep what rounding loses, so that the order of additions leaves no trace in them.

A number is held as ``high + low`` of two doubles, ``low`` below half a unit in the last place of ``high``: 106 bits.
Sums of n numbers in any order differ by some n 2^-104 of the sum of their sizes, so that they round to the same
double but for a chance of about n 2^-50, more where they cancel. Error-free additions: Knuth (1997), The Art of
Computer Programming 2, section 4.2.2, theorem B; of two such numbers: Joldes, Muller & Popescu (2017),
ACM Transactions on Mathematical Software 44(2), algorithm 6.
"""

from typing import Any, NamedTuple

import jax
import numpy as np


class Wide(NamedTuple):
    """A tree of numbers in two parts.

    Attributes:
        high: tree of NumPy arrays, the numbers as doubles.
        low: tree of the same shape, what is left of them.
    """

    high: Any
    low: Any


def widened(tree: Any) -> Wide:
    """Return a tree of arrays with nothing left over."""
    return Wide(tree, jax.tree.map(np.zeros_like, tree))


def narrowed(number: Wide) -> Any:
    """Return the doubles that are nearest."""
    return number.high


def wide_sum(numbers: list[Wide]) -> Wide:
    """Add up trees of equal shape, whole numbers and truth values as they are."""
    total = numbers[0]
    for one in numbers[1:]:
        total = added(total, one)
    return total


def added(one: Wide, other: Wide) -> Wide:
    """Add two trees."""
    leaves, shape = jax.tree.flatten(one.high)
    rest = (jax.tree.leaves(tree) for tree in (one.low, other.high, other.low))
    pairs = [added_arrays(*parts) for parts in zip(leaves, *rest, strict=True)]
    return Wide(*(jax.tree.unflatten(shape, part) for part in zip(*pairs, strict=True)))


def added_arrays(
    x_high: np.ndarray, x_low: np.ndarray, y_high: np.ndarray, y_low: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Add two arrays in two parts each."""
    if np.asarray(x_high).dtype.kind != "f":
        return x_high + y_high, x_low
    with np.errstate(invalid="ignore"):
        high, lost = two_sum(x_high, y_high)
        low, lost_below = two_sum(x_low, y_low)
        high, lost = quick_two_sum(high, lost + low)
        return quick_two_sum(high, lost + lost_below)


def two_sum(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rounded sum and what rounding lost, nothing where the sum is not finite."""
    total = x + y
    of_y = total - x
    lost = (x - (total - of_y)) + (y - of_y)
    return total, np.where(np.isfinite(total), lost, 0.0)


def quick_two_sum(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Do the same where no x is smaller than its y."""
    total = x + y
    return total, np.where(np.isfinite(total), y - (total - x), 0.0)
