"""Labels of rows, drawn from their posterior given one mixture.

One uniform number per row, inverted through the cumulative responsibilities: a row's label depends
on its key and its position only, not on how the rows are cut into chunks or blocks of draws.
"""

import operator
from functools import partial
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..numerics.moments import weighted_sums
from ..numerics.precision import in_float64
from ..numerics.rows import Rows, chunk_length, chunk_patterns, chunk_rows, chunk_vector, sum_chunks
from ..numerics.uniforms import uniforms_at
from .families.base import Family
from .kernel import Assignment, assigned_statistics, is_tight, log_joint
from .missing import log_joint_of_chunk
from .mixture import Mixture, Statistics
from .responsibilities import clamped

# Labels kept at once while redrawing: 64 million 16-bit integers, 128 MB.
LABEL_BLOCK = 64_000_000

barrier = jax.lax.optimization_barrier


class Allocation(NamedTuple):
    """Labels drawn for B mixtures.

    Attributes:
        labels: components, (n_chunks, B, chunk); of no meaning at padding rows. None where not kept.
        statistics: moments of the rows of each component, (B, K, ...).
        log_likelihood: sum over rows of log p(x), (B,).
        values: rows with their missing cells drawn, (n_chunks, D, chunk); None where none is missing.
    """

    labels: Array | None
    statistics: Statistics
    log_likelihood: Array
    values: Array | None = None


def label_type(n_components: int) -> Any:
    """Return the smallest integer type that holds a label."""
    return jnp.uint8 if n_components <= 256 else jnp.uint16


def allocate(keys: Array, family: Family, mixtures: Mixture, rows: Rows) -> Allocation:
    """Draw one label per row and mixture, and return the statistics of the rows so divided.

    Args:
        keys: one key per mixture, (B,).
        family: the covariance family.
        mixtures: B mixtures, (B, K, ...).
        rows: the rows.
    """
    tight = is_tight(family, mixtures)
    return jax.lax.cond(
        tight, partial(_allocate_tight, family), partial(_allocate, family), keys, mixtures, rows
    )


def _allocate(family: Family, keys: Array, mixtures: Mixture, rows: Rows) -> Allocation:
    """Allocate by the product form; the statistics are a third product of the same features."""
    n_chains, n_components, n_columns = mixtures.means.shape
    natural = family.natural(mixtures).reshape(n_chains * n_components, -1)
    kind = label_type(n_components)

    def chunk(carry: tuple[Array, Array], part: Any) -> tuple[tuple[Array, Array], Array]:
        total, sums = carry
        rows, uniforms = part
        features = family.features(rows.values)
        log_joint = (natural @ features).reshape(n_chains, n_components, -1)
        labels, log_density = pick(uniforms, clamped(log_joint, rows.labels))
        sums += label_sums(features, labels, n_components, rows.weights)
        return (total + log_density @ rows.weights, sums), labels.astype(kind)

    start = (jnp.zeros(n_chains, natural.dtype), jnp.zeros(natural.T.shape, natural.dtype))
    (total, sums), labels = jax.lax.scan(chunk, start, (rows, row_uniforms(keys, rows)))
    by_component = sums.T.reshape(n_chains, n_components, -1)
    return Allocation(labels, family.statistics(by_component, n_columns), total)


def label_sums(features: Array, labels: Array, n_components: int, weights: Array) -> Array:
    """Sum features (F, n) over the rows of each label (B, n), (F, B K)."""
    ones = one_hot(labels, n_components) * weights
    return weighted_sums(features, ones.reshape(-1, weights.size))


def _allocate_tight(family: Family, keys: Array, mixtures: Mixture, rows: Rows) -> Allocation:
    """Allocate by the residual form; the statistics take a second pass about the means."""
    n_components = mixtures.log_weights.shape[-1]
    kind = label_type(n_components)

    def chunk(total: Array, part: Any) -> tuple[Array, Array]:
        rows, uniforms = part
        joint = clamped(log_joint(family, mixtures, rows.values), rows.labels)
        labels, log_density = pick(uniforms, joint)
        return total + log_density @ rows.weights, labels.astype(kind)

    start = jnp.zeros(len(keys), mixtures.means.dtype)
    total, labels = jax.lax.scan(chunk, start, (rows, row_uniforms(keys, rows)))
    return Allocation(labels, labelled_statistics(family, labels, n_components, rows), total)


