"""Colours of one partition carried over to another."""

import numpy as np
from scipy.optimize import linear_sum_assignment


def renamed(labels: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Name clusters after those of ``centre`` with which they share most rows, the others anew, (N,)."""
    names, index = np.unique(labels, return_inverse=True)
    table = np.zeros((len(names), int(centre.max()) + 1), int)
    np.add.at(table, (index, centre), 1)
    new = np.full(len(names), -1)
    own, other = linear_sum_assignment(-table)
    new[own] = other
    is_new = new < 0
    new[is_new] = table.shape[1] + np.arange(is_new.sum())
    return new[index]
