"""Weights, known labels and missing cells in the likelihood that NUTS climbs, and in its fits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import textbook as tb
from numpyro.infer.util import log_density
from quick import quick_compilation
from textbook import STRUCTURES, assert_close

import bayesgmm as bg
from bayesgmm.model.kernel import mixture_log_likelihood

N, D, K = 12, 2, 3


@pytest.fixture(scope="module")
def complete():
    random = np.random.default_rng(0)
    return random.normal(size=(N, D)) + 2 * random.integers(0, K, (N, 1))


def with_holes(rows):
    missing = np.random.default_rng(1).random(rows.shape) < 0.3
    missing[missing.all(1), 0] = False
    return np.where(missing, np.nan, rows)


MARKS = {
    "weights": {"weights": np.random.default_rng(5).uniform(0, 3, N)},
    "labels": {"labels": np.where(np.arange(N) % 3 == 0, np.arange(N) % K, -1)},
}
MARKS["both"] = MARKS["weights"] | MARKS["labels"]


# The likelihood ----------------------------------------------------------------------------------


def by_hand(family, mixture, rows, weights, labels):
    """Pattern by pattern, with the submatrices of the observed cells."""
    matrices, total = family.matrices(mixture), 0.0
    for pattern in np.unique(np.isnan(rows), axis=0):
        mine, there = (np.isnan(rows) == pattern).all(1), np.flatnonzero(~pattern)
        inner = matrices[:, there[:, None], there]
        away = rows[mine][:, there] - mixture.means[:, None, there]
        log_det = jnp.linalg.slogdet(2 * jnp.pi * inner)[1]
        solved = jnp.linalg.solve(inner[:, None], away[..., None])[..., 0]
        log_joint = mixture.log_weights[:, None] - (log_det[:, None] + (solved * away).sum(-1)) / 2
        own = log_joint[labels[mine], np.arange(mine.sum())]
        total += weights[mine] @ jnp.where(labels[mine] < 0, jax.nn.logsumexp(log_joint, 0), own)
    return total


CASES = [
    pytest.param(
        one,
        holes,
        marks=() if one.name == "full" and holes else pytest.mark.slow,
        id=one.name + "-holes" * holes,
    )
    for one in STRUCTURES
    for holes in (False, True)
]


@pytest.mark.parametrize(("structure", "holes"), CASES)
def test_value_and_derivatives_are_those_of_the_density_row_by_row(structure, complete, holes):
    marks = MARKS["both"]
    rows = with_holes(complete) if holes else complete
    data = bg.Dataset.from_array(rows, **marks)
    with jax.enable_x64(True), quick_compilation():
        parameters = tb.random_parameters(np.random.default_rng(3), structure, K, D)
        mixture = jax.tree.map(jnp.asarray, tb.mixture_of(structure, parameters))
        chunks = jax.tree.map(jnp.asarray, data.rows(8))
        scaled = data.scaled()

        def ours(mixture):
            return mixture_log_likelihood(structure.family, mixture, chunks)

        def theirs(mixture):
            return by_hand(structure.family, mixture, scaled, **marks)

        def with_curvature(function):
            product = jax.jvp(jax.value_and_grad(function), (mixture,), (mixture,))
            return jax.tree.map(lower, product)

        found, expected = (jax.jit(with_curvature, static_argnums=0)(f) for f in (ours, theirs))
    for one, other in zip(*map(jax.tree.leaves, (found, expected)), strict=True):
        assert_close(one, other, rtol=1e-8, atol=1e-8)


def lower(leaf):
    """The part of a factor that is one."""
    return jnp.tril(leaf) if leaf.shape[-2:] == (D, D) else leaf


@pytest.mark.slow
def test_whole_weights_are_repeated_rows(complete):
    """The whole log density: units and prior follow the weights as well."""
    rows = with_holes(complete)
    weights = np.random.default_rng(5).integers(0, 4, N)
    labels = MARKS["labels"]["labels"]
    spec = bg.MixtureSpec(K, weights=bg.Dirichlet(2.0))
    weighted = bg.Dataset.from_array(rows, weights=weights, labels=labels)
    repeated = bg.Dataset.from_array(np.repeat(rows, weights, 0), labels=np.repeat(labels, weights))
    sites = {
        "sticks": np.array([0.3, -0.2]),
        "scale": np.diag([1.0, 2.0]),
        "covariances": np.random.default_rng(2).normal(size=(K, D * (D + 1) // 2)),
        "mean_noise": np.random.default_rng(4).normal(size=(K, D)),
    }
    with jax.enable_x64(True), quick_compilation():
        ours, theirs = (
            log_density(bg.numpyro_model(spec, data), (), {}, sites)[0]
            for data in (weighted, repeated)
        )
    assert_close(ours, theirs)
