"""Labels that are not kept: drawn again, wherever a row is looked at, from what they were drawn from.

A label is a function of key, row and mixture, and each move since then changes it as a function of key, row
and launch. A sweep forgets the labels before it, so that this history is short.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from ..model.allocation import pick
from ..model.families.base import Family
from ..model.kernel import is_tight, log_joint
from ..model.mixture import Mixture
from ..numerics.uniforms import uniforms_at
from .anchors import Choice
from .division import Placed, RowSides, sides_of
from .moves import relabelled
from .schedule import MOST_MOVES


class Move(NamedTuple):
    """A move as every row sees it, in B chains.

    Attributes:
        key: raw random key of the division, (B, 2).
        launched: the launch, (B, 2, ...).
        choice: which clusters, (B,).
        anchors: numbers of the rows that are the anchors, (B, 2).
        is_tight: whether densities under the launch are taken from residuals, ().
        is_accepted: (B,).
    """

    key: Array
    launched: Mixture
    choice: Choice
    anchors: Array
    is_tight: Array
    is_accepted: Array


class Redrawn(NamedTuple):
    """What the labels of B chains are drawn from.

    Attributes:
        key: raw random key of the draw, (B, 2).
        mixture: (B, K, ...).
        moves: since the draw, with a leading axis for ``MOST_MOVES`` of them; None before the first.
        n_moves: how many there were, ().
    """

    key: Array
    mixture: Mixture
    moves: Move | None
    n_moves: Array


def freshly_drawn(keys: Array, mixture: Mixture) -> Redrawn:
    """Return the history of labels that no move has changed."""
    return Redrawn(jax.random.key_data(keys), mixture, None, jnp.int32(0))


def with_move(redrawn: Redrawn, move: Move) -> Redrawn:
    """Return the history with one more move."""
    moves = redrawn.moves
    if moves is None:
        moves = jax.tree.map(lambda leaf: jnp.zeros((MOST_MOVES, *leaf.shape), leaf.dtype), move)
    moves = jax.tree.map(lambda into, leaf: into.at[redrawn.n_moves].set(leaf), moves, move)
    return redrawn._replace(moves=moves, n_moves=redrawn.n_moves + 1)


def labels_at(family: Family, redrawn: Redrawn, columns: Array, places: Array) -> Array:
    """Return the labels of rows.

    Args:
        family: the covariance family.
        redrawn: the history of the labels.
        columns: the rows, (D, n).
        places: their numbers, (n,).

    Returns:
        Components, (B, n).
    """
    tight = is_tight(family, redrawn.mixture)
    joint = joint_in_form(family, tight, redrawn.mixture, columns)
    labels, _ = pick(uniforms_of(redrawn.key, places), joint)
    moves = redrawn.moves
    if moves is None:
        return labels

    def again(i: Array, labels: Array) -> Array:
        move: Move = jax.tree.map(lambda leaf: leaf[i], moves)
        joint = joint_in_form(family, move.is_tight, move.launched, columns)
        sides = sides_at(move, joint, labels, places)
        return relabelled(labels, move.choice, sides.is_first, move.is_accepted)

    return jax.lax.fori_loop(0, redrawn.n_moves, again, labels)


def sides_at(move: Move, joint: Array, labels: Array, places: Array) -> RowSides:
    """Return the sides of rows (n,) in a move, given densities (B, 2, n) under its launch and labels (B, n)."""
    placed = Placed(labels, uniforms_of(move.key, places), places)
    return sides_of(joint, placed, jnp.ones(places.shape), move.choice, move.anchors)


def uniforms_of(key: Array, places: Array) -> Array:
    """Return the uniform numbers of rows under raw keys (B, 2), (B, n)."""
    return uniforms_at(jax.random.wrap_key_data(key), places)


def joint_in_form(family: Family, tight: Array, mixture: Mixture, columns: Array) -> Array:
    """Return log w_k + log N(x | k) of B mixtures, (B, K, n), by residuals or by one product."""
    shape = mixture.log_weights.shape

    def product(mixture: Mixture, columns: Array) -> Array:
        natural = family.natural(mixture)
        flat = natural.reshape(-1, natural.shape[-1])
        return (flat @ family.features(columns)).reshape(*shape, -1)

    return jax.lax.cond(tight, partial(log_joint, family), product, mixture, columns)
