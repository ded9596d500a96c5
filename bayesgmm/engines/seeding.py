"""Seeds of k-means: rows far from each other, drawn one after the other.

Greedy k-means++ (Arthur & Vassilvitskii 2007, SODA, 1027-1035, section 6): every seed is the best of a few
candidates, drawn with probability proportional to their squared distance from the seeds so far. With
equal random numbers these are the rows that scikit-learn picks, without the seconds of its import.
"""

import numpy as np


def seed_rows(
    points: np.ndarray, weights: np.ndarray | None, most: int, random: np.random.RandomState
) -> np.ndarray:
    """Return the numbers of ``most`` rows, each drawn given those before it.

    Args:
        points: rows, (N, D), about the origin.
        weights: how many rows each counts as, (N,), or None.
        most: number of seeds.
        random: source of randomness.

    Returns:
        Row numbers, (most,).
    """
    mass = np.ones(len(points)) if weights is None else weights
    norms = (points**2).sum(1)

    def distances(rows: np.ndarray) -> np.ndarray:
        """Squared distances of all points to some of them, (n, N)."""
        products = points[rows] @ points.T
        return np.maximum(norms - 2 * products + norms[rows, None], 0.0)

    found = np.array([random.choice(len(points), p=mass / mass.sum())])
    nearest = distances(found)[0]
    for _ in range(1, most):
        cumulative = np.cumsum(mass * nearest)
        drawn = random.uniform(size=2 + int(np.log(most))) * cumulative[-1]
        candidates = np.minimum(np.searchsorted(cumulative, drawn), len(points) - 1)
        after = np.minimum(nearest, distances(candidates))
        best = (after @ mass).argmin()
        found, nearest = np.append(found, candidates[best]), after[best]
    return found
