"""The parts of a birth or death: densities after an exchange, moments of two components.

That the whole move leaves the posterior as it is, ``test_gibbs_exact`` shows, and
``test_gibbs_geweke`` that it does so for the joint distribution.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import textbook as tb
from scipy.special import logsumexp
from textbook import assert_close

from bayesgmm.engines.birth_death import moved_moments
from bayesgmm.engines.densities import (
    allocate_by,
    densities_of,
    exchange,
    settled,
    sum_of_logs,
)
from bayesgmm.model.allocation import allocate
from bayesgmm.model.families import FAMILIES
from bayesgmm.model.mixture import Mixture
from bayesgmm.numerics.rows import chunk_rows

N, D, K, LENGTH = 50, 2, 4, 32

every_family = pytest.mark.parametrize("name", FAMILIES)


def draw_mixture(seed, name, n_components=K):
    """One chain's mixture, (1, K, ...)."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(n_components, D, D)) / 2 + np.eye(D)
    matrices = factors @ factors.swapaxes(1, 2)
    if name == "tied":
        matrices = matrices[0]
    if name in ("diag", "spherical"):
        matrices = matrices * np.eye(D)
    if name == "spherical":
        matrices = np.eye(D) * matrices[:, :1, :1]
    log_weights = np.log(rng.dirichlet(np.ones(n_components)))
    covariance = FAMILIES[name].from_matrices(matrices)
    mixture = Mixture(log_weights, rng.normal(size=(n_components, D)), covariance)
    return jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], mixture)


def log_densities(name, mixture, x):
    """log p(x), (N,), in plain NumPy."""
    structure = next(one for one in tb.STRUCTURES if one.name == name)
    parameters = tb.parameters_of(structure, jax.tree.map(lambda leaf: leaf[0], mixture))
    offsets = x[:, None] - parameters.means
    matrices = np.broadcast_to(parameters.matrices, (parameters.means.shape[0], D, D))
    squares = np.einsum("nki,kij,nkj->nk", offsets, np.linalg.inv(matrices), offsets)
    log_det = np.linalg.slogdet(2 * np.pi * matrices)[1]
    return logsumexp(np.log(parameters.weights) - (squares + log_det) / 2, axis=1)


def part_of(name, mixture, slots):
    """Some of the components; those of a tied family share their covariance."""
    covariance = mixture.covariance
    if name != "tied":
        covariance = jax.tree.map(lambda leaf: leaf[:, slots], covariance)
    return Mixture(mixture.log_weights[:, slots], mixture.means[:, slots], covariance)


def exchanged(name, x, accepted):
    """Two components of a mixture replaced: both mixtures, the slots, the rows, and what became of it."""
    family, before, other = FAMILIES[name], draw_mixture(2, name), draw_mixture(3, name)
    if name == "tied":
        other = other._replace(covariance=before.covariance)
    slots = jnp.array([[3, 1]])
    # Two components of the other mixture take the places and, crosswise, the weights.
    pair = part_of(name, other, slots[0])._replace(
        log_weights=before.log_weights[:, slots[0][::-1]]
    )
    after = before._replace(
        log_weights=before.log_weights.at[:, slots[0]].set(pair.log_weights),
        means=before.means.at[:, slots[0]].set(pair.means),
    )
    if name != "tied":
        put = jax.tree.map(
            lambda leaf, part: leaf.at[:, slots[0]].set(part), before.covariance, pair.covariance
        )
        after = after._replace(covariance=put)
    rows = jax.device_put(chunk_rows(x, LENGTH))
    densities = densities_of(family, before, rows)
    exchange_ = exchange(family, pair, slots, rows, densities)
    return before, after, rows, exchange_, settled(accepted, slots, exchange_, densities)


@every_family
def test_an_exchange_compares_two_mixtures(name):
    x = np.random.default_rng(1).normal(size=(N, D))
    with jax.enable_x64(True):
        before, after, _, exchange_, settled_ = exchanged(name, x, jnp.array([True]))
    old, new = (log_densities(name, mixture, x) for mixture in (before, after))
    assert_close(exchange_.log_ratio[0], (new - old).sum(), rtol=1e-6)
    log_density = jnp.log(settled_.total) + settled_.highest
    # Subtraction loses what is small beside the old density.
    assert_close(
        np.exp(log_density.swapaxes(0, 1).reshape(-1)[:N]), np.exp(new), rtol=1e-9, atol=1e-13
    )


@every_family
@pytest.mark.parametrize("is_accepted", [True, False])
def test_labels_from_densities_are_those_of_the_mixture(name, is_accepted):
    x = np.random.default_rng(5).normal(size=(N, D))
    with jax.enable_x64(True):
        before, after, rows, _, densities = exchanged(name, x, jnp.array([is_accepted]))
        mixture, keys = after if is_accepted else before, jax.random.split(jax.random.key(1), 1)
        ours = allocate_by(keys, FAMILIES[name], mixture, rows, densities)
        expected = allocate(keys, FAMILIES[name], mixture, rows)
    flat, expected_flat = (one.labels.swapaxes(0, 1).reshape(-1)[:N] for one in (ours, expected))
    assert (np.asarray(flat) == np.asarray(expected_flat)).all()
    for ours_leaf, leaf in zip(ours.statistics, expected.statistics, strict=True):
        assert_close(ours_leaf, leaf, rtol=1e-10, atol=1e-12)
    assert_close(ours.log_likelihood, expected.log_likelihood)


