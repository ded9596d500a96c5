"""EM for several numbers of components and all their restarts by one compiled program.

The program is compiled once for a covariance structure: ``engines.packs`` feeds it the restarts that
have not ended, whatever their K. Short climbs from all starts are followed by a long one from the best
of each K (Biernacki, Celeux & Govaert 2003, Computational Statistics & Data Analysis 41, 561-575).
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

import numpy as np
from jax import Array

from ..model.families.base import Family
from ..model.lanes import Lanes
from ..model.resolved import Model
from ..numerics.rows import Rows
from ..result import Fit
from .climb import ACTIVE, FINISHED, FINISHING, Climb, Objective, climb, evaluate
from .em import EM, CollapsedError, best_restart, build_fit, objective_of
from .grid import Grid, row_sums, trimmed
from .grid_starts import Starts
from .packs import Worked, lanes_of, loads, put, take, work_off

# Updates of EM between two packings.
TURNS = 32


@dataclass(frozen=True)
class Ascent:
    """One covariance structure on its way up.

    Attributes:
        family: the structure.
        objective: what is maximised.
        grid: the lanes.
    """

    family: Family
    objective: Objective
    grid: Grid

    def climb(self, state: Climb, tol: float, bar: Any = None) -> Worked:
        """Take turns until every restart has finished."""

        def advance(part: Climb, lanes: Lanes) -> Climb:
            rows, turns = self.grid.rows, np.int32(TURNS)
            return climb(self.family, self.objective, part, rows, np.float64(tol), turns, lanes)

        def is_left(state: Climb) -> np.ndarray:
            return np.asarray(state.phase) < FINISHED

        return work_off(advance, state, self.grid.sizes, self.grid.shape, is_left, bar)

    def best(self, state: Climb) -> dict[int, int]:
        """Return the best lane of every K that has one."""
        found = {}
        for size in map(int, np.unique(self.grid.sizes)):
            lanes = self.grid.of(size)
            with contextlib.suppress(CollapsedError):
                found[size] = int(lanes[best_restart(trimmed(state, lanes, size))])
        return found

    def settled(self, state: Climb, tol: float) -> Climb:
        """Bring the objective of restarts that were cut short up to their parameters.

        Restarts that met the tolerance of the short climbs only were cut short as well.
        """
        cut = np.flatnonzero(np.asarray(state.phase) == ACTIVE)
        for members in loads(self.grid.sizes, cut, self.grid.shape):
            lanes = lanes_of(self.grid.sizes[members], self.grid.shape)
            part = take(state, members, self.grid.shape)
            rows, least = self.grid.rows, np.float64(0)
            put(state, members, evaluate(self.family, self.objective, part, rows, least, lanes))
        short = np.asarray(state.converged) & (self.last_gain(state) >= tol)
        return state._replace(
            phase=cast(Array, np.where(short, ACTIVE, state.phase)),
            converged=state.converged & ~short,
        )

    def row_sums(self, state: Climb, members: np.ndarray, rows: Rows) -> np.ndarray:
        """Return sums over rows of log p(x), and of log p(x, k) of the likeliest k, (M, 2)."""
        out = np.empty((len(self.grid.sizes), 2))
        for load in loads(self.grid.sizes, members, self.grid.shape):
            lanes = lanes_of(self.grid.sizes[load], self.grid.shape)
            mixture = take(state.mixture, load, self.grid.shape)
            put(out, load, row_sums(self.family, mixture, rows, lanes))
        return out[members]

    def last_gain(self, state: Climb) -> np.ndarray:
        """Return the gain in mean log-likelihood per row that ended each restart's climb, (L,)."""
        history, n_iter = np.asarray(state.history), np.asarray(state.n_iter)
        lanes = np.arange(len(n_iter))
        gain = history[lanes, np.maximum(n_iter - 1, 0)] - history[lanes, np.maximum(n_iter - 2, 0)]
        return np.where(n_iter > 1, np.abs(gain) / float(self.grid.rows.weights.sum()), np.inf)

    def polish(self, state: Climb, tol: float) -> Worked:
        """Let the best restart of every K climb on; if it collapses there, the next best."""
        polished: set[int] = set()
        seconds = np.zeros(len(self.grid.sizes))
        while new := sorted(
            lane
            for lane in self.best(state).values()
            if lane not in polished and state.collapsed[lane] < 0
        ):
            polished |= set(new)
            on = np.isin(np.arange(len(self.grid.sizes)), new)
            on &= np.asarray(state.converged) & (self.last_gain(state) >= tol)
            worked = self.climb(resumed(state, on), tol)
            state, seconds = worked.state, seconds + worked.seconds
            if worked.interrupted:
                return Worked(state, seconds, interrupted=True)
        return Worked(state, seconds, interrupted=False)


