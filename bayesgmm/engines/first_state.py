"""Where chains of the partition sampler begin: their mixtures, and the first labels drawn from these."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from ..model.allocation import Allocation
from ..model.components import Drawn
from ..model.families.base import Family
from ..model.mixture import Mixture
from ..model.weights import is_random
from .overdispersed import floored
from .sweep import Problem, State, draw_labels, nothing_done


class Beginning(NamedTuple):
    """Where chains begin, (B, ...): before their first labels, and the keys to draw these."""

    keys: Array
    mixture: Mixture
    scale: Array
    concentration: Array


@jax.jit
def beginning(problem: Problem, mixtures: Mixture, key: Array, n_rows: ArrayLike) -> Beginning:
    """Return where the chains of a team begin, given a starting mixture for each of the run, (C, K, ...)."""
    mixtures = jax.tree.map(lambda leaf: leaf[problem.chains], mixtures)
    n_chains = problem.chains.size
    concentration = problem.partition.concentration
    typical = concentration.mean if is_random(concentration) else concentration
    scale = problem.components.first_scale()
    return Beginning(
        jax.vmap(partial(jax.random.fold_in, key))(problem.chains),
        mixtures._replace(log_weights=floored(mixtures.log_weights, n_rows)),
        jnp.broadcast_to(scale, (n_chains, *jnp.shape(scale))),
        jnp.full(n_chains, typical, float),
    )


@partial(jax.jit, static_argnums=0)
def first_state(family: Family, problem: Problem, begun: Beginning) -> State:
    """Draw the first labels of a team."""
    return state_at(problem, begun, draw_labels(begun.keys, family, begun.mixture, problem.rows))


def state_at(problem: Problem, begun: Beginning, labelling: Allocation) -> State:
    """Return the state before the first sweep."""
    mixture = begun.mixture
    return State(
        jnp.int64(0),
        labelling.labels,
        labelling.statistics,
        Drawn(mixture.means, mixture.covariance, begun.scale),
        begun.concentration,
        nothing_done(problem.chains.size),
        labelling.values,
    )