def labelled_statistics(family: Family, labels: Array, n_components: int, rows: Rows) -> Statistics:
    """Return the statistics of labels (n_chunks, B, chunk) in two passes, (B, K, ...)."""

    def one(labels: Array) -> Statistics:
        expand = partial(one_hot, n_components=n_components, dtype=rows.values.dtype)
        return assigned_statistics(family, labels, rows, expand)

    return jax.lax.map(one, jnp.swapaxes(labels, 0, 1))


def summed_statistics(family: Family, labels: Array, n_components: int, rows: Rows) -> Statistics:
    """Return the statistics of labels (n_chunks, B, chunk) by one product of features, (B, K, ...)."""

    def of_chunk(part: tuple[Rows, Array]) -> Array:
        rows, labels = part
        return label_sums(family.features(rows.values), labels, n_components, rows.weights)

    sums = sum_chunks(of_chunk, (rows, labels)).T
    return family.statistics(sums.reshape(labels.shape[1], n_components, -1), rows.values.shape[1])


def row_uniforms(keys: Array, rows: Rows) -> Array:
    """Return a uniform number per row and key, (n_chunks, B, chunk): a function of key and row."""
    shape, dtype = rows.weights.shape, rows.values.dtype
    if rows.position is not None:
        return jnp.swapaxes(uniforms_at(keys, rows.position).astype(dtype), 0, 1)
    uniforms = jax.vmap(lambda key: jax.random.uniform(key, shape, dtype))(keys)
    return jnp.swapaxes(uniforms, 0, 1)


def drawn(uniforms: Array) -> Assignment:
    """Give each row to one component by a uniform number, (n_chunks, B, chunk), and forget the label."""

    def assign(log_joint: Array, rows: Rows, uniforms: Array) -> tuple[Array, Array]:
        labels, log_density = pick(uniforms, clamped(log_joint, rows.labels))
        ones = one_hot(labels, log_joint.shape[1], log_joint.dtype)
        return log_density @ rows.weights, ones * rows.weights

    return Assignment(assign, uniforms)


def pick(uniforms: Array, log_joint: Array) -> tuple[Array, Array]:
    """Invert the cumulative probabilities of log_joint (B, K, n) at uniforms (B, n).

    Returns:
        Labels (B, n) and log densities (B, n).
    """
    highest = log_joint.max(1)
    # The barriers keep XLA from computing exponentials and labels again for each consumer.
    labels, total = invert(uniforms, barrier(jnp.exp(log_joint - highest[:, None])))
    return labels, jnp.log(total) + highest


def invert(uniforms: Array, terms: Array) -> tuple[Array, Array]:
    """Invert the running sums of terms (B, K, n) at uniforms (B, n).

    Returns:
        Labels (B, n) and sums (B, n).
    """
    total = barrier(terms.sum(1))
    threshold = uniforms * total
    # A running sum over few components, spelled out: XLA's cumulative sum is many times slower.
    labels = jnp.zeros(uniforms.shape, jnp.int32)
    reached = jnp.zeros_like(total)
    for k in range(terms.shape[1] - 1):
        reached += terms[:, k]
        labels += threshold >= reached
    return barrier(labels), total


def one_hot(labels: Array, n_components: int, dtype: Any = float) -> Array:
    """Return labels (..., n) as rows of zeros and ones, (..., K, n)."""
    return (labels[..., None, :] == jnp.arange(n_components)[:, None]).astype(dtype)


