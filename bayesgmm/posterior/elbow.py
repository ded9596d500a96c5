r"""Where a curve bends: two straight lines that meet at one of its points.

For points (x_i, y_i), i = 1..n, and each c in 2..n-1, a line is fitted by least squares to the points
up to c and another to those from c on; the bend is the c with the least sum of squares (Baudry et al.
2010, section 5).
"""

from typing import NamedTuple

import numpy as np

FEWEST_POINTS = 3


class Line(NamedTuple):
    """A straight line, y = intercept + slope x."""

    intercept: float
    slope: float

    def at(self, x: np.ndarray) -> np.ndarray:
        """Return its heights at x (n,), (n,)."""
        return self.intercept + self.slope * x


class Elbow(NamedTuple):
    """The bend of a curve.

    Attributes:
        point: index of the point where the lines change over, from 1 to n - 2.
        left: line through the points up to it, it included.
        right: line through the points from it on, it included.
        squares: sum of squared residuals; those of the bend count for both lines.
    """

    point: int
    left: Line
    right: Line
    squares: float


def elbow(x: np.ndarray, y: np.ndarray) -> Elbow | None:
    """Find the bend of a curve.

    Args:
        x: rising abscissae, (n,).
        y: heights, (n,).

    Returns:
        The bend, the first of equals; None for fewer than three points, which have none.
    """
    if len(x) < FEWEST_POINTS:
        return None
    bends = [bend_at(x, y, index) for index in range(1, len(x) - 1)]
    return min(bends, key=lambda bend: bend.squares)


def bend_at(x: np.ndarray, y: np.ndarray, index: int) -> Elbow:
    """Fit a line to either side of a point."""
    before, after = slice(0, index + 1), slice(index, None)
    left, right = line_through(x[before], y[before]), line_through(x[after], y[after])
    squares = ((left.at(x[before]) - y[before]) ** 2).sum()
    squares += ((right.at(x[after]) - y[after]) ** 2).sum()
    return Elbow(index, left, right, float(squares))


def line_through(x: np.ndarray, y: np.ndarray) -> Line:
    """Fit a line by least squares; a level one where all x are equal."""
    away = x - x.mean()
    spread = float(away @ away)
    slope = float(away @ (y - y.mean())) / spread if spread > 0 else 0.0
    return Line(float(y.mean() - slope * x.mean()), slope)
