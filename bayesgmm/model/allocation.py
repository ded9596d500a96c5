"""Labels of rows, drawn from their posterior given one mixture.

One uniform number per row, inverted through the cumulative responsibilities: a row's label depends
on its key and its position only, not on how the rows are cut into chunks or blocks of draws.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

from ..numerics.rows import Rows
from .families.base import Family
from .mixture import Mixture


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
def labels_of_draws(keys: Array, family: Family, mixtures: Mixture, rows: Rows) -> Array:
    """Redraw the labels of S mixtures, (S, n_chunks * chunk) as 16-bit integers."""

    def one(part: tuple[Array, Mixture]) -> Array:
        key, mixture = part
        return draw_labels(key, family, mixture, rows)[0].ravel().astype(jnp.int16)

    return jax.lax.map(one, (keys, mixtures))


def draw_keys(label_key: Array, n_draws: int) -> Array:
    """Return one key per draw, (S,): a function of the draw's number alone."""
    return jax.vmap(partial(jax.random.fold_in, label_key))(jnp.arange(n_draws))
