"""Densities of the rows under each component, and how those of the mixture change where few do.

A pass with all components keeps one number per row and component. A change of two components then
costs a pass with these alone, and drawing labels none at all.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from ..model.allocation import (
    Allocation,
    barrier,
    invert,
    is_tight,
    label_sums,
    label_type,
    labelled_statistics,
    row_uniforms,
)
from ..model.families.base import Family
from ..model.kernel import log_joint
from ..model.mixture import Mixture
from ..numerics.rows import Rows

# A density that falls by sixteen digits is lost in rounding. Exchanges that change that of any row by
# this factor, up or down, are refused, so that none is possible in one direction alone.
LARGEST_FACTOR = 1e8
# Rows whose factors are multiplied before a logarithm is taken.
FACTORS = 4


class Densities(NamedTuple):
    """w_k N(x | k) under B mixtures, over exp(highest).

    Attributes:
        highest: of each row when the densities were computed, (n_chunks, B, chunk).
        total: sum over components, (n_chunks, B, chunk).
        terms: (n_chunks, B, K, chunk).
    """

    highest: Array
    total: Array
    terms: Array


class Exchange(NamedTuple):
    """Two components of each mixture replaced.

    Attributes:
        log_ratio: log-likelihoods, new minus old; -inf for an exchange that is refused, (B,).
        total: new sums over components, (n_chunks, B, chunk).
        terms: of the two, old and new, (n_chunks, B, 2, chunk) each.
    """

    log_ratio: Array
    total: Array
    terms: tuple[Array, Array]


def densities_of(family: Family, mixture: Mixture, rows: Rows) -> Densities:
    """Return the densities of the rows under B mixtures."""
    joint_of = joint_function(family, mixture, rows)

    def chunk(columns: Array) -> Densities:
        joint = joint_of(columns)
        highest = joint.max(1)
        terms = barrier(jnp.exp(joint - highest[:, None]))
        return Densities(highest, terms.sum(1), terms)

    return jax.lax.map(chunk, rows.values)


def joint_function(family: Family, mixture: Mixture, rows: Rows) -> Callable[[Array], Array]:
    """Return log w_k + log N(x | k), (B, K, n), as a function of columns (D, n)."""
    shape = mixture.log_weights.shape
    natural = family.natural(mixture).reshape(mixture.log_weights.size, -1)
    tight = is_tight(family, mixture, rows)

    def joint(columns: Array) -> Array:
        return jax.lax.cond(
            tight,
            lambda columns: log_joint(family, mixture, columns),
            lambda columns: (natural @ family.features(columns)).reshape(*shape, -1),
            columns,
        )

    return joint


def exchange(
    family: Family, pair: Mixture, slots: Array, rows: Rows, densities: Densities
) -> Exchange:
    """Compare the mixtures with those in which two components are others.

    Args:
        family: the covariance family.
        pair: the new components, with their weights, (B, 2, ...).
        slots: which they replace, (B, 2).
        rows: the rows.
        densities: of the present mixtures.
    """
    joint_of = joint_function(family, pair, rows)

    def chunk(log_ratio: Array, part: Any) -> tuple[Array, Any]:
        rows, highest, total, terms = part
        old = picked(terms, slots)
        new = barrier(jnp.exp(joint_of(rows.values) - highest[:, None]))
        moved = barrier(total + (new - old).sum(1))
        # Padding is no row, wherever a component that went had been.
        factors = jnp.where(rows.weights > 0, moved / total, 1.0)
        is_possible = (factors < LARGEST_FACTOR) & (factors > 1 / LARGEST_FACTOR)
        change = jnp.where(is_possible.all(1), sum_of_logs(factors), -jnp.inf)
        return log_ratio + change, (moved, (old, new))

    start = jnp.zeros(pair.log_weights.shape[0], densities.total.dtype)
    log_ratio, (total, terms) = jax.lax.scan(chunk, start, (rows, *densities))
    return Exchange(log_ratio, total, terms)


def sum_of_logs(factors: Array) -> Array:
    """Return sum log factors (B, n), (B,): few logarithms, of products."""
    whole = factors.shape[1] // FACTORS * FACTORS
    left = factors[:, whole:].prod(1, keepdims=True)
    products = factors[:, :whole].reshape(len(factors), FACTORS, whole // FACTORS)
    first, *others = (products[:, i] for i in range(FACTORS))
    for other in others:
        first = first * other
    return jnp.log(jnp.concatenate([first, left], axis=1)).sum(1)


def picked(terms: Array, slots: Array) -> Array:
    """Pick components of (B, K, n), (B, 2, n)."""
    # Slices, not a gather, which XLA runs as a loop on a CPU.
    return jnp.stack(
        [jnp.stack([terms[b, slot] for slot in slots[b]]) for b in range(terms.shape[0])]
    )


def settled(accepted: Array, slots: Array, exchanged: Exchange, densities: Densities) -> Densities:
    """Return the densities after the exchange in those of B mixtures where it was accepted."""
    chosen = accepted[:, None]
    total = jnp.where(chosen, exchanged.total, densities.total)
    old, new = exchanged.terms
    put = jnp.where(chosen[..., None], new, old)
    terms = densities.terms
    for b in range(terms.shape[1]):
        for i in range(2):
            place = (0, b, slots[b, i], 0)
            terms = jax.lax.dynamic_update_slice(terms, put[:, b, i][:, None, None], place)
    return Densities(densities.highest, total, terms)


def allocate_by(
    keys: Array, family: Family, mixture: Mixture, rows: Rows, densities: Densities
) -> Allocation:
    """Draw labels like ``allocate``, without computing the densities again."""
    n_chains, n_components, n_columns = mixture.means.shape
    kind = label_type(n_components)
    n_features = family.n_features(n_columns)

    def chunk(carry: tuple[Array, Array], part: Any) -> tuple[tuple[Array, Array], Array]:
        log_likelihood, sums = carry
        rows, uniforms, highest, terms = part
        labels, total = invert(uniforms, terms)
        sums += label_sums(family.features(rows.values), labels, n_components, rows.weights)
        log_density = jnp.where(rows.weights > 0, jnp.log(total) + highest, 0.0)
        return (log_likelihood + log_density @ rows.weights, sums), labels.astype(kind)

    start = (jnp.zeros(n_chains), jnp.zeros((n_features, n_chains * n_components)))
    parts = (rows, row_uniforms(keys, rows), densities.highest, densities.terms)
    (log_likelihood, sums), labels = jax.lax.scan(chunk, start, parts)
    statistics = jax.lax.cond(
        is_tight(family, mixture, rows),
        lambda: labelled_statistics(family, labels, n_components, rows),
        lambda: family.statistics(sums.T.reshape(n_chains, n_components, -1), n_columns),
    )
    return Allocation(labels, statistics, log_likelihood)
