"""The three tables on which the estimators are tested, and a start for each."""

from functools import cache
from typing import NamedTuple

import numpy as np

from bayesgmm import datasets

COVARIANCES = ("full", "tied", "diag", "spherical")
N_COMPONENTS = {"faithful": 2, "iris": 3, "simulated": 4}


class Start(NamedTuple):
    """Parameters of a start in scikit-learn's shapes and under its names."""

    weights_init: np.ndarray
    means_init: np.ndarray
    precisions_init: np.ndarray


@cache
def rows(name):
    """The numbers of a table, read-only."""
    values = simulated() if name == "simulated" else datasets.load(name).frame.to_numpy()
    values = np.ascontiguousarray(values)
    values.setflags(write=False)
    return values


def simulated():
    """Four clusters in ten columns that overlap a little, of different shapes and sizes."""
    rng = np.random.default_rng(4)
    parts = [
        rng.normal(scale=2, size=10) + rng.normal(size=(size, 10)) @ rng.normal(size=(10, 10))
        for size in (140, 110, 90, 60)
    ]
    return rng.permutation(np.concatenate(parts))


def start_for(name, covariance_type):
    """Spread-out rows as means, unequal weights, and each column's precision tilted a little."""
    values, n_components = rows(name), N_COMPONENTS[name]
    n_columns = values.shape[1]
    shares = np.arange(1.0, n_components + 1)
    along = np.argsort(values[:, 0])
    places = len(values) * np.linspace(0.1, 0.9, n_components)
    spread = 1 / values.var(0)
    tilt = 0.1 * np.sqrt(np.outer(spread, spread))
    one = np.diag(spread) + tilt
    precisions = {
        "full": np.repeat(one[None], n_components, 0),
        "tied": one,
        "diag": np.repeat(spread[None], n_components, 0),
        "spherical": np.full(n_components, n_columns / values.var(0).sum()),
    }[covariance_type]
    return Start(shares / shares.sum(), values[along[places.astype(int)]], precisions)
