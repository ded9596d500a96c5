"""The rows a launch is fitted to: rows of S, the cluster or the two that a move is about."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from ..model.allocation import barrier
from ..numerics.rows import Rows
from .anchors import SAMPLE_ROWS, Choice, Sample, few_rows, places_of_ranks

# Rows looked at for each place in the sample, until one belongs to S.
TRIES = 16
GOLDEN_RATIO = 0.6180339887498949


class Group(NamedTuple):
    """Some rows, those of S marked.

    Attributes:
        columns: (D, M), the same for all chains, or (B, D, M).
        inside: 1 for rows of S, (B, M).
    """

    columns: Array
    inside: Array


def sample_group(key: Array, rows: Rows, labels: Array, sample: Sample, choice: Choice) -> Group:
    """Sample rows of S in each chain, alike for every division of S. Few rows are all taken.

    Args:
        key: random key, of all chains.
        rows: the rows.
        labels: (n_chunks, B, chunk).
        sample: the rows the anchors were drawn from.
        choice: the moves, (B,).
    """
    if few_rows(rows):
        return Group(sample.columns, is_inside(sample.labels, choice) * sample.valid)
    length = jnp.int32(rows.weights.shape[-1])
    ranks = ranks_of_group(key, rows.weights.sum()).astype(jnp.int32)
    places = barrier(places_of_ranks(ranks, rows))
    there = labels[jax.lax.div(places, length), :, jax.lax.rem(places, length)]
    chosen, is_found = first_inside(there.T, choice)
    chosen = places[chosen]
    columns = rows.values[jax.lax.div(chosen, length), :, jax.lax.rem(chosen, length)]
    return Group(jnp.swapaxes(columns, -1, -2), is_found.astype(rows.values.dtype))


def ranks_of_group(key: Array, n_rows: Array) -> Array:
    """Return which of many rows are looked at, (tries * M,) out of 0, ..., N - 1."""
    # Multiples of the golden ratio spread evenly over the rows, however these are sorted.
    steps = jnp.arange(TRIES * SAMPLE_ROWS) * GOLDEN_RATIO
    spread = (jax.random.uniform(key, (), n_rows.dtype) + steps) % 1
    return (spread * n_rows).astype(int)


def first_inside(labels: Array, choice: Choice) -> tuple[Array, Array]:
    """Choose, of the rows looked at for each place in the sample, the first that belongs to S.

    Args:
        labels: of the rows looked at, (B, tries * M).
        choice: the moves, (B,).

    Returns:
        Positions among the rows looked at, and whether any belongs to S, (B, M) each.
    """
    inside = is_inside(labels, choice).reshape(-1, TRIES, SAMPLE_ROWS)
    return inside.argmax(1) * SAMPLE_ROWS + jnp.arange(SAMPLE_ROWS), inside.any(1)


def is_inside(labels: Array, choice: Choice) -> Array:
    """Say which labels (B, M) are those of the moves' clusters."""
    first, second = (one[:, None].astype(labels.dtype) for one in (choice.first, choice.second))
    return (labels == first) | (labels == second)