def draw_labels(key: Array, family: Family, mixture: Mixture, rows: Rows) -> tuple[Array, Array]:
    """Draw one label per row from a mixture without leading axes.

    Returns:
        Labels (n_chunks, chunk), of no meaning at padding rows, and the log-likelihood, ().
    """
    single = jax.tree.map(lambda leaf: leaf[None], mixture)
    natural = family.natural(mixture)
    tight = is_tight(family, single)

    def chunk(total: Array, part: tuple[Rows, Array]) -> tuple[Array, Array]:
        rows, uniforms = part
        if rows.observed is not None:
            joint = log_joint_of_chunk(family, mixture, rows)
        else:
            joint = jax.lax.cond(
                tight,
                lambda columns: log_joint(family, mixture, columns),
                lambda columns: natural @ family.features(columns),
                rows.values,
            )
        labels, log_density = pick(uniforms, clamped(joint[None], rows.labels))
        return total + log_density[0] @ rows.weights, labels[0]

    start = jnp.zeros((), natural.dtype)
    total, labels = jax.lax.scan(chunk, start, (rows, row_uniforms(key[None], rows)))
    return labels, total


def count_labels(labels: Array, rows: Rows, n_components: int) -> Array:
    """Count the rows with each label, whatever weight they have but none, (K,)."""
    counted = (rows.weights.ravel() > 0).astype(rows.weights.dtype)
    return jnp.zeros(n_components, counted.dtype).at[labels.ravel()].add(counted)


@partial(jax.jit, static_argnums=1)
def counts_and_log_likelihood(
    keys: Array, family: Family, mixtures: Mixture, rows: Rows
) -> tuple[Array, Array]:
    """Draw labels for S mixtures, one at a time; return counts (S, K) and log-likelihoods (S,)."""

    def one(part: tuple[Array, Mixture]) -> tuple[Array, Array]:
        key, mixture = part
        labels, total = draw_labels(key, family, mixture, rows)
        return count_labels(labels, rows, mixture.log_weights.shape[-1]), total

    return jax.lax.map(one, (keys, mixtures))


@partial(jax.jit, static_argnums=1)
def some_labels_of_draws(
    keys: Array, family: Family, mixtures: Mixture, rows: Rows, index: Array
) -> Array:
    """Return the labels of the rows at positions (M,) alone, (S, M): those of ``labels_of_draws``."""
    columns = jnp.moveaxis(rows.values, 1, 0).reshape(rows.values.shape[1], -1)[:, index]

    def drawn(part: tuple[Array, Mixture]) -> Array:
        key, mixture = part
        single = jax.tree.map(lambda leaf: leaf[None], mixture)
        joint = jax.lax.cond(
            is_tight(family, single),
            lambda columns: log_joint(family, mixture, columns),
            lambda columns: family.natural(mixture) @ family.features(columns),
            columns,
        )
        uniforms = row_uniforms(key[None], rows).ravel()[index]
        return pick(uniforms[None], joint[None])[0][0].astype(jnp.int16)

    return jax.lax.map(drawn, (keys, mixtures))


@partial(jax.jit, static_argnums=1)
def labels_of_draws(keys: Array | None, family: Family, mixtures: Mixture, rows: Rows) -> Array:
    """Return labels of S mixtures, (S, n_chunks * chunk): drawn, or most probable without keys."""

    def drawn(part: tuple[Array, Mixture]) -> Array:
        key, mixture = part
        return draw_labels(key, family, mixture, rows)[0].ravel().astype(jnp.int16)

    def most_probable(mixture: Mixture) -> Array:
        columns = jnp.moveaxis(rows.values, 1, 0).reshape(rows.values.shape[1], -1)
        return log_joint(family, mixture, columns).argmax(0).astype(jnp.int16)

    if keys is None:
        return jax.lax.map(most_probable, mixtures)
    return jax.lax.map(drawn, (keys, mixtures))


def draw_numbers(draw: Any, chain: Any, n_chains: Any) -> Any:
    """Return the number behind a draw's label key: chains side by side, whatever their length."""
    return draw * n_chains + chain


