"""Split-merge moves with their passes outside one program: over rows that are elsewhere.

The moves of ``moves``, with the same random numbers. A move takes two passes: one fetches the rows that
anchors are drawn from and launches fitted to, whose numbers its key alone decides; one divides S and adds
up both sides. Labels are drawn again in each (``redrawn``).
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..data.sources import Kernel, Source
from ..model.allocation import row_uniforms
from ..model.families.base import Family
from ..model.kernel import PRODUCT, RESIDUAL, Assignment, Form, is_tight
from ..model.mixture import Mixture, Statistics
from ..numerics.rows import Rows
from .anchors import SAMPLE_ROWS, Sample, ranks_of_sample
from .decision import Pair
from .division import Placed, sides_of
from .group import Group, first_inside, is_inside, ranks_of_group
from .moves import (
    Moved,
    Proposal,
    accepted,
    after,
    choice_ratio,
    common_keys,
    decisions,
    move_keys,
    propose,
)
from .redrawn import Move, Redrawn, joint_in_form, labels_at, sides_at, with_move
from .schedule import is_settling, number_of_moves
from .sweep import Problem, State, shared_key, step_keys, sweep_keys, unmoved


class Prepared(NamedTuple):
    """A move that lacks its division.

    Attributes:
        move: as the rows will see it.
        proposal: its clusters and launch.
        sample: rows that the anchors were drawn from.
    """

    move: Move
    proposal: Proposal
    sample: Sample


def moved_over(family: Family, source: Source, problem: Problem, state: State) -> Moved:
    """Run the moves of a sweep."""
    moved = where_it_is(problem, state)
    n_moves = int(moves_due(problem, state, source.n_rows, source.n_columns))
    if not n_moves or state.statistics.counts.shape[-1] == 1:
        return moved
    places = [places_of_move(problem, state, i, source.n_rows) for i in range(n_moves)]
    # All moves of a sweep fetch their rows together.
    fetched = source.rows_at(np.concatenate(places))
    for i, columns in enumerate(np.split(fetched, n_moves, axis=1)):
        prepared = prepare(family, source.n_rows, problem, state, moved, i, places[i], columns)
        form = RESIDUAL if bool(prepared.move.is_tight) else PRODUCT
        kernel = Kernel(divided_sums, (family, form))
        width = family.n_features(source.n_columns) + moved.statistics.counts.size
        sums = source.reduce(kernel, (moved.labels, prepared.move), width)
        moved = concluded(family, form, problem, state, moved, i, prepared, sums)
    return moved


where_it_is = jax.jit(unmoved)


@partial(jax.jit, static_argnums=(2, 3))
def moves_due(problem: Problem, state: State, n_rows: int, n_columns: int) -> Array:
    """Return the number of moves in a sweep, ()."""
    settles = is_settling(problem.schedule, state.n_done)
    return number_of_moves(n_rows, n_columns, state.n_done, settles, beside_births=False)


@partial(jax.jit, static_argnums=3)
def places_of_move(problem: Problem, state: State, i: Any, n_rows: int) -> Array:
    """Return the numbers of the rows that a move looks at: its sample, then those of its group."""
    if n_rows <= SAMPLE_ROWS:
        return jnp.arange(SAMPLE_ROWS)
    _, shared = step_keys(*keys_of_moves(problem, state), i)
    common, number = common_keys(shared), jnp.asarray(float(n_rows))
    return jnp.concatenate(
        [ranks_of_sample(common.sample, number), ranks_of_group(common.group, number)]
    )


def keys_of_moves(problem: Problem, state: State) -> tuple[Array, Array]:
    """Return the keys of the moves of a sweep: of the chains (B,), and shared ()."""
    return sweep_keys(problem, state.n_done)[:, 0], shared_key(problem, state.n_done)


@partial(jax.jit, static_argnums=(0, 1))
def prepare(
    family: Family,
    n_rows: int,
    problem: Problem,
    state: State,
    moved: Moved,
    i: Any,
    places: Array,
    columns: Array,
) -> Prepared:
    """Choose the clusters of a move, and launch it."""
    keys, _ = step_keys(*keys_of_moves(problem, state), i)
    named = move_keys(keys)
    labels = labels_at(family, moved.labels, columns, places)
    valid = (places[:SAMPLE_ROWS] < n_rows).astype(columns.dtype)
    sample = Sample(columns[:, :SAMPLE_ROWS], places[:SAMPLE_ROWS], valid, labels[:, :SAMPLE_ROWS])

    def group(choice: Any) -> Group:
        if n_rows <= SAMPLE_ROWS:
            return Group(sample.columns, is_inside(sample.labels, choice) * valid)
        at, is_found = first_inside(labels[:, SAMPLE_ROWS:], choice)
        of_chains = jnp.moveaxis(columns[:, SAMPLE_ROWS:][:, at], 0, 1)
        return Group(of_chains, is_found.astype(columns.dtype))

    settles = is_settling(problem.schedule, state.n_done)
    proposal = propose(
        named,
        family,
        problem.components,
        settles,
        moved.statistics,
        moved.drawn,
        sample,
        group,
    )
    drawn = moved.drawn
    current = Mixture(jnp.zeros(drawn.means.shape[:2]), drawn.means, drawn.covariance)
    move = Move(
        jax.random.key_data(named[:, 3]),
        proposal.launched,
        proposal.choice,
        sample.places[proposal.choice.anchors],
        is_tight(family, current) | is_tight(family, proposal.launched),
        jnp.zeros(len(keys), bool),
    )
    return Prepared(move, proposal, sample)


def divided_sums(family: Family, form: Form, given: tuple[Redrawn, Move], rows: Rows) -> Any:
    """Divide the rows of S in a block and add up both sides in one form of the pass, and log q."""
    redrawn, move = given

    def labels_of(part: tuple[Array, Array]) -> Array:
        return labels_at(family, redrawn, *part)

    position: Any = rows.position
    labels = jax.lax.map(labels_of, (rows.values, position))
    uniforms = row_uniforms(jax.random.wrap_key_data(move.key), rows)

    def assign(joint: Array, rows: Rows, placed: Placed) -> tuple[Array, Array]:
        sides = sides_of(joint, placed, rows.weights, move.choice, move.anchors)
        both = [sides.inside * sides.is_first, sides.inside * ~sides.is_first]
        return sides.log_probability, jnp.stack(both, 1)

    placed = Placed(labels, uniforms, position)
    return form.sums(family, move.launched, rows, Assignment(assign, placed))


@partial(jax.jit, static_argnums=(0, 1))
def concluded(
    family: Family,
    form: Form,
    problem: Problem,
    state: State,
    moved: Moved,
    i: Any,
    prepared: Prepared,
    sums: Any,
) -> Moved:
    """Accept or reject a move, given the sums of its division."""
    move, proposal, sample = prepared
    keys, _ = step_keys(*keys_of_moves(problem, state), i)
    log_probability, statistics = read_division(family, form, move, sums)
    joint = joint_in_form(family, move.is_tight, move.launched, sample.columns)
    sides = sides_at(move, joint, sample.labels, sample.places)
    of_choice = choice_ratio(proposal.choice, sample, sides.is_first)
    pair = Pair(statistics, log_probability, of_choice)
    decision = decisions(
        move_keys(keys)[:, 4],
        problem.components,
        problem.partition,
        state.concentration,
        proposal,
        pair,
        moved,
    )
    labels = with_move(moved.labels, move._replace(is_accepted=accepted(decision)))
    return after(moved, labels, decision)


def read_division(family: Family, form: Form, move: Move, sums: Any) -> tuple[Array, Statistics]:
    """Return log q (B,) and the statistics of both sides (B, 2, ...)."""
    found = form.read(family, move.launched, sums)
    return found.log_likelihood, found.statistics
