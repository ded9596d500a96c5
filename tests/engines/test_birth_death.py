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
from bayesgmm.engines.densities import densities_of, exchange
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


@every_family
def test_an_exchange_compares_two_mixtures(name):
    x = np.random.default_rng(1).normal(size=(N, D))
    with jax.enable_x64(True):
        before = draw_mixture(2, name)
        other = draw_mixture(3, name)
        if name == "tied":
            other = other._replace(covariance=before.covariance)
        slots = jnp.array([1, 3])
        # Two components of the other mixture take the places and, crosswise, the weights.
        new = part_of(name, other, slots)._replace(
            log_weights=before.log_weights[:, slots][:, ::-1]
        )
        after = (
            jax.tree.map(lambda leaf, part: leaf.at[:, slots].set(part), before, new)
            if (name != "tied")
            else before._replace(
                log_weights=before.log_weights.at[:, slots].set(new.log_weights),
                means=before.means.at[:, slots].set(new.means),
            )
        )
        rows = jax.device_put(chunk_rows(x, LENGTH))
        densities = densities_of(FAMILIES[name], before, rows)
        old = part_of(name, before, slots)
        parts = Mixture(
            jnp.concatenate([old.log_weights, new.log_weights], 1),
            jnp.concatenate([old.means, new.means], 1),
            old.covariance
            if name == "tied"
            else jax.tree.map(lambda *two: jnp.concatenate(two, 1), old.covariance, new.covariance),
        )
        log_ratio, factor = exchange(FAMILIES[name], parts, (-1, -1, 1, 1), rows, densities)
    expected = log_densities(name, after, x) - log_densities(name, before, x)
    # Subtraction loses what is small beside the old density.
    assert_close(factor.swapaxes(0, 1).reshape(-1)[:N], np.exp(expected), rtol=1e-9, atol=1e-13)
    assert_close(log_ratio[0], expected.sum(), rtol=1e-6)


def test_padding_counts_for_nothing():
    """Even where the only component there goes."""
    with jax.enable_x64(True):
        mixture = Mixture(
            jnp.log(jnp.array([[0.5, 0.5]])),
            jnp.array([[[0.0, 0.0], [60.0, 60.0]]]),
            FAMILIES["spherical"].record(jnp.ones((1, 2))),
        )
        rows = jax.device_put(chunk_rows(np.full((N, D), 60.0), LENGTH))
        densities = densities_of(FAMILIES["spherical"], mixture, rows)
        gone = part_of("spherical", mixture, jnp.array([0]))
        log_ratio, _ = exchange(FAMILIES["spherical"], gone, (-1,), rows, densities)
    assert_close(log_ratio, 0.0, atol=1e-9)


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