def draw_keys(label_key: Array, n_chains: int, n_draws: int) -> Array:
    """Return one key per draw, (C * S,), chain after chain."""
    chain, draw = np.divmod(np.arange(n_chains * n_draws), n_draws)
    return keys_of_draws(label_key, draw_numbers(draw, chain, n_chains))


@jax.jit
def keys_of_draws(label_key: Array, draws: Array) -> Array:
    """Return the keys of draws with given numbers."""
    return jax.vmap(partial(jax.random.fold_in, label_key))(draws)


def labels_by_pattern(family: Family, mixtures: Mixture, scaled: np.ndarray) -> np.ndarray:
    """Return the most probable labels of rows (N, D) with missing cells under one mixture, (1, N)."""
    patterns, pattern_of = np.unique(np.isnan(scaled), axis=0, return_inverse=True)
    labels = np.empty((1, len(scaled)), np.int16)
    for index, absent in enumerate(patterns):
        chosen = np.flatnonzero(pattern_of.ravel() == index)
        chunk = Rows(
            jnp.asarray(np.where(absent, 0.0, scaled[chosen]).T),
            jnp.ones(len(chosen)),
            observed=jnp.asarray(~absent),
        )
        labels[:, chosen] = log_joint_of_chunk(family, mixtures, chunk).argmax(1)
    return labels


def places_of(rows: Rows) -> np.ndarray:
    """Return where each row of the table stands among all chunks laid end to end, (N,)."""
    there = np.flatnonzero(np.ravel(rows.weights) > 0)
    return there[np.argsort(np.ravel(cast(Array, rows.position))[there])]


@in_float64
def redraw_labels(
    label_key: np.ndarray | None,
    family: Family,
    mixtures: Mixture,
    draws: np.ndarray,
    n_chains: int,
    scaled: np.ndarray,
    rows: Any,
    places: np.ndarray | None = None,
) -> np.ndarray:
    """Return labels under some of S mixtures, (len(draws), len(rows)), a block of draws at a time.

    Args:
        label_key: raw key the labels were drawn with; None for the most probable labels.
        family: the covariance family.
        mixtures: S mixtures in engine units.
        draws: indices of the mixtures whose labels are wanted.
        n_chains: chains the S mixtures are made of, one after the other.
        scaled: all rows in engine units, (N, D).
        rows: indices to keep, or None for all.
        places: which rows of a longer table they are, (N,); the first N by default.
    """
    has_missing = bool(np.isnan(scaled).any())
    if label_key is None and has_missing:
        return labels_by_pattern(family, mixtures, scaled)[:, slice(None) if rows is None else rows]
    width = family.n_features(scaled.shape[1]) + mixtures.log_weights.shape[-1]
    length = chunk_length(len(scaled), width)
    chunked = chunk_patterns(scaled, length) if has_missing else chunk_rows(scaled, length)
    kept = slice(0, len(scaled)) if rows is None else np.arange(len(scaled))[rows]
    if places is not None:
        chunked = chunked._replace(position=cast(Array, chunk_vector(places, length)))
    if has_missing:
        kept = places_of(chunked)[kept]
    chunked = jax.device_put(chunked)
    key = None if label_key is None else jax.random.wrap_key_data(jnp.asarray(label_key))
    size = max(1, min(len(draws), LABEL_BLOCK // len(scaled)))
    blocks = []
    for start in range(0, len(draws), size):
        chosen = slice(start, start + size)
        part = jax.tree.map(operator.itemgetter(draws[chosen]), mixtures)
        chain, draw = np.divmod(draws[chosen], mixtures.log_weights.shape[0] // n_chains)
        numbers = draw_numbers(draw, chain, n_chains)
        keys = None if key is None else keys_of_draws(key, numbers)
        if keys is None or rows is None or has_missing:
            blocks.append(np.asarray(labels_of_draws(keys, family, part, chunked))[:, kept])
        else:
            index = jnp.asarray(kept)
            blocks.append(np.asarray(some_labels_of_draws(keys, family, part, chunked, index)))
    return np.concatenate(blocks)