def test_padding_counts_for_nothing():
    """Even where the only component there goes, or one comes that doubles cannot hold."""
    with jax.enable_x64(True):
        family, rows = FAMILIES["spherical"], jax.device_put(chunk_rows(np.full((N, D), 60.0), 32))
        means = jnp.array([[[0.0, 0.0], [60.0, 60.0]]])
        mixture = Mixture(jnp.log(jnp.array([[0.5, 0.5]])), means, family.record(jnp.ones((1, 2))))
        for moved in (jnp.full((1, 2, 2), 60.0), means):
            densities = densities_of(family, mixture, rows)
            pair, slots = mixture._replace(means=moved), jnp.array([[0, 1]])
            exchange_ = exchange(family, pair, slots, rows, densities)
            gain = N * np.log(2) if moved is not means else 0.0
            assert_close(exchange_.log_ratio, gain, atol=1e-9)
            after = settled(jnp.array([True]), slots, exchange_, densities)
            keys = jax.random.split(jax.random.key(1), 1)
            labelling = allocate_by(keys, family, pair, rows, after)
            assert np.isfinite(labelling.log_likelihood).all()
            assert labelling.statistics.counts.sum() == N


@pytest.mark.parametrize(("place", "is_possible"), [(5.0, True), (10.0, False)])
def test_an_exchange_is_possible_both_ways_or_not_at_all(place, is_possible):
    """A component comes to one row far away, or goes from there."""
    with jax.enable_x64(True):
        family, slots = FAMILIES["spherical"], jnp.array([[0, 1]])
        rows = jax.device_put(chunk_rows(np.r_[np.zeros(N - 1), place][:, None], LENGTH))
        ones = family.record(jnp.ones((1, 2)))
        away, near = (
            Mixture(jnp.log(jnp.array([[0.98, 0.02]])), jnp.array([[[0.0], [at]]]), ones)
            for at in (0.0, place)
        )
        there, back = (
            float(exchange(family, new, slots, rows, densities_of(family, old, rows)).log_ratio[0])
            for old, new in ((away, near), (near, away))
        )
    if is_possible:
        assert_close(there, -back, rtol=1e-9)
    else:
        assert there == back == -np.inf


@pytest.mark.parametrize("n_factors", [3, 8, 13])
def test_sum_of_logs(n_factors):
    with jax.enable_x64(True):
        factors = np.random.default_rng(0).uniform(0.1, 9, (2, n_factors))
        assert_close(sum_of_logs(jnp.asarray(factors)), np.log(factors).sum(1), rtol=1e-13)


@every_family
def test_moments_of_two_components_together(name):
    with jax.enable_x64(True):
        family, mixture = FAMILIES[name], draw_mixture(4, name, 2)
        one, other = (
            jax.tree.map(lambda leaf: leaf[0], part_of(name, mixture, jnp.array([k])))
            for k in (0, 1)
        )
        together = moved_moments(family, one, other, 1.0)
        log_total = jnp.logaddexp(one.log_weights, other.log_weights)
        whole = Mixture(log_total, *together)
        left = moved_moments(family, whole, other, -1.0)
        shares = np.exp(np.concatenate([one.log_weights, other.log_weights]) - log_total)
        means = np.concatenate([one.means, other.means])
        matrices = np.concatenate([family.matrices(one), family.matrices(other)])
        assert_close(together[0][0], shares @ means)
        between = np.einsum("k,ki,kj->ij", shares, means, means) - np.outer(*[shares @ means] * 2)
        expected = np.einsum("k,kij->ij", shares, matrices) + between
        if name in ("diag", "spherical"):
            expected = expected * np.eye(D)
        if name == "spherical":
            expected = np.eye(D) * np.trace(expected) / D
        if name == "tied":
            expected = matrices[0]
        assert_close(family.matrices(whole)[0], expected)
        assert_close(left[0], one.means, rtol=1e-9)
        assert_close(family.matrices(one._replace(covariance=left[1])), matrices[:1], rtol=1e-9)


@pytest.mark.parametrize("name", ["full", "diag", "spherical"])
def test_what_would_leave_no_covariance_is_not_a_number(name):
    with jax.enable_x64(True):
        family = FAMILIES[name]
        unit = family.from_matrices(np.eye(D)[None])
        component = partial(Mixture, means=jnp.zeros((1, D)))
        whole = component(jnp.log(jnp.ones(1)), covariance=unit)
        wide = component(jnp.log(jnp.full(1, 0.5)), covariance=family.scale_by(unit, 2.0))
        _, covariance = moved_moments(family, whole, wide, -1.0)
    assert np.isnan(np.asarray(covariance[0])).any()
