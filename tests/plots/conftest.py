"""Fits to draw: points by EM, and a posterior made of jittered copies of one of them."""

from dataclasses import replace

import jax
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

import bayesgmm as bg

matplotlib.use("Agg")
N_CHAINS, N_DRAWS = 2, 30


@pytest.fixture(autouse=True)
def _figures_closed():
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def rows():
    random = np.random.default_rng(3)
    return np.concatenate(
        [random.normal((0, 0, 0), 1, (60, 3)), random.normal((3, 2, 0), 1, (40, 3))]
    )


@pytest.fixture(scope="session")
def point(rows):
    data = bg.Dataset.from_array(rows, names=["length", "width", "depth"])
    return bg.fit(data, bg.MixtureSpec.maximum_likelihood(2), engine=bg.EM())


@pytest.fixture(scope="session")
def line(rows):
    data = bg.Dataset.from_array(rows[:, :1], names=["length"])
    return bg.fit(data, bg.MixtureSpec.maximum_likelihood(2), engine=bg.EM())


@pytest.fixture(scope="session")
def posterior(point):
    return jittered(point)


def jittered(point):
    """A posterior whose draws are the point with moved means, labels drawn by the package."""
    shape = (N_CHAINS, N_DRAWS)
    repeated = jax.tree.map(lambda leaf: np.broadcast_to(leaf, (*shape, *leaf.shape)), point.scaled)
    noise = np.random.default_rng(0).normal(0, 0.03, repeated.means.shape)
    with jax.enable_x64(True):
        key = np.asarray(jax.random.key_data(jax.random.key(0)))
    draws = replace(
        point,
        kind="posterior",
        scaled=repeated._replace(means=repeated.means + noise),
        log_likelihood=point.log_likelihood + noise.sum((-1, -2)),
        label_key=key,
        counts=np.zeros((*shape, 2), int),
        history={},
        sample_stats={"diverging": np.arange(60).reshape(shape) == 7},
    )
    labels = draws.allocations()
    counts = np.stack([(labels == k).sum(-1) for k in range(2)], -1)
    counts[0, 0] = 100, 0
    return replace(draws, counts=counts)
