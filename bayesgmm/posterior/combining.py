"""The arithmetic of merging clusters by entropy: prices of all merges, and one merge after another."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import xlogy

# exp(-745) is the smallest number above zero: whatever is below is none.
NONE = -800.0


class Block(NamedTuple):
    """Some rows and what is known of them.

    Attributes:
        log_t: log probabilities of the clusters, those merged into another at ``NONE``, (K, n).
        weights: how many rows each counts as, zero for padding, (n,).
    """

    log_t: Array
    weights: Array


def combine(blocks: list[Block]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Merge all clusters, the pair whose merge lowers the entropy most first.

    Only the merges with the new cluster change their price, so each step is one pass over the rows.

    Returns:
        ``entropy``, ``n_merged`` and ``merges`` of ``MergedComponents``.
    """
    drops = np.array(sum(pairwise_drops(block) for block in blocks))
    n_clusters = len(drops)
    drops[np.tril_indices(n_clusters)] = -np.inf
    entropies = [sum(float(entropy_of(block.log_t, block.weights)) for block in blocks)]
    n_merged, merges = [], []
    for _ in range(n_clusters - 1):
        first, second = map(int, np.unravel_index(drops.argmax(), drops.shape))
        merged = [merge(block, first, second) for block in blocks]
        blocks = [block for block, _, _ in merged]
        counts = sum(count for _, count, _ in merged)
        replace_drops(drops, first, second, np.asarray(sum(changed for *_, changed in merged)))
        entropies.append(float(counts[1]))
        n_merged.append(float(counts[0]))
        merges.append((first, second))
    return np.maximum(entropies, 0.0), np.array(n_merged), np.array(merges)


def replace_drops(drops: np.ndarray, first: int, second: int, changed: np.ndarray) -> None:
    """Put the new prices of ``first`` (K,) in place, and take ``second`` out of the choice."""
    rest = np.isfinite(drops[first]) | np.isfinite(drops[:, first])
    rest[second] = False
    others = np.flatnonzero(rest)
    drops[np.minimum(others, first), np.maximum(others, first)] = changed[others]
    drops[second] = drops[:, second] = -np.inf


@jax.jit
def pairwise_drops(block: Block) -> Array:
    """Return by how much the merge of each pair would lower the entropy, (K, K)."""
    return jax.lax.map(lambda log_t: drops_with(block, log_t), block.log_t)


def drops_with(block: Block, log_t: Array) -> Array:
    """Return by how much merges of a cluster (n,) and each of them would lower the entropy, (K,).

    With a >= b the terms of a row are (a + b) log(a + b) - a log a - b log b
    = (a + b) log(1 + b / a) + b log(a / b), both positive: nothing cancels, however small.
    """
    larger, smaller = jnp.maximum(block.log_t, log_t), jnp.minimum(block.log_t, log_t)
    ratio, b = larger - smaller, jnp.exp(smaller)
    return ((jnp.exp(larger) + b) * jnp.log1p(jnp.exp(-ratio)) + b * ratio) @ block.weights


def entropy_of(log_t: Array, weights: Array) -> Array:
    """Return the entropy of a soft classification (K, n), ()."""
    t = jnp.exp(log_t)
    return -(xlogy(t, t).sum(0) @ weights)


@jax.jit
def merge(block: Block, first: int, second: int) -> tuple[Block, Array, Array]:
    """Merge two clusters.

    Returns:
        The block, the number of rows that were in either with the entropy afterwards (2,), and
        the drops of merges with the new cluster (K,).
    """
    best = block.log_t.argmax(0)
    n_merged = ((best == first) | (best == second)) @ block.weights
    both = jnp.minimum(jnp.logaddexp(block.log_t[first], block.log_t[second]), 0.0)
    new = Block(block.log_t.at[first].set(both).at[second].set(NONE), block.weights)
    counts = jnp.stack([n_merged, entropy_of(new.log_t, new.weights)])
    return new, counts, drops_with(new, both)
