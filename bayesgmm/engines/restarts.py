"""Whether restarts found the same clusters, not only the same likelihood.

Adjusted Rand index of the most probable labels of each restart and those of the best (Hubert & Arabie
1985, Journal of Classification 2, 193-218), from the table of rows they share.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from ..model.families.base import Family
from ..model.missing import log_joint_of_chunk
from ..model.mixture import Mixture
from ..numerics.rows import Rows


@partial(jax.jit, static_argnums=0)
def agreement(family: Family, mixtures: Mixture, best: int, rows: Rows) -> Array:
    """Return the adjusted Rand index of B restarts and the best of them, (B,).

    Every row that counts at all counts once.
    """
    if mixtures.log_weights.shape[0] == 1:
        return jnp.ones(1)
    return adjusted_rand(shared_rows(family, best, mixtures, rows))


@partial(jax.jit, static_argnums=0)
def shared_rows(family: Family, best: ArrayLike, mixtures: Mixture, rows: Rows) -> Array:
    """Count rows by their component in each restart and in the best, (B, K, K)."""
    n_components = mixtures.log_weights.shape[-1]

    def shared(table: Array, part: Rows) -> tuple[Array, None]:
        labels = log_joint_of_chunk(family, mixtures, part).argmax(1)
        members = jax.nn.one_hot(labels, n_components, axis=1, dtype=part.weights.dtype)
        counted = (part.weights > 0).astype(members.dtype)
        return table + jnp.einsum("bkn,jn,n->bkj", members, members[best], counted), None

    start = jnp.zeros((len(mixtures.log_weights), n_components, n_components), rows.weights.dtype)
    return jax.lax.scan(shared, start, rows)[0]


def adjusted_rand(table: Array) -> Array:
    """Return the adjusted Rand index from tables of shared rows (B, K, J), (B,)."""
    total = pairs(table.sum((1, 2)))
    ours, theirs = pairs(table.sum(2)).sum(1), pairs(table.sum(1)).sum(1)
    expected = ours * theirs / total
    most = (ours + theirs) / 2
    # Both partitions of one cluster, or of single rows: they are equal.
    is_trivial = most == expected
    index = (pairs(table).sum((1, 2)) - expected) / jnp.where(is_trivial, 1.0, most - expected)
    return jnp.where(is_trivial, 1.0, index)


def pairs(counts: Array) -> Array:
    """Return the number of pairs of so many rows."""
    return counts * (counts - 1) / 2
