"""Sweeps with their pass outside one program: over rows that stay in files or on machines.

The same sweeps as in ``sweep``, without births and deaths: parameters are drawn from the statistics of the
labels, and labels, block by block, from a number that is a function of key and row alone. Only their
statistics are kept, and what they were drawn from (``redrawn``).
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array

from ..data.sources import Kernel, Source
from ..model.allocation import Allocation, drawn, row_uniforms
from ..model.families.base import Family
from ..model.kernel import PRODUCT, RESIDUAL, Form
from ..model.mixture import Mixture
from ..numerics.rows import Rows
from .decision import Tally
from .first_state import Beginning, state_at
from .moves import Moved
from .moves_over import moved_over, where_it_is
from .outside import tightness_matters
from .redrawn import freshly_drawn
from .sweep import (
    Draw,
    Parameters,
    Problem,
    State,
    Static,
    label_keys,
    nothing_done,
    parameters,
    recorded,
    sweep_keys,
)


class Labelled(NamedTuple):
    """Sums over rows whose labels were drawn, and the form that they are in."""

    form: Form
    sums: Any


def run_slice_over(
    static: Static, source: Source, problem: Problem, state: State, n: Any
) -> tuple[State, Draw]:
    """Run n sweeps; return the state and the draws, (n, B, ...)."""
    draws, family = [], static.family
    for _ in range(int(n)):
        moved = (
            moved_over(family, source, problem, state)
            if static.split_merge
            else where_it_is(problem, state)
        )
        keys, given = proposed(problem, state, moved)
        labelled = label_rows(family, source, keys, given.mixture)
        state, draw = state_after(
            family, labelled.form, problem, state, keys, given, moved.tally, labelled.sums
        )
        draws.append(jax.tree.map(np.asarray, draw))
    return state, jax.tree.map(lambda *leaves: np.stack(leaves), *draws)


def label_rows(family: Family, source: Source, keys: Array, mixture: Mixture) -> Labelled:
    """Draw a label per row for each of B mixtures, and add up."""
    form = RESIDUAL if bool(tightness_matters(family, mixture)) else PRODUCT
    width = family.n_features(source.n_columns) + mixture.log_weights.size
    kernel = Kernel(labelled_sums, (family, form))
    return Labelled(form, source.reduce(kernel, (keys, mixture), width))


def labelled_sums(family: Family, form: Form, given: tuple[Array, Mixture], rows: Rows) -> Any:
    """Draw the labels of a block and add up in one form of the pass."""
    keys, mixture = given
    return form.sums(family, mixture, rows, drawn(row_uniforms(keys, rows)))


@jax.jit
def proposed(problem: Problem, state: State, moved: Moved) -> tuple[Array, Parameters]:
    """Return the keys of the labels and the parameters that a sweep begins with."""
    keys = sweep_keys(problem, state.n_done)
    given = parameters(problem, keys[:, 1:5], state, moved)
    return label_keys(problem, state.n_done), given


@partial(jax.jit, static_argnums=(0, 1))
def state_after(
    family: Family,
    form: Form,
    problem: Problem,
    state: State,
    keys: Array,
    given: Parameters,
    tally: Tally,
    sums: Any,
) -> tuple[State, Draw]:
    """Return the state and the draw after the pass."""
    total, statistics = form.read(family, given.mixture, sums)
    _, births = nothing_done(problem.chains.size)
    labels: Any = freshly_drawn(keys, given.mixture)
    return recorded(problem, state, given, (tally, births), Allocation(labels, statistics, total))


def first_state_over(family: Family, source: Source, problem: Problem, begun: Beginning) -> State:
    """Draw the first labels of chains."""
    form, sums = label_rows(family, source, begun.keys, begun.mixture)
    total, statistics = form.read(family, begun.mixture, sums)
    labels: Any = freshly_drawn(begun.keys, begun.mixture)
    return state_at(problem, begun, Allocation(labels, statistics, total))
