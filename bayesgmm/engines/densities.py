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
    label_sums,
    label_type,
    labelled_statistics,
    row_uniforms,
)
from ..model.completion import complete
from ..model.families.base import Family
from ..model.kernel import is_tight, log_joint
from ..model.missing import log_joint_of_chunk
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
    joint_of = joint_function(family, mixture, rows, jnp.arange(mixture.log_weights.shape[1])[None])

    def chunk(part: Rows) -> Densities:
        joint = joint_of(part)
        highest = joint.max(1)
        terms = barrier(jnp.exp(joint - highest[:, None]))
        return Densities(highest, terms.sum(1), terms)

    return jax.lax.map(chunk, rows)


def joint_function(
    family: Family, mixture: Mixture, rows: Rows, slots: Array
) -> Callable[[Rows], Array]:
    """Return log w_k + log N(x | k), (B, K, n), as a function of a chunk of rows.

    Rows whose label is known have none but that of its component; ``slots`` (B, K) are their numbers.
    """
    shape = mixture.log_weights.shape
    natural = family.natural(mixture).reshape(mixture.log_weights.size, -1)
    tight = is_tight(family, mixture)

    def of_all(part: Rows) -> Array:
        if part.observed is not None:
            return log_joint_of_chunk(family, mixture, part)
        return jax.lax.cond(
            tight,
            lambda columns: log_joint(family, mixture, columns),
            lambda columns: (natural @ family.features(columns)).reshape(*shape, -1),
            part.values,
        )

    def joint(part: Rows) -> Array:
        if part.labels is None:
            return of_all(part)
        possible = (part.labels < 0) | (part.labels == slots[..., None])
        return jnp.where(possible, of_all(part), -jnp.inf)

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
    joint_of = joint_function(family, pair, rows, slots)

    def chunk(log_ratio: Array, part: Any) -> tuple[Array, Any]:
        rows, highest, total, terms = part
        old = picked(terms, slots)
        new = barrier(jnp.exp(joint_of(rows) - highest[:, None]))
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
    """Draw labels, and missing cells, without computing the densities again."""
    if rows.observed is not None:
        return complete(keys, family, mixture, rows, *labels_by(keys, mixture, rows, densities))
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
        is_tight(family, mixture),
        lambda: labelled_statistics(family, labels, n_components, rows),
        lambda: family.statistics(sums.T.reshape(n_chains, n_components, -1), n_columns),
    )
    return Allocation(labels, statistics, log_likelihood)


def labels_by(
    keys: Array, mixture: Mixture, rows: Rows, densities: Densities
) -> tuple[Array, Array]:
    """Draw labels (n_chunks, B, chunk) and return them with the log-likelihood (B,)."""
    kind = label_type(mixture.log_weights.shape[1])

    def chunk(log_likelihood: Array, part: Any) -> tuple[Array, Array]:
        weights, uniforms, highest, terms = part
        labels, total = invert(uniforms, terms)
        log_density = jnp.where(weights > 0, jnp.log(total) + highest, 0.0)
        return log_likelihood + log_density @ weights, labels.astype(kind)

    parts = (rows.weights, row_uniforms(keys, rows), densities.highest, densities.terms)
    log_likelihood, labels = jax.lax.scan(chunk, jnp.zeros(len(keys)), parts)
    return labels, log_likelihood
