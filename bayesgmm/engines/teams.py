"""Chains in teams: one program per team, teams side by side on the cores of a CPU.

XLA spreads large operations over the cores by itself, the many small ones of few rows it does not.
Equal teams share one compiled program.
"""

import os
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, NamedTuple

import jax
import numpy as np

from ..numerics.precision import in_float64
from .sweep import Draw, Problem, State


class Team(NamedTuple):
    """A team of chains: its part of the problem and where it is."""

    problem: Problem
    state: State


class Runner(NamedTuple):
    """What runs a slice of sweeps, (problem, state, n) -> (state, draws), and the longest slice."""

    run: Callable[[Problem, State, Any], tuple[State, Draw]]
    longest: int


class Slice(NamedTuple):
    """A slice of sweeps: the draws to keep, (n_kept, C, ...), and where the chains are, (C,)."""

    kept: Draw
    n_clusters: np.ndarray


def divided(n_chains: int, *, alone: bool = False, together: bool = False) -> list[np.ndarray]:
    """Divide chains into as many equal teams as there are cores for, one where there is no CPU.

    With missing cells each chain is ``alone``: it draws them, so that its rows are its own. Where reading
    the rows is what takes long, all chains go ``together``.
    """
    if together:
        return [np.arange(n_chains)]
    if alone:
        return np.split(np.arange(n_chains), n_chains)
    n_cores = (os.cpu_count() or 1) if jax.default_backend() == "cpu" else 1
    possible = range(1, min(n_chains, n_cores) + 1)
    n_teams = max(n for n in possible if n_chains % n == 0)
    return np.split(np.arange(n_chains), n_teams)


def advance_teams(
    run: Callable[[Problem, State, Any], tuple[State, Draw]],
    pool: Executor,
    teams: list[Team],
    n_sweeps: int,
    index: np.ndarray,
) -> tuple[list[Team], Slice]:
    """Run a slice of sweeps of every team and keep the draws at ``index``."""

    @in_float64
    def one(team: Team) -> tuple[Team, Slice]:
        state, draws = run(team.problem, team.state, np.int32(n_sweeps))
        last = np.asarray((draws.counts[n_sweeps - 1] > 0).sum(-1))
        return team._replace(state=state), Slice(keep(draws, index), last)

    advanced, slices = zip(*pool.map(one, teams), strict=True)
    kept = joined([one.kept for one in slices], axis=1)
    return list(advanced), Slice(kept, np.concatenate([one.n_clusters for one in slices]))


def keep(draws: Draw, index: np.ndarray) -> Draw:
    """Copy some of the draws out of a slice's buffers."""
    return jax.tree.map(lambda leaf: np.asarray(leaf)[index], draws)


def joined(parts: list[Any], axis: int) -> Any:
    """Lay records end to end along an axis."""
    return jax.tree.map(lambda *leaves: np.concatenate(leaves, axis), *parts)
