"""Labels of rows, drawn from their posterior given one mixture.

One uniform number per row, inverted through the cumulative responsibilities: a row's label depends
on its key and its position only, not on how the rows are cut into chunks or blocks of draws.
"""

import operator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..numerics.precision import in_float64
from ..numerics.rows import Rows, chunk_length, chunk_rows
from .families.base import Family
from .kernel import log_joint
from .mixture import Mixture

# Labels kept at once while redrawing: 64 million 16-bit integers, 128 MB.
LABEL_BLOCK = 64_000_000


def draw_labels(key: Array, family: Family, mixture: Mixture, rows: Rows) -> tuple[Array, Array]:
    """Draw one label per row from a mixture without leading axes.

    Returns:
        Labels (n_chunks, chunk), of no meaning at padding rows, and the log-likelihood, ().
    """
    natural = family.natural(mixture)
    uniforms = jax.random.uniform(key, rows.weights.shape, natural.dtype)

    def chunk(total: Array, part: tuple[Rows, Array]) -> tuple[Array, Array]:
        rows, uniform = part
        log_joint = natural @ family.features(rows.values)
        highest = log_joint.max(0)
        cumulative = jnp.cumsum(jnp.exp(log_joint - highest), 0)
        labels = (uniform * cumulative[-1] >= cumulative[:-1]).sum(0)
        log_density = jnp.log(cumulative[-1]) + highest
        return total + log_density @ rows.weights, labels

    start = jnp.zeros((), natural.dtype)
    total, labels = jax.lax.scan(chunk, start, (rows, uniforms))
    return labels, total


def count_labels(labels: Array, rows: Rows, n_components: int) -> Array:
    """Count the rows with each label, padding left out, (K,)."""
    weights = rows.weights.ravel()
    return jnp.zeros(n_components, weights.dtype).at[labels.ravel()].add(weights)


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


def draw_keys(label_key: Array, n_draws: int) -> Array:
    """Return one key per draw, (S,): a function of the draw's number alone."""
    return keys_of_draws(label_key, np.arange(n_draws))


@jax.jit
def keys_of_draws(label_key: Array, draws: Array) -> Array:
    """Return the keys of draws with given numbers."""
    return jax.vmap(partial(jax.random.fold_in, label_key))(draws)


@in_float64
def redraw_labels(
    label_key: np.ndarray | None,
    family: Family,
    mixtures: Mixture,
    draws: np.ndarray,
    scaled: np.ndarray,
    rows: Any,
) -> np.ndarray:
    """Return labels under some of S mixtures, (len(draws), len(rows)), a block of draws at a time.

    Args:
        label_key: raw key the labels were drawn with; None for the most probable labels.
        family: the covariance family.
        mixtures: S mixtures in engine units.
        draws: indices of the mixtures whose labels are wanted.
        scaled: all rows in engine units, (N, D).
        rows: indices to keep, or None for all.
    """
    width = family.n_features(scaled.shape[1]) + mixtures.log_weights.shape[-1]
    chunked = jax.device_put(chunk_rows(scaled, chunk_length(len(scaled), width)))
    kept = slice(0, len(scaled)) if rows is None else np.arange(len(scaled))[rows]
    key = None if label_key is None else jax.random.wrap_key_data(jnp.asarray(label_key))
    size = max(1, min(len(draws), LABEL_BLOCK // len(scaled)))
    blocks = []
    for start in range(0, len(draws), size):
        chosen = slice(start, start + size)
        part = jax.tree.map(operator.itemgetter(draws[chosen]), mixtures)
        keys = None if key is None else keys_of_draws(key, draws[chosen])
        blocks.append(np.asarray(labels_of_draws(keys, family, part, chunked))[:, kept])
    return np.concatenate(blocks)
