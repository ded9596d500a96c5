"""The climb of EM with its passes outside one program: over rows that stay in files or on machines.

The same turns as ``climb``, one call for each: a pass adds up sums block by block, and the turn reads them.
"""

from functools import partial
from typing import Any

import jax
from jax import Array
from jax.typing import ArrayLike

from ..data.sources import Kernel, Source
from ..model.families.base import Family
from ..model.kernel import PRODUCT, RESIDUAL, Form, is_tight, responsible
from ..model.mixture import Mixture
from ..numerics.rows import Rows
from .climb import FINISHED, Climb, Objective, turn
from .restarts import adjusted_rand, shared_rows


def climb_over(
    family: Family,
    objective: Objective,
    state: Climb,
    source: Source,
    tol: ArrayLike,
    n_turns: Any,
) -> Climb:
    """Take turns until every restart has finished or ``n_turns`` are taken."""
    width = family.n_features(source.n_columns) + state.mixture.log_weights.size
    for _ in range(int(n_turns)):
        if not bool((state.phase < FINISHED).any()):
            break
        form = RESIDUAL if bool(tightness_matters(family, state.mixture)) else PRODUCT
        sums = source.reduce(Kernel(summed, (family, form)), state.mixture, width)
        state = turn_after(family, form, objective, state, sums, float(source.n_rows), tol)
    return state


def agreement_over(family: Family, mixtures: Mixture, best: int, source: Source) -> Array:
    """Return the adjusted Rand index of B restarts and the best of them, (B,)."""
    if mixtures.log_weights.shape[0] == 1:
        return jax.numpy.ones(1)
    width = family.n_features(source.n_columns) + mixtures.log_weights.size
    return adjusted_rand(source.reduce(Kernel(shared_with, (family,)), (best, mixtures), width))


def shared_with(family: Family, given: tuple[Array, Mixture], rows: Rows) -> Array:
    """Count the rows of a block that restarts share with the best of them, (B, K, K)."""
    return shared_rows(family, *given, rows)


tightness_matters = jax.jit(is_tight, static_argnums=0)


def summed(family: Family, form: Form, mixture: Mixture, rows: Rows) -> Any:
    """Sum a block in one form of the pass."""
    return form.sums(family, mixture, rows, responsible())


@partial(jax.jit, static_argnums=(0, 1))
def turn_after(
    family: Family,
    form: Form,
    objective: Objective,
    state: Climb,
    sums: Any,
    n_rows: ArrayLike,
    tol: ArrayLike,
) -> Climb:
    """Take the turn after a pass."""
    found = form.read(family, state.mixture, sums)
    return turn(family, objective, state, found, n_rows, tol)
