r"""What known labels ask of a split-merge move.

Labels tell clusters apart: rows with the same one are together, rows with different ones are not. Given
that, the posterior is the one without labels restricted to the partitions that agree, and a component
of any number may take the name of its known rows: the cluster of label k stands in slot k.

A cluster holds known rows of one label at most. A split draws one side for all of them together,
with the probability

    q = 1 / (1 + exp(-sum of the log odds of these rows under the launch)),

a sum that is linear in the sums of their features; an anchor among them takes them to its own side. Two
anchors that are known are never split, and two clusters with known rows never merged.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from ..model.allocation import label_sums
from ..model.families.base import Family
from ..model.mixture import Mixture
from ..numerics.rows import Rows, sum_chunks
from .anchors import Choice
from .division import Division


class Known(NamedTuple):
    """The known rows of S, (B,) each.

    Attributes:
        exist: whether there are any.
        is_first: whether they stand on the first side.
        log_probability: log q of that, zero where it is no choice.
        possible: whether the move leaves labels as they are.
    """

    exist: Array
    is_first: Array
    log_probability: Array
    possible: Array


def known_sums(family: Family, n_components: int, rows: Rows) -> Array | None:
    """Return the sums of the features of the known rows of each label, (F, K); None without any."""
    if rows.labels is None:
        return None

    def of_chunk(part: Rows) -> Array:
        assert part.labels is not None
        weights = part.weights * (part.labels >= 0)
        return label_sums(family.features(part.values), part.labels[None], n_components, weights)

    return sum_chunks(of_chunk, rows)


def known_rows(
    keys: Array,
    family: Family,
    launched: Mixture,
    sums: Array,
    choice: Choice,
    anchors_known: Array,
) -> Known:
    """Choose the side of the known rows of S: at random for a split, as it stands for a merge.

    Args:
        keys: one key per chain, (B,).
        family: the covariance family.
        launched: two components per chain, (B, 2, ...).
        sums: ``known_sums``.
        choice: the moves, (B,).
        anchors_known: whether the labels of the anchors are known, (B, 2).
    """
    # The first feature is one.
    is_known = sums[0] > 0
    first, second = is_known[choice.first], is_known[choice.second]
    slot = jnp.where(second, choice.second, choice.first)
    natural = family.natural(launched)
    log_odds = ((natural[:, 0] - natural[:, 1]) * sums.T[slot]).sum(-1)
    uniforms = jax.vmap(lambda key: jax.random.uniform(key, (), log_odds.dtype))(keys)
    one, other = anchors_known[:, 0], anchors_known[:, 1]
    drawn = jnp.where(one | other, one, uniforms < jax.nn.sigmoid(log_odds))
    is_first = jnp.where(choice.is_split, drawn, first)
    is_free = (first | second) & ~(one | other)
    log_q = jax.nn.log_sigmoid(jnp.where(is_first, log_odds, -log_odds))
    return Known(
        first | second,
        is_first,
        jnp.where(is_free, log_q, 0.0),
        jnp.where(choice.is_split, ~(one & other), ~(first & second)),
    )


def are_known(rows: Rows, places: Array) -> Array:
    """Say whether the labels of rows at places (B, 2) are known, (B, 2)."""
    assert rows.labels is not None
    return rows.labels.ravel()[places] >= 0


def under_their_names(known: Known, choice: Choice, division: Division) -> tuple[Choice, Division]:
    """Let the side of the known rows have the slot of their label."""
    turned = known.exist & ~known.is_first
    merged = turned & ~choice.is_split
    named = choice._replace(
        first=jnp.where(merged, choice.second, choice.first),
        second=jnp.where(merged, choice.first, choice.second),
        possible=choice.possible & known.possible,
    )

    def turn(leaf: Array) -> Array:
        return jnp.where(turned.reshape(-1, *[1] * (leaf.ndim - 1)), leaf[:, ::-1], leaf)

    statistics = jax.tree.map(turn, division.statistics)
    is_first = division.is_first ^ turned[:, None]
    return named, division._replace(statistics=statistics, is_first=is_first)
