"""The map between the user's units and the engines' units.

z = (x - centre) / scale with one centre per column and one scale for all columns. A single scale
keeps every covariance family closed (a spherical covariance stays spherical), and makes the
arithmetic blind to offsets and units.
"""

from typing import NamedTuple

import numpy as np
from jax.typing import ArrayLike

BLOCK = 65_536


class Affine(NamedTuple):
    """z = (x - centre) / scale.

    Attributes:
        centre: column means, (D,), in the user's units.
        scale: root mean square of the column standard deviations, in the user's units.
    """

    centre: np.ndarray
    scale: np.ndarray

    @classmethod
    def from_values(cls, values: np.ndarray, weights: np.ndarray | None = None) -> "Affine":
        """Centre by column means and scale by the common standard deviation of values (N, D).

        Missing cells, NaN, are left out.
        """
        first = 0 if weights is None else int(np.argmax(weights > 0))
        origin = np.nan_to_num(values[first].astype(np.float64))
        centre = origin + _column_means(values, weights, origin)
        variance = _column_means(values, weights, centre, power=2)
        return cls(centre, np.sqrt(variance.mean()))

    def forward(self, values: np.ndarray) -> np.ndarray:
        """Map rows (N, D) to engine units, in double precision."""
        scaled = np.subtract(values, self.centre, dtype=np.float64)
        scaled /= self.scale
        return scaled

    def inverse(self, scaled: ArrayLike) -> np.ndarray:
        """Map rows or means (..., D) back to the user's units."""
        return np.asarray(scaled) * self.scale + self.centre


def _column_means(
    values: np.ndarray, weights: np.ndarray | None, origin: np.ndarray, power: int = 1
) -> np.ndarray:
    """Average (values - origin)^power per column without a second copy of the table."""
    total, count = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    for start in range(0, len(values), BLOCK):
        part = slice(start, start + BLOCK)
        each = np.ones(len(values[part])) if weights is None else weights[part]
        counted = np.where(each[:, None] > 0, values[part], origin)
        powers = np.subtract(counted, origin, dtype=np.float64) ** power
        there = ~np.isnan(powers)
        total += each @ np.where(there, powers, 0.0)
        count += each @ there
    return total / count
