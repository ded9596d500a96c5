"""The fourteen eigenvalue decompositions by the letters of their names, in NumPy and SciPy.

Sigma_k = volume_k x orientation_k shape_k orientation_k^T with det shape_k = 1; a name has a letter for
volume, shape and orientation: E equal, V variable, I the identity (Celeux & Govaert 1995, Pattern
Recognition 28, 781-793, table 1).
"""

import numpy as np
from scipy.optimize import minimize

NAMES = ("EII", "VII", "EEI", "VEI", "EVI", "VVI", "EEE", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV", "VVV")  # fmt: skip
SKLEARN = {"VII": "spherical", "VVI": "diag", "EEE": "tied", "VVV": "full"}
ORDER = "IEV"


def contains(wide, narrow):
    """Whether every covariance of one structure is one of the other: no letter is stricter."""
    return all(ORDER.index(a) >= ORDER.index(b) for a, b in zip(wide, narrow, strict=True))


def sizes(name, K, D):
    """How many free numbers volume, shape and orientation have."""
    many = [{"I": 0, "E": 1, "V": K}[letter] for letter in name]
    return many[0], many[1] * (D - 1), many[2] * D * (D - 1) // 2


def value(counts, scatter, matrices):
    """Expected complete log-likelihood without its constant, of (..., K, D, D), (...)."""
    traces = np.trace(np.linalg.solve(matrices, scatter), axis1=-2, axis2=-1)
    return -(counts * np.linalg.slogdet(matrices)[1] + traces).sum(-1) / 2


def matrices_of(name, free, K, D):
    """Covariances (..., K, D, D) of free numbers (..., F): logs and skew matrices."""
    ends = np.cumsum(sizes(name, K, D))
    volume, shape, skew = np.split(free, ends[:2], -1)
    lead = free.shape[:-1]
    logs = np.zeros((*lead, K, D)) + volume[..., None]
    if shape.size:
        first = shape.reshape(*lead, -1, D - 1)
        logs = logs + np.concatenate([first, -first.sum(-1, keepdims=True)], -1)
    axes = np.eye(D)
    if skew.size:
        axes = rotations(skew.reshape(*lead, -1, D * (D - 1) // 2), D)
    return (axes * np.exp(logs)[..., None, :]) @ np.swapaxes(axes, -1, -2)


def rotations(angles, D):
    """Exponentials of skew matrices (Rodrigues' formula, for two and three columns)."""
    skew = np.zeros((*angles.shape[:-1], D, D))
    skew[..., *np.triu_indices(D, 1)] = angles
    skew = skew - np.swapaxes(skew, -1, -2)
    angle = np.linalg.norm(angles, axis=-1)[..., None, None] + 1e-300
    return np.eye(D) + np.sin(angle) / angle * skew + (1 - np.cos(angle)) / angle**2 * skew @ skew


def best_value(name, counts, scatter, rng, n_starts):
    """The best of several optima that BFGS finds from random free numbers."""
    K, D = scatter.shape[:2]
    n_free = sum(sizes(name, K, D))

    def cost(free):
        return -value(counts, scatter, matrices_of(name, free, K, D)) / counts.sum()

    def slope(free):
        steps = 1e-6 * np.concatenate([np.eye(n_free), -np.eye(n_free)])
        above, below = np.split(cost(free + steps), 2)
        return (above - below) / 2e-6

    with np.errstate(over="ignore"):
        ends = [
            minimize(cost, rng.normal(size=n_free), jac=slope, method="BFGS").fun
            for _ in range(n_starts)
        ]
    return -min(ends) * counts.sum()
