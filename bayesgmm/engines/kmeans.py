"""k-means for many numbers of clusters and restarts at once, as a start of EM.

Lloyd's algorithm (1982, IEEE Transactions on Information Theory 28, 129-137) from the seeds of ``seeding``.
The seeds for K clusters are the first K of one sequence, so that each restart draws a single
sequence for all K.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from ..model.families.base import Family
from ..model.lanes import Lanes, apart, side_by_side
from ..model.mixture import Mixture, Statistics, Tied
from ..numerics.rows import Rows, sum_chunks

MOST_UPDATES = 300
# scikit-learn's: centres that move by less than this share of the variance are at rest.
TOLERANCE = 1e-4


class Means(NamedTuple):
    """Cluster centres on their way.

    Attributes:
        centres: (L, K, D), padded.
        n_iter: updates made, (L,).
        at_rest: whether they have stopped moving, (L,).
    """

    centres: Array
    n_iter: Array
    at_rest: Array


@jax.jit
def lloyd(means: Means, rows: Rows, variance: ArrayLike, n_turns: ArrayLike, lanes: Lanes) -> Means:
    """Move every centre to the mean of the rows nearest to it, ``n_turns`` times or until at rest."""
    n_components = means.centres.shape[1]

    def turn(taken: tuple[Means, Array]) -> tuple[Means, Array]:
        means, n = taken
        flat = lanes.flat(means.centres)
        sums = sum_chunks(lambda part: nearest_sums(flat, part, lanes), rows)
        counts = sums[:, :1]
        moved = jnp.where(counts > 0, sums[:, 1:] / jnp.where(counts > 0, counts, 1.0), flat)
        new = lanes.padded(moved, n_components)
        shift = ((new - means.centres) ** 2).sum((1, 2))
        going = ~means.at_rest
        rests = going & ((shift <= TOLERANCE * variance) | (means.n_iter + 1 >= MOST_UPDATES))
        centres = jnp.where(going[:, None, None], new, means.centres)
        return Means(centres, means.n_iter + going, means.at_rest | rests), n + 1

    def goes_on(taken: tuple[Means, Array]) -> Array:
        return ~taken[0].at_rest.all() & (taken[1] < n_turns)

    return jax.lax.while_loop(goes_on, turn, (means, jnp.int32(0)))[0]


@jax.jit
def lloyd_labels(centres: Array, rows: Rows, variance: ArrayLike) -> Array:
    """Run Lloyd's algorithm from centres (K, D); return each row's nearest, (n_chunks, chunk)."""
    size = len(centres)
    lanes = Lanes(jnp.zeros(size, jnp.int32), jnp.arange(size), jnp.full(1, size))
    start = Means(centres[None], jnp.zeros(1, jnp.int32), jnp.zeros(1, bool))
    (end,) = lloyd(start, rows, variance, MOST_UPDATES, lanes).centres
    return jax.lax.map(lambda columns: scores_of(end, columns).argmax(0), rows.values)


def nearest_sums(flat: Array, rows: Rows, lanes: Lanes) -> Array:
    """Return how many rows are nearest to each centre (W, D), and their sums, (W, 1 + D).

    Rows as near to two centres count for both.
    """
    scores = scores_of(flat, rows.values)
    share = jnp.where(scores >= lanes.highest(scores)[lanes.lane], rows.weights, 0.0)
    ones = jnp.ones_like(rows.values[:1])
    return share @ jnp.concatenate([ones, rows.values]).T


def scores_of(flat: Array, columns: Array) -> Array:
    """Return half of |x|^2 less the squared distance to each centre, (W, n).

    Behind a barrier: computed once more for a comparison with their maximum they may round otherwise.
    """
    return jax.lax.optimization_barrier(flat @ columns - (flat**2).sum(-1, keepdims=True) / 2)


def nearest(flat: Array, columns: Array, lanes: Lanes) -> Array:
    """Return one where a centre (W, D) is the nearest of its lane to columns (D, n), (W, n).

    Rows as near to two centres are shared.
    """
    scores = scores_of(flat, columns)
    is_nearest = (scores >= lanes.highest(scores)[lanes.lane]).astype(scores.dtype)
    return is_nearest / lanes.total(is_nearest)[lanes.lane]


def nearest_statistics(family: Family, centres: Array, rows: Rows, lanes: Lanes) -> Statistics:
    """Return the statistics of the rows nearest to each centre (L, K, D), (L, K, ...)."""
    shape = centres.shape
    size = shape[:1] if family.record is Tied else shape[:2]
    identity = jnp.broadcast_to(jnp.eye(shape[-1], dtype=centres.dtype), (*size, *shape[-1:] * 2))
    unit = Mixture(jnp.zeros(shape[:2]), centres, family.from_matrices(identity))
    flat_family, flat = side_by_side(family, unit, lanes)

    def moments(part: Rows) -> tuple[Array, Array, Array]:
        share = nearest(flat.means[0], part.values, lanes)[None] * part.weights
        residuals = part.values - flat.means[..., None]
        first = jnp.einsum("bwn,bwdn->bwd", share, residuals)
        return share.sum(-1), first, flat_family.second_moment(share, residuals)

    found = flat_family.statistics_about(flat, *sum_chunks(moments, rows))
    return apart(found, lanes, shape[1])
