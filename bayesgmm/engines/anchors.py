r"""Which move is proposed: two rows, the anchors, are split if they are together, else merged.

As in Jain & Neal (2004) the anchors stay the same in both directions of a move, and so does the
sample R of rows they are drawn from. The first is any row of R, or a row of any cluster of R:

    p(i | C) = 1 / (2 n) + 1 / (2 k m),   n rows, k clusters in R, m rows of i's cluster in R.

The second is the row nearest to it within a random subset of R of random size, near or anywhere; it
does not depend on C, so that p(i | C) is all that enters the acceptance ratio.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from ..model.allocation import barrier
from ..numerics.rows import Rows

SAMPLE_ROWS = 2048
# Subsets of n rows have up to n^0.75: in larger ones the nearest row is nearly the anchor itself.
LARGEST_SUBSET = 0.75


class Sample(NamedTuple):
    """Rows R that a move is made of, the same for all chains.

    Attributes:
        columns: (D, M).
        places: position of each row among all rows laid end to end, (M,).
        valid: 1 for rows, 0 for padding, (M,).
        labels: (B, M).
    """

    columns: Array
    places: Array
    valid: Array
    labels: Array


class Choice(NamedTuple):
    """A proposed move of one chain.

    Attributes:
        is_split: whether ``first`` is split, ``second`` being an empty slot; else they are merged.
        first: component of the first anchor, which stays, ().
        second: component that comes or goes, ().
        anchors: the two rows, as positions in the sample, (2,).
        possible: whether there is such a move.
        n_clusters: clusters in the sample before the move, ().
    """

    is_split: Array
    first: Array
    second: Array
    anchors: Array
    possible: Array
    n_clusters: Array


def few_rows(rows: Rows) -> bool:
    """Say whether a sample takes all rows."""
    return rows.weights.size <= SAMPLE_ROWS


def sample_rows(key: Array, rows: Rows, labels: Array) -> Sample:
    """Sample rows with their labels (n_chunks, B, chunk). Few rows are all taken."""
    n_chunks, n_columns, length = rows.values.shape
    if few_rows(rows):
        columns = jnp.moveaxis(rows.values, 1, 0).reshape(n_columns, -1)
        flat = jnp.moveaxis(labels, 1, 0).reshape(labels.shape[1], -1)
        every = Sample(columns, jnp.arange(n_chunks * length), rows.weights.ravel(), flat)
        return every if rows.position is None else padding_last(every)
    in_chunk = jnp.int32(length)
    places = places_of_ranks(ranks_of_sample(key, rows.weights.sum()).astype(jnp.int32), rows)
    chunk, place = jax.lax.div(places, in_chunk), jax.lax.rem(places, in_chunk)
    valid = jnp.ones(SAMPLE_ROWS, rows.values.dtype)
    return Sample(rows.values[chunk, :, place].T, places, valid, labels[chunk, :, place].T)


def ranks_of_sample(key: Array, n_rows: Array) -> Array:
    """Return which of many rows a sample takes, (M,) out of 0, ..., N - 1."""
    uniforms = barrier(jax.random.uniform(key, (SAMPLE_ROWS,), n_rows.dtype))
    return (uniforms * n_rows).astype(int)


def padding_last(sample: Sample) -> Sample:
    """Return the sample with padding at the end."""
    order = jnp.argsort(sample.valid == 0, stable=True)
    return Sample(*(leaf[..., order] for leaf in sample))


def places_of_ranks(ranks: Array, rows: Rows) -> Array:
    """Return where the rows of ranks 0, ..., N - 1 stand among all chunks laid end to end."""
    if rows.position is None:
        return ranks
    return jnp.searchsorted(jnp.cumsum(rows.weights), ranks, side="right").astype(ranks.dtype)


def spread_of(sample: Sample) -> Array:
    """Return the standard deviations of the columns of a sample, (D,)."""
    n_rows = sample.valid.sum()
    means = sample.columns @ sample.valid / n_rows
    variances = (sample.columns - means[:, None]) ** 2 @ sample.valid / n_rows
    return jnp.sqrt(variances) + jnp.finfo(variances.dtype).tiny


def choose(keys: Array, sample: Sample, scaled: Array, filled: Array) -> Choice:
    """Choose the anchors of each chain.

    Args:
        keys: one key per chain, (B,).
        sample: rows that anchors are drawn from.
        scaled: these rows in units of their spread, (D, M).
        filled: components with rows, (B, K).
    """

    def uniforms(key: Array) -> tuple[Array, Array]:
        key_few, key_rows = jax.random.split(key)
        shape = (2, sample.valid.size)
        few = jax.random.uniform(key_few, (4,), scaled.dtype)
        return few, jax.random.uniform(key_rows, shape, scaled.dtype)

    # The barrier keeps XLA from drawing the numbers again for each of their uses.
    few, by_row = barrier(jax.vmap(uniforms)(keys))
    one_chain = jax.vmap(choose_one, (0, 0, None, None, 0, 0))
    return one_chain(few, by_row, sample, scaled, sample.labels, filled)


def choose_one(
    uniforms: Array, by_row: Array, sample: Sample, scaled: Array, labels: Array, filled: Array
) -> Choice:
    """Choose the anchors of one chain by uniform numbers, (4,) and (2, M)."""
    n_rows = sample.valid.sum()
    present = ((labels == jnp.arange(filled.size)[:, None]) * sample.valid).sum(1) > 0
    n_clusters = present.sum()
    rank = (uniforms[0] * n_clusters).astype(int)
    cluster = ((jnp.cumsum(present) - 1 == rank) & present).argmax()
    of_cluster = (by_row[0] * (labels == cluster) * sample.valid).argmax()
    of_all = (uniforms[1] * n_rows).astype(of_cluster.dtype)
    one = jnp.where(uniforms[2] < 0.5, of_all, of_cluster)
    share = n_rows ** (LARGEST_SUBSET * uniforms[3] - 1)
    near = (by_row[1] < share) & (sample.valid > 0) & (sample.places != sample.places[one])
    squared = ((scaled - scaled[:, one, None]) ** 2).sum(0)
    other = jnp.where(near, squared, jnp.inf).argmin()
    first, second = labels[one].astype(int), labels[other].astype(int)
    is_split = first == second
    return Choice(
        is_split,
        first,
        jnp.where(is_split, filled.argmin(), second),
        jnp.stack([one, other]),
        near.any() & ~(is_split & filled.all()),
        n_clusters,
    )


def log_choice(choice: Choice, n_rows: Array, n_first: Array, n_second: Array) -> Array:
    """Return log p(i | finer partition) - log p(i | coarser partition), ().

    Args:
        choice: the move.
        n_rows: rows in the sample.
        n_first: rows of the sample on the first anchor's side.
        n_second: rows of the sample on the other side.
    """
    n_fine = choice.n_clusters + choice.is_split
    fine = 1 / n_rows + 1 / (n_fine * n_first)
    coarse = 1 / n_rows + 1 / ((n_fine - 1) * (n_first + n_second))
    return jnp.log(fine / coarse)
