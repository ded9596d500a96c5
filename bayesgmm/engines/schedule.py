"""When a run of the partition sampler does what: warm-up, kept draws, and how many moves in a sweep."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array


class Schedule(NamedTuple):
    """Sweeps of warm-up, draws per chain, sweeps per draw, and chains of the run, () each."""

    n_warmup: Array
    n_draws: Array
    thin: Array
    n_chains: Array


class Series(NamedTuple):
    """A number of births and deaths, and in which sweeps: every so many."""

    n_moves: int
    every: int


# Split-merge moves: where a pass over the rows costs little, one and two more per column in every
# sweep, since in more columns fewer are accepted; among more rows one, and beyond in every third
# sweep, as beside births and deaths; some while chains settle. Births and deaths mix better following
# each other than spread over sweeps, so that they come in series.
FEW_ROWS, MANY_ROWS = 2_000, 20_000
MOST_MOVES = 8
SETTLING_MOVES = 3
FEW, SOME, MANY = Series(2, 1), Series(8, 4), Series(8, 32)


def is_kept(schedule: Schedule, index: Array) -> Array:
    """Say whether a sweep gives a draw, or would if warm-up were not discarded, ()."""
    return (index - schedule.n_warmup + 1) % schedule.thin == 0


def is_settling(schedule: Schedule, index: Array) -> Array:
    """Say whether a sweep belongs to the first half of warm-up, ()."""
    return 2 * index < schedule.n_warmup


def number_of_moves(
    n_rows: Any, n_columns: int, index: Any, settles: Any, *, beside_births: bool
) -> Array:
    """Return the number of split-merge moves in a sweep, ()."""
    many_rows = FEW_ROWS if beside_births else MANY_ROWS
    rarely = jnp.where(n_rows < many_rows, 1, index % 3 == 0)
    n_moves = jnp.where(settles, SETTLING_MOVES, rarely)
    return jnp.where(n_rows <= FEW_ROWS, min(1 + 2 * n_columns, MOST_MOVES), n_moves)
