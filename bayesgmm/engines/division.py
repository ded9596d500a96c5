"""The division of a split-merge move: a side for each row of S, and how probable it was."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from ..model.allocation import labelled_statistics, row_uniforms
from ..model.components import Drawn
from ..model.families.base import Family
from ..model.kernel import is_tight, log_joint
from ..model.mixture import Mixture, Statistics
from ..numerics.moments import weighted_sums
from ..numerics.rows import Rows
from .anchors import Choice
from .group import is_inside


class Division(NamedTuple):
    """The two sides of S.

    Attributes:
        statistics: of both sides, (B, 2, ...).
        is_first: whether a row is on the first side, (n_chunks, B, chunk); of no meaning outside S.
        log_probability: log q of the division, (B,).
    """

    statistics: Statistics
    is_first: Array
    log_probability: Array


class Placed(NamedTuple):
    """Rows as a division sees them: labels and uniform numbers (B, n), and places (n,)."""

    labels: Array
    uniforms: Array
    places: Array


class Known(NamedTuple):
    """Whose label is known, (n,), and whether those of S are on the first side, (B,)."""

    is_known: Array
    is_first: Array


class RowSides(NamedTuple):
    """Whether rows are on the first side and in S, (B, n) each, and log q of all, (B,)."""

    is_first: Array
    inside: Array
    log_probability: Array


def sides_of(
    log_joint: Array,
    placed: Placed,
    weights: Array,
    choice: Choice,
    anchors: Array,
    known: Known | None = None,
) -> RowSides:
    """Put rows on the sides of the move.

    Args:
        log_joint: of the launch, (B, 2, n).
        placed: the rows.
        weights: 1 for rows, 0 for padding, (n,).
        choice: the moves.
        anchors: places of the anchors, (B, 2); each stays on its side.
        known: rows whose label is known, if there are any.
    """
    labels = placed.labels
    first = choice.first[:, None].astype(labels.dtype)
    inside = is_inside(labels, choice) * weights
    log_odds = log_joint[:, 0] - log_joint[:, 1]
    is_anchor = placed.places == anchors[:, :, None]
    drawn_first = (placed.uniforms < jax.nn.sigmoid(log_odds)) & ~is_anchor[:, 1] | is_anchor[:, 0]
    is_fixed = is_anchor.any(1)
    if known is not None:
        drawn_first = jnp.where(known.is_known, known.is_first[:, None], drawn_first)
        is_fixed |= known.is_known
    is_first = jnp.where(choice.is_split[:, None], drawn_first, labels == first)
    log_q = jax.nn.log_sigmoid(jnp.where(is_first, log_odds, -log_odds))
    return RowSides(is_first, inside, (log_q * inside * ~is_fixed).sum(-1))


def divide(
    keys: Array,
    family: Family,
    launched: Mixture,
    drawn: Drawn,
    rows: Rows,
    labels: Array,
    choice: Choice,
    anchors: Array,
    known_first: Array | None = None,
) -> Division:
    """Divide S: at random by the launch for a split, as it stands for a merge.

    Args:
        keys: one key per chain, (B,).
        family: the covariance family.
        launched: two components per chain, (B, 2, ...).
        drawn: parameters of the components, (B, K, ...).
        rows: the rows.
        labels: (n_chunks, B, chunk).
        choice: the moves.
        anchors: positions of the anchors among all rows, (B, 2); each stays on its side.
        known_first: whether the rows of S whose label is known are on the first side, (B,).
    """
    n_chains, _, n_columns = launched.means.shape
    flat = family.natural(launched).reshape(2 * n_chains, -1)
    places = jnp.arange(rows.weights.size).reshape(rows.weights.shape)
    parts = (rows, labels, row_uniforms(keys, rows), places)
    current = Mixture(jnp.zeros(drawn.means.shape[:2]), drawn.means, drawn.covariance)
    tight = is_tight(family, current) | is_tight(family, launched)

    def sides(joint: Array, part: Any) -> RowSides:
        rows, labels, uniforms, places = part
        known = None if known_first is None else Known(rows.labels >= 0, known_first)
        return sides_of(
            joint, Placed(labels, uniforms, places), rows.weights, choice, anchors, known
        )

    def by_product(_: None) -> tuple[Statistics, Array, Array]:
        def chunk(carry: Any, part: Any) -> tuple[Any, Array]:
            features = family.features(part[0].values)
            joint = (flat @ features).reshape(n_chains, 2, -1)
            is_first, inside, log_q = sides(joint, part)
            weights = jnp.stack([inside * is_first, inside * ~is_first], 1)
            sums = weighted_sums(features, weights.reshape(2 * n_chains, -1))
            return jax.tree.map(jnp.add, carry, (sums, log_q)), is_first

        start = (jnp.zeros(flat.T.shape, flat.dtype), jnp.zeros(n_chains, flat.dtype))
        (sums, log_q), is_first = jax.lax.scan(chunk, start, parts)
        by_side = sums.T.reshape(n_chains, 2, -1)
        return family.statistics(by_side, n_columns), is_first, log_q

    def by_residual(_: None) -> tuple[Statistics, Array, Array]:
        def chunk(total: Array, part: Any) -> tuple[Array, tuple[Array, Array]]:
            joint = log_joint(family, launched, part[0].values)
            is_first, inside, log_q = sides(joint, part)
            side = jnp.where(inside > 0, jnp.where(is_first, 0, 1), 2).astype(jnp.uint8)
            return total + log_q, (is_first, side)

        log_q, (is_first, side) = jax.lax.scan(chunk, jnp.zeros(n_chains, flat.dtype), parts)
        return labelled_statistics(family, side, 2, rows), is_first, log_q

    return Division(*jax.lax.cond(tight, by_residual, by_product, None))
