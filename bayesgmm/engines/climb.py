r"""Expectation-maximisation as one compiled loop over B restarts (Dempster, Laird & Rubin 1977).

Each turn evaluates the current parameters, then improves them. The loop ends for a restart when the
mean log-likelihood (plus log prior, for MAP) changes by less than ``tol`` between two turns, as
scikit-learn defines it, and then evaluates once more, so that the reported objective belongs to the
returned parameters. A restart whose covariance turns singular keeps its last regular parameters.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from ..model.components import Components
from ..model.families.base import Family
from ..model.kernel import Pass, assigned_statistics, expectation
from ..model.lanes import Lanes
from ..model.mixture import Mixture, Statistics
from ..model.weights import Dirichlet, log_normalised, log_weights_density
from ..numerics.rows import Rows

ACTIVE, FINISHING, FINISHED = 0, 1, 2


class Objective(NamedTuple):
    """What is maximised: nothing but the likelihood, or a posterior density.

    Attributes:
        ridge: added to covariance diagonals, in engine units; unused with a prior.
        concentration: Dirichlet concentration of the weights; one is flat.
        components: prior of the components in engine units, or None.
    """

    ridge: ArrayLike
    concentration: ArrayLike
    components: Components | None


class Climb(NamedTuple):
    """State of B restarts.

    Attributes:
        mixture: current parameters, (B, ...).
        log_likelihood: of the parameters before the last update; at the end, of the current ones, (B,).
        log_prior: likewise, (B,).
        n_iter: updates made, (B,).
        phase: active, finishing (one evaluation due) or finished, (B,).
        converged: whether the tolerance was met, (B,).
        collapsed: component that turned singular, or -1, (B,).
        history: log-likelihood after each number of updates, (B, max_iter + 1); NaN where unused.

    Restarts may have different numbers of components, padded to the largest with ``Lanes``: a
    component that is not there has log weight -inf, and no meaning.
    """

    mixture: Mixture
    log_likelihood: Array
    log_prior: Array
    n_iter: Array
    phase: Array
    converged: Array
    collapsed: Array
    history: Array


@partial(jax.jit, static_argnums=(0, 2))
def begin(family: Family, mixture: Mixture, max_iter: int) -> Climb:
    """Return the state before the first turn; restarts that start singular are finished already."""
    first = ACTIVE if max_iter > 0 else FINISHING
    n_restarts = mixture.log_weights.shape[0]
    singular = family.is_singular(mixture) & (mixture.log_weights != -jnp.inf)
    failed = singular.any(-1)
    unknown = jnp.full(n_restarts, -jnp.inf, mixture.means.dtype)
    return Climb(
        mixture=mixture,
        log_likelihood=unknown,
        log_prior=jnp.zeros_like(unknown),
        n_iter=jnp.zeros(n_restarts, jnp.int32),
        phase=jnp.where(failed, FINISHED, first).astype(jnp.int32),
        converged=jnp.zeros(n_restarts, bool),
        collapsed=jnp.where(failed, singular.argmax(-1), -1).astype(jnp.int32),
        history=jnp.full((n_restarts, max_iter + 1), jnp.nan, mixture.means.dtype),
    )


@partial(jax.jit, static_argnums=0)
def climb(
    family: Family,
    objective: Objective,
    state: Climb,
    rows: Rows,
    tol: ArrayLike,
    n_turns: ArrayLike,
    lanes: Lanes | None = None,
) -> Climb:
    """Take turns until every restart has finished or ``n_turns`` are taken."""
    n_rows = rows.weights.sum()

    def unfinished(taken: tuple[Climb, Array]) -> Array:
        return (taken[0].phase < FINISHED).any() & (taken[1] < n_turns)

    def next_turn(taken: tuple[Climb, Array]) -> tuple[Climb, Array]:
        state, n = taken
        found = expectation(family, state.mixture, rows, lanes)
        return turn(family, objective, state, found, n_rows, tol, lanes), n + 1

    return jax.lax.while_loop(unfinished, next_turn, (state, jnp.int32(0)))[0]


def turn(
    family: Family,
    objective: Objective,
    state: Climb,
    found: Pass,
    n_rows: ArrayLike,
    tol: ArrayLike,
    lanes: Lanes | None = None,
) -> Climb:
    """Take one turn, given what a pass over the rows at the current parameters found."""
    total, statistics = found
    max_iter = state.history.shape[1] - 1
    log_prior = log_prior_density(objective, state.mixture)
    proposed = maximisation(family, objective, statistics, state.mixture, lanes)
    singular = family.is_singular(proposed) | ~jnp.isfinite(proposed.means).all(-1)
    singular &= proposed.log_weights != -jnp.inf
    active = state.phase == ACTIVE
    failed = active & (singular.any(-1) | ~jnp.isfinite(total))
    gain = (total + log_prior - state.log_likelihood - state.log_prior) / n_rows
    # The last evaluation counts: a run may converge on the last update it was allowed.
    judged = active | ((state.phase == FINISHING) & (state.collapsed < 0))
    met = judged & ~failed & (jnp.abs(gain) < tol)
    moved = active & ~failed
    n_iter = state.n_iter + moved
    ends = failed | met | (active & (n_iter >= max_iter))
    phase = jnp.where(state.phase == FINISHING, FINISHED, jnp.where(ends, FINISHING, state.phase))
    running = state.phase < FINISHED
    now = (jnp.arange(len(state.n_iter)), state.n_iter)
    return Climb(
        mixture=choose(moved, proposed, state.mixture),
        log_likelihood=jnp.where(running, total, state.log_likelihood),
        log_prior=jnp.where(running, log_prior, state.log_prior),
        n_iter=n_iter,
        phase=phase,
        converged=state.converged | met,
        collapsed=jnp.where(failed, singular.argmax(-1), state.collapsed).astype(jnp.int32),
        history=state.history.at[now].set(jnp.where(running, total, state.history[now])),
    )


def evaluate(
    family: Family,
    objective: Objective,
    state: Climb,
    rows: Any,
    tol: ArrayLike,
    lanes: Lanes | None = None,
    climb: Callable[..., Climb] = climb,
) -> Climb:
    """Bring the objective of a run that was cut short up to its current parameters.

    ``climb`` is whatever takes turns over such rows.
    """
    cut = state.phase == ACTIVE
    finishing = state._replace(phase=jnp.where(cut, FINISHING, state.phase))
    more = {} if lanes is None else {"lanes": lanes}
    end = climb(family, objective, finishing, rows, tol, 1, **more)
    return end._replace(phase=jnp.where(cut, ACTIVE, end.phase))


def maximisation(
    family: Family,
    objective: Objective,
    statistics: Statistics,
    last: Mixture | None = None,
    lanes: Lanes | None = None,
) -> Mixture:
    """Run the M-step: parameters that maximise the expected objective.

    Args:
        family: the covariance family.
        objective: what is maximised.
        statistics: weighted moments, (B, K, ...); (K, ...) without ``last``.
        last: the parameters they were computed at, (B, K, ...), if any.
        lanes: how many of the K components each has; all by default.
    """
    # The tiny floor is scikit-learn's: an empty component keeps a finite logarithm.
    counts = statistics.counts + 10 * jnp.finfo(statistics.counts.dtype).eps
    masses = counts + objective.concentration - 1
    if lanes is not None:
        masses = jnp.where(lanes.present(masses.shape[-1]), masses, 0.0)
    log_weights = log_normalised(masses)
    components = objective.components
    if components is None:
        before = None if last is None else last.covariance
        covariance = family.maximise(statistics, objective.ridge, before)
        return Mixture(log_weights, statistics.means, covariance)
    if last is None:
        return Mixture(log_weights, *components.maximise(statistics, None))
    return Mixture(log_weights, *jax.vmap(components.maximise)(statistics, last.covariance))


def log_prior_density(objective: Objective, mixture: Mixture) -> Array:
    """Return the log prior density of the parameters, (B,); zero without a prior."""
    if objective.components is None:
        return jnp.zeros(mixture.log_weights.shape[0], mixture.means.dtype)
    of_components = jax.vmap(objective.components.log_density)(mixture.means, mixture.covariance)
    weights = Dirichlet(objective.concentration)
    return of_components + log_weights_density(
        weights, mixture.log_weights, objective.concentration
    )


def choose(condition: Array, new: Mixture, old: Mixture) -> Mixture:
    """Take ``new`` for the restarts where ``condition`` (B,) holds."""

    def pick(a: Array, b: Array) -> Array:
        return jnp.where(condition.reshape(-1, *([1] * (a.ndim - 1))), a, b)

    return jax.tree.map(pick, new, old)


@partial(jax.jit, static_argnums=0)
def mixture_from_responsibilities(
    family: Family, objective: Objective, responsibilities: Array, rows: Rows
) -> Mixture:
    """Run one M-step from responsibilities (n_chunks, K, chunk)."""
    return maximisation(family, objective, assigned_statistics(family, responsibilities, rows))


@partial(jax.jit, static_argnums=(0, 4))
def mixture_from_labels(
    family: Family, objective: Objective, labels: Array, rows: Rows, n_components: int
) -> Mixture:
    """Run one M-step from labels (n_chunks, chunk)."""

    def expand(labels: Array) -> Array:
        return jax.nn.one_hot(labels, n_components, axis=0, dtype=rows.values.dtype)

    return maximisation(family, objective, assigned_statistics(family, labels, rows, expand))