def resumed(state: Climb, lanes: np.ndarray) -> Climb:
    """Let lanes (L,) that converged climb on as if they had never stopped."""
    history, n_iter = np.asarray(state.history), np.asarray(state.n_iter)
    before = history[np.arange(len(n_iter)), np.maximum(n_iter - 1, 0)]
    before = np.where(n_iter > 0, before, -np.inf)
    # A program is compiled for the types of its numbers.
    phase = np.where(n_iter < history.shape[1] - 1, ACTIVE, FINISHING).astype(np.int32)
    return state._replace(
        phase=cast(Array, np.where(lanes, phase, state.phase)),
        converged=state.converged & ~lanes,
        log_likelihood=cast(Array, np.where(lanes, before, state.log_likelihood)),
    )


class Climbed(NamedTuple):
    """One structure at every K.

    Attributes:
        ascent: the structure and its lanes.
        state: the lanes at the end.
        fits: the best restart of each K that has one.
        failures: why the others have none.
        seconds: time spent on each K, compilation included.
        interrupted: whether the user stopped the run.
    """

    ascent: Ascent
    state: Climb
    fits: dict[int, Fit]
    failures: dict[int, str]
    seconds: dict[int, float]
    interrupted: bool

    def row_sums(self, rows: Rows) -> dict[int, np.ndarray]:
        """Return sums over rows of log p(x), and of log p(x, k) of the likeliest k, (2,), by K."""
        best = self.ascent.best(self.state)
        sums = self.ascent.row_sums(self.state, np.array(list(best.values()), int), rows)
        return dict(zip(best, sums, strict=True))


def climb_structure(
    engine: EM,
    models: Mapping[int, Model],
    starts: Starts,
    short_tol: float,
    bar: Any = None,
) -> Climbed:
    """Run short climbs from all starts, then one long climb from the best of each K.

    Args:
        engine: settings of the long climbs.
        models: the models of one structure by their number of components.
        starts: where the lanes begin.
        short_tol: tolerance of the short climbs.
        bar: a progress bar that counts finished restarts.
    """
    grid, first = starts.grid, next(iter(models.values()))
    objective = objective_of(first, engine.ridge(first))
    ascent = Ascent(first.family, objective, grid)
    begun = starts.begin(engine, models, objective)
    worked = ascent.climb(begun, max(short_tol, engine.tol), bar)
    if not worked.interrupted and engine.tol < short_tol:
        longer = ascent.polish(worked.state, engine.tol)
        worked = longer._replace(seconds=worked.seconds + longer.seconds)
    state = ascent.settled(worked.state, engine.tol) if worked.interrupted else worked.state
    fits, failures = {}, {}
    for size, model in models.items():
        part = trimmed(state, grid.of(size), size)
        try:
            best = best_restart(part)
        except CollapsedError as error:
            failures[size] = str(error)
        else:
            fit = build_fit(engine, model, starts.data, part, best, worked.interrupted)
            tolerance = {"restart_tol": np.asarray(max(short_tol, engine.tol))}
            fits[size] = replace(fit, history={**fit.history, **tolerance})
    seconds = {size: float(worked.seconds[grid.of(size)].sum()) for size in models}
    return Climbed(ascent, state, fits, failures, seconds, worked.interrupted)
