"""Missing cells filled in from the others of their row, by one Gaussian for all rows.

Its mean and covariance come from a few updates of EM (Little & Rubin 2019, Statistical Analysis with
Missing Data, section 11.2); cells take their conditional means. It serves distances between rows, where
the means of columns would put such rows midway between clusters.
"""

import numpy as np

N_UPDATES = 10


def regressed(
    values: np.ndarray, missing: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Return the rows with conditional means in missing cells.

    Args:
        values: rows, the means of columns in missing cells, (N, D).
        missing: which cells are missing, (N, D).
        weights: how many rows each counts as, (N,); one each by default.

    Returns:
        (N, D).
    """
    each = np.ones(len(values)) if weights is None else weights
    patterns, pattern_of = np.unique(missing, axis=0, return_inverse=True)
    members = [np.flatnonzero(pattern_of.ravel() == index) for index in range(len(patterns))]
    filled, left = values.copy(), np.zeros((values.shape[1],) * 2)
    for _ in range(N_UPDATES):
        mean = np.average(filled, axis=0, weights=each)
        away = filled - mean
        covariance = ((each[:, None] * away).T @ away + left) / each.sum()
        left = np.zeros_like(covariance)
        for absent, rows in zip(patterns, members, strict=True):
            there = np.ix_(~absent, ~absent)
            across = covariance[np.ix_(absent, ~absent)]
            slopes = across @ np.linalg.pinv(covariance[there], hermitian=True)
            filled[np.ix_(rows, absent)] = mean[absent] + away[np.ix_(rows, ~absent)] @ slopes.T
            spread = covariance[np.ix_(absent, absent)] - slopes @ across.T
            left[np.ix_(absent, absent)] += each[rows].sum() * spread
    return filled
