"""Mixtures of different K side by side: each pass is that of the mixture by itself."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from decompositions import NAMES
from quick import quick_compilation
from textbook import assert_close

from bayesgmm.model.families import family_named
from bayesgmm.model.kernel import expectation
from bayesgmm.model.lanes import Lanes
from bayesgmm.model.mixture import Diagonal, Mixture, Spherical, Tied
from bayesgmm.numerics.rows import chunk_patterns, chunk_rows

SIZES = np.array([2, 4, 1, 0, 3])
D, N, LARGEST = 3, 60, 4
EMPTY_PLACES = 2
RECORDS = ("full", "tied", "diag", "spherical")


def lanes():
    """Lanes one after the other, and two empty places."""
    n_lanes = len(SIZES)
    lane = np.r_[np.repeat(np.arange(n_lanes), SIZES), np.full(EMPTY_PLACES, n_lanes)]
    component = np.concatenate([*map(np.arange, SIZES), np.zeros(EMPTY_PLACES, int)])
    return Lanes(*map(jnp.asarray, (lane, component, SIZES)))


def mixtures(name, offset=0.0):
    rng = np.random.default_rng(1)
    shape = (len(SIZES), LARGEST)
    root = rng.normal(size=(*shape, D, D))
    matrices = root @ np.swapaxes(root, -1, -2) + np.eye(D)
    family = family_named(name)
    covariance = {
        Tied: lambda: family.from_matrices(matrices[:, 0]),
        Diagonal: lambda: Diagonal(jnp.sqrt(np.diagonal(matrices, axis1=-2, axis2=-1))),
        Spherical: lambda: Spherical(jnp.sqrt(matrices[..., 0, 0])),
    }.get(family.record, lambda: family.from_matrices(matrices))()
    log_weights = jnp.log(rng.dirichlet(np.ones(LARGEST), len(SIZES)))
    return family, Mixture(
        log_weights, jnp.asarray(rng.normal(size=(*shape, D)) + offset), covariance
    )


def alone(mixture, lane):
    size = SIZES[lane]
    (leaf,) = mixture.covariance
    part = leaf[lane] if isinstance(mixture.covariance, Tied) else leaf[lane, :size]
    covariance = type(mixture.covariance)(part)
    one = Mixture(mixture.log_weights[lane, :size], mixture.means[lane, :size], covariance)
    return jax.tree.map(lambda leaf: leaf[None], one)


def plain(values):
    return chunk_rows(values, 32, np.random.default_rng(3).uniform(0.5, 2, N))


def with_labels(values):
    labels = np.where(np.arange(N) % 3 == 0, 0, -1)
    return chunk_rows(values, 32, None, labels)


def with_missing_cells(values):
    cells = values.copy()
    cells[::2, 0], cells[::5, 2] = np.nan, np.nan
    return chunk_patterns(cells, 32)


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize(
    ("rows_of", "offset"),
    [(plain, 0.0), (plain, 1e5), (with_labels, 0.0), (with_missing_cells, 0.0)],
    ids=["plain", "far from the centre", "known labels", "missing cells"],
)
def test_a_pass_in_lanes_is_that_of_each_mixture(name, rows_of, offset):
    with jax.enable_x64(True), quick_compilation():
        family, mixture = mixtures(name, offset)
        rows = rows_of(np.random.default_rng(0).normal(size=(N, D)) + offset)
        together = jax.jit(partial(expectation, family))(mixture, rows, lanes())
        for lane in np.flatnonzero(SIZES):
            expected = expectation(family, alone(mixture, lane), rows)
            assert_close(together.log_likelihood[lane], expected.log_likelihood[0], rtol=1e-12)
            for ours, theirs in zip(together.statistics, expected.statistics, strict=True):
                tolerance = 1e-10 * np.abs(theirs).max()
                assert_close(ours[lane, : SIZES[lane]], theirs[0], rtol=1e-8, atol=tolerance)
                assert not np.asarray(ours[lane, SIZES[lane] :]).any()


# Their M-steps take long to compile.
SLOW = ("EVE", "VVE", "VEE", "VEI")


@pytest.mark.parametrize(
    "name",
    [pytest.param(one, marks=[pytest.mark.slow] if one in SLOW else []) for one in NAMES],
)
def test_components_that_are_not_there_do_not_change_an_m_step(name):
    """Padding has no rows and no scatter."""
    family = family_named(name)
    with jax.enable_x64(True), quick_compilation():
        _, mixture = mixtures(name)
        rows = plain(np.random.default_rng(0).normal(size=(N, D)))
        statistics = expectation(family, mixture, rows, lanes()).statistics
        padded = family.matrices(Mixture(*mixture[:2], family.maximise(statistics, 1e-9)))
        for lane in (0, 4):
            own = jax.tree.map(lambda leaf, lane=lane: leaf[lane, : SIZES[lane]], statistics)
            record = family.maximise(own, 1e-9)
            expected = family.matrices(Mixture(own.counts, own.means, record))
            tolerance = 1e-7 * float(np.abs(expected).max())
            assert_close(padded[lane, : SIZES[lane]], expected, rtol=1e-6, atol=tolerance)
