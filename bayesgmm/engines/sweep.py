r"""One sweep of the partition sampler, and a slice of sweeps in one compiled program.

Given labels z, a sweep draws in turn (Frühwirth-Schnatter, Malsiner-Walli & Grün 2021, algorithm 1,
with a split-merge step before it)

    C                split-merge moves; weights, parameters and K summed out
    K                from p(K | C, alpha), where it is random
    alpha            from p(alpha | C, K), where it is random
    Sigma, S, mu     from their conditionals, components without rows from the prior
    w                from p(w | C, K, alpha)
    w, mu, Sigma     births and deaths of components; labels summed out
    z                from p(z | w, mu, Sigma), one row at a time
    x                missing cells from p(x_m | x_o, z, mu, Sigma)

and records the parameters together with the labels just drawn from them.

Up to the births the rows are whole, their missing cells those drawn last: each of these steps leaves
p(z, w, mu, Sigma, x_m | x_o) as it is. From there on missing cells are summed out until they are drawn
again. Rows whose label is known keep it throughout.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from ..model.allocation import Allocation, allocate, barrier, draw_numbers
from ..model.completion import allocate_and_complete, whole_rows
from ..model.components import Components, Drawn
from ..model.families.base import Family
from ..model.mixture import Mixture, Statistics
from ..model.weights import PartitionPrior, is_random
from ..numerics.rows import Rows
from .birth_death import Births, birth_death
from .decision import Tally
from .densities import allocate_by
from .known import known_sums
from .moves import Moved, split_merge
from .schedule import (
    FEW,
    FEW_ROWS,
    MANY,
    MANY_ROWS,
    SOME,
    Schedule,
    is_kept,
    is_settling,
    number_of_moves,
)

SLICE = 128
CONCENTRATION_STEPS = 2
# Random-walk steps of log alpha: from fine to coarse, so that no scale needs tuning.
LOG_STEP = (-2.0, 1.0)


class Static(NamedTuple):
    """What a compiled program depends on besides shapes."""

    family: Family
    split_merge: bool
    birth_death: bool


class Problem(NamedTuple):
    """What stays the same during a run.

    Attributes:
        components: prior of the components.
        partition: prior of partitions.
        rows: the rows; None where they are not in memory.
        key: key of the moves and parameters.
        label_key: key of the labels.
        schedule: of the run.
        chains: numbers of the B chains that this program runs, (B,).
    """

    components: Components
    partition: PartitionPrior
    rows: Any
    key: Array
    label_key: Array
    schedule: Schedule
    chains: Array


class State(NamedTuple):
    """Where B chains are.

    Attributes:
        n_done: sweeps done, ().
        labels: (n_chunks, B, chunk); for rows that are elsewhere what they are drawn from, ``Redrawn``.
        statistics: of the labels, (B, K, ...).
        drawn: parameters, (B, K, ...).
        concentration: (B,).
        done: what moves did since the last kept draw, (B,) each.
        values: rows with their missing cells drawn, (n_chunks, D, chunk), for one chain; None where no
            cell is missing.
    """

    n_done: Array
    labels: Any
    statistics: Statistics
    drawn: Drawn
    concentration: Array
    done: tuple[Tally, Births]
    values: Array | None = None


class Draw(NamedTuple):
    """What a sweep records of each chain, (B, ...)."""

    mixture: Mixture
    scale: Array
    concentration: Array
    n_components: Array
    counts: Array
    log_likelihood: Array
    done: tuple[Tally, Births]


@partial(jax.jit, static_argnums=0, donate_argnums=2)
def run_slice(static: Static, problem: Problem, state: State, n: Array) -> tuple[State, Draw]:
    """Run n <= SLICE sweeps; return the state and the draws, (SLICE, B, ...), the first n of them."""
    example = jax.eval_shape(partial(sweep, static, problem), state)[1]
    buffers = jax.tree.map(lambda leaf: jnp.zeros((SLICE, *leaf.shape), leaf.dtype), example)

    def one(i: Array, carry: tuple[State, Draw]) -> tuple[State, Draw]:
        state, draws = carry
        state, draw = sweep(static, problem, state)
        return state, jax.tree.map(lambda into, leaf: into.at[i].set(leaf), draws, draw)

    return jax.lax.fori_loop(0, n, one, (state, buffers))


def sweep(static: Static, problem: Problem, state: State) -> tuple[State, Draw]:
    """Run one sweep of all chains."""
    keys = sweep_keys(problem, state.n_done)
    moved = barrier(move(static, problem, state, keys[:, 0], shared_key(problem, state.n_done)))
    given = parameters(problem, keys[:, 1:5], state, moved)
    mixture, births, labelling = births_and_labels(
        static, problem, state.n_done, keys[:, 5], given.concentration, given.scale, given.mixture
    )
    return recorded(
        problem, state, given._replace(mixture=mixture), (moved.tally, births), labelling
    )


class Parameters(NamedTuple):
    """All but labels: a mixture (B, K, ...), the scale of its prior, concentration and K, (B,)."""

    mixture: Mixture
    scale: Array
    concentration: Array
    n_components: Array


def parameters(problem: Problem, keys: Array, state: State, moved: Moved) -> Parameters:
    """Draw K, the concentration, components and weights in turn, given the statistics of labels."""
    counts, partition = moved.statistics.counts, problem.partition
    n_components = barrier(jax.vmap(partition.draw_n_components)(keys[:, 0], moved.log_terms))
    concentration = barrier(
        jax.vmap(partial(draw_concentration, partition))(
            keys[:, 1], counts, n_components, state.concentration
        )
    )
    drawn = barrier(jax.vmap(problem.components.draw)(keys[:, 2], moved.statistics, moved.drawn))
    log_weights = jax.vmap(partition.draw_log_weights)(
        keys[:, 3], counts, concentration, n_components
    )
    mixture = Mixture(barrier(log_weights), drawn.means, drawn.covariance)
    return Parameters(mixture, drawn.scale, concentration, n_components)


def recorded(
    problem: Problem,
    state: State,
    given: Parameters,
    done: tuple[Tally, Births],
    labelling: Allocation,
) -> tuple[State, Draw]:
    """Return the state and the draw after a sweep that ended in these parameters and labels."""
    mixture = given.mixture
    draw = Draw(
        mixture,
        given.scale,
        given.concentration,
        given.n_components,
        labelling.statistics.counts,
        labelling.log_likelihood,
        jax.tree.map(jnp.add, state.done, done),
    )
    goes_on = ~is_kept(problem.schedule, state.n_done)
    new = State(
        state.n_done + 1,
        labelling.labels,
        labelling.statistics,
        Drawn(mixture.means, mixture.covariance, given.scale),
        given.concentration,
        jax.tree.map(lambda count: count * goes_on, draw.done),
        labelling.values,
    )
    return new, draw


def move(static: Static, problem: Problem, state: State, keys: Array, shared: Array) -> Moved:
    """Run the moves that were asked for, the more the fewer rows there are."""
    if static.split_merge and state.statistics.counts.shape[-1] > 1:
        settles = is_settling(problem.schedule, state.n_done)
        rows = whole_rows(problem.rows, state.values)
        sums = known_sums(static.family, state.statistics.counts.shape[-1], rows)

        def step(i: Array, moved: Any) -> Any:
            return split_merge(
                *step_keys(keys, shared, i),
                static.family,
                problem.components,
                problem.partition,
                rows,
                state.concentration,
                settles,
                moved,
                sums,
            )

        n_moves = number_of_moves(
            problem.rows.weights.sum(),
            problem.rows.values.shape[1],
            state.n_done,
            settles,
            beside_births=static.birth_death,
        )
        return jax.lax.fori_loop(0, n_moves, step, unmoved(problem, state))
    return unmoved(problem, state)


def step_keys(keys: Array, shared: Array, i: ArrayLike) -> tuple[Array, Array]:
    """Return the keys of the chains (B,) and of all of them () for one of the moves of a sweep."""
    return jax.vmap(lambda key: jax.random.fold_in(key, i))(keys), jax.random.fold_in(shared, i)


def births_and_labels(
    static: Static,
    problem: Problem,
    n_done: Array,
    keys: Array,
    concentration: Array,
    scale: Array,
    mixture: Mixture,
) -> tuple[Mixture, Births, Allocation]:
    """Run births and deaths, if that was asked for, and draw labels.

    Returns:
        The mixture, what births and deaths did, and the labels.
    """
    of_labels, rows = label_keys(problem, n_done), problem.rows

    def without(mixture: Mixture) -> tuple[Mixture, Births, Allocation]:
        _, births = nothing_done(problem.chains.size)
        return mixture, births, draw_labels(of_labels, static.family, mixture, rows)

    def with_births(mixture: Mixture) -> tuple[Mixture, Births, Allocation]:
        mixture, densities, births = birth_death(
            keys,
            n_moves,
            static.family,
            problem.components,
            problem.partition,
            rows,
            concentration,
            scale,
            mixture,
        )
        labelling = allocate_by(of_labels, static.family, mixture, rows, densities)
        return mixture, births, labelling

    if not static.birth_death or mixture.log_weights.shape[-1] == 1:
        return without(mixture)
    n_rows = rows.weights.sum()

    def pick(few: int, some: int, many: int) -> Array:
        return jnp.where(n_rows <= FEW_ROWS, few, jnp.where(n_rows <= MANY_ROWS, some, many))

    n_moves, every = (pick(*values) for values in zip(FEW, SOME, MANY, strict=True))
    return jax.lax.cond(n_done % every == 0, with_births, without, mixture)


def draw_labels(keys: Array, family: Family, mixture: Mixture, rows: Rows) -> Allocation:
    """Draw labels and missing cells."""
    draw = allocate if rows.observed is None else allocate_and_complete
    return draw(keys, family, mixture, rows)


def unmoved(problem: Problem, state: State) -> Moved:
    """Return where no move leaves the chains."""
    log_terms = jax.vmap(problem.partition.log_terms)(state.statistics.counts, state.concentration)
    tally, _ = nothing_done(problem.chains.size)
    return Moved(state.labels, state.statistics, state.drawn, log_terms, tally)


def nothing_done(n_chains: int) -> tuple[Tally, Births]:
    """Return counts of zero."""
    none = jnp.zeros(n_chains, jnp.int32)
    return Tally(none, none, none, none), Births(none, none)


def draw_concentration(
    partition: PartitionPrior, key: Array, counts: Array, n_components: Array, current: Array
) -> Array:
    """Move the concentration of one chain by random-walk Metropolis steps of its logarithm, ()."""
    prior = partition.concentration
    if not is_random(prior):
        return current

    def log_density(log_alpha: Array) -> Array:
        alpha = jnp.exp(log_alpha)
        inside = prior.support(alpha)
        of_prior = jnp.where(inside, prior.log_prob(alpha), -jnp.inf) + log_alpha
        return of_prior + partition.log_given(counts, alpha, n_components)

    uniform_key, normal_key = jax.random.split(key)
    uniforms = jax.random.uniform(uniform_key, (CONCENTRATION_STEPS, 2), counts.dtype)
    noise = jax.random.normal(normal_key, (CONCENTRATION_STEPS,), counts.dtype)
    position = jnp.log(current)
    density = log_density(position)
    for i in range(CONCENTRATION_STEPS):
        low, high = LOG_STEP
        proposal = position + noise[i] * jnp.exp(low + (high - low) * uniforms[i, 0])
        proposed = log_density(proposal)
        accepted = jnp.log(uniforms[i, 1]) < proposed - density
        position = jnp.where(accepted, proposal, position)
        density = jnp.where(accepted, proposed, density)
    return jnp.exp(position)


def sweep_keys(problem: Problem, index: Array) -> Array:
    """Return the keys of one sweep, (B, 6): functions of chain and sweep alone."""
    return jax.vmap(partial(keys_of_chain, problem.key, index))(problem.chains)


def keys_of_chain(key: Array, index: Array, chain: Array) -> Array:
    """Return the keys of one sweep of a chain, (6,)."""
    return jax.random.split(jax.random.fold_in(jax.random.fold_in(key, chain), index), 6)


def shared_key(problem: Problem, index: Array) -> Array:
    """Return the key of what the moves of all chains share in a sweep: that of the first chain, ()."""
    return keys_of_chain(problem.key, index, jnp.zeros_like(problem.chains[0]))[0]


def label_keys(problem: Problem, index: Array) -> Array:
    """Return the keys of the labels of one sweep, (B,).

    A kept draw has the key of its number, from which ``Fit.allocations`` redraws its labels; other
    sweeps take numbers beyond.
    """
    n_warmup, n_draws, thin, n_chains = problem.schedule
    after = index - n_warmup + 1
    kept = (after > 0) & is_kept(problem.schedule, index)
    row = jnp.where(kept, after // thin - 1, n_draws + index)
    numbers = draw_numbers(row, problem.chains, n_chains)
    return jax.vmap(partial(jax.random.fold_in, problem.label_key))(numbers)
