"""Steps of NumPyro's NUTS kernel, compiled once per shape and settings.

The kernel (``numpyro.infer.hmc.hmc``) is built while tracing, from the potential energy of
``mixture_model``; a compiled program takes up to ``SLICE`` steps and returns to Python.
(Hoffman & Gelman 2014, JMLR 15, 1593-1623.)
"""

import operator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.flatten_util import ravel_pytree
from numpyro.infer.hmc import HMCState, hmc
from numpyro.infer.util import potential_energy

from ..model.families.base import Family
from ..numerics.precision import in_float64, to_numpy
from ..numerics.rows import Rows
from .numpyro_model import mixture_model

SLICE = 50
# Before the mass matrix is adapted long trees are wasted: warm-up doubles less often.
WARMUP_TREE_DEPTH = 8


class Static(NamedTuple):
    """What the compiled program depends on besides shapes."""

    family: Family
    n_components: int
    weights: type
    n_warmup: int
    target_accept: float
    max_tree_depth: int
    dense_mass: bool


class Problem(NamedTuple):
    """The arrays that define the posterior."""

    concentration: Any
    prior: Any
    scale_prior: Any
    rows: Rows


class Step(NamedTuple):
    """What is kept of each step of each chain."""

    position: dict[str, Array]
    potential: Array
    energy: Array
    diverging: Array
    n_steps: Array
    acceptance_rate: Array
    step_size: Array


def potential_of(static: Static, problem: Problem) -> Any:
    """Return the potential energy as a function of unconstrained sites."""
    weights = static.weights(problem.concentration)
    priors = (weights, problem.prior, problem.scale_prior)
    args = (static.family, static.n_components, *priors, problem.rows)
    return partial(potential_energy, mixture_model, args, {})


def kernel_for(static: Static, problem: Problem) -> tuple[Any, Any]:
    """Return NumPyro's init and sample for this posterior, built while tracing."""
    init, sample = hmc(potential_fn_gen=partial(potential_of, static), algo="NUTS")

    def start(key: Array, position: dict[str, Array], metric: Array) -> HMCState:
        return init(
            position,
            static.n_warmup,
            step_size=0.1,
            inverse_mass_matrix=metric if static.dense_mass else jnp.diagonal(metric),
            target_accept_prob=static.target_accept,
            max_tree_depth=(min(WARMUP_TREE_DEPTH, static.max_tree_depth), static.max_tree_depth),
            dense_mass=static.dense_mass,
            model_args=(problem,),
            rng_key=key,
        )

    return start, partial(sample, model_args=(problem,), model_kwargs={})


@partial(jax.jit, static_argnums=0)
def begin(static: Static, keys: Array, start: dict[str, Array], problem: Problem) -> HMCState:
    """Return the first states of C chains."""
    metric = jax.vmap(partial(laplace_metric, potential_of(static, problem)))(start)
    return jax.vmap(kernel_for(static, problem)[0])(keys, start, metric)


def laplace_metric(potential: Any, position: dict[str, Array]) -> Array:
    """Return the inverse mass matrix that fits the curvature where a chain starts.

    The inverse of the Hessian with eigenvalues max(|lambda|, 1): directions that the rows do not
    inform have curvature one under the prior, by construction of the coordinates.
    """
    flat, unravel = ravel_pytree(position)
    hessian = jax.hessian(lambda vector: potential(unravel(vector)))(flat)
    values, vectors = jnp.linalg.eigh((hessian + hessian.T) / 2)
    return (vectors / jnp.maximum(jnp.abs(values), 1.0)) @ vectors.T


@partial(jax.jit, static_argnums=0)
def take_steps(
    static: Static, problem: Problem, state: HMCState, n_steps: Array
) -> tuple[HMCState, Step]:
    """Take up to ``SLICE`` steps with one chain, or with C; return them in a buffer of that length."""
    start, sample = kernel_for(static, problem)
    if state.i.ndim:
        start, sample = jax.vmap(start), jax.vmap(sample)
    # NumPyro's sample reads settings that its init leaves in a closure: trace init, discard it.
    metric = state.adapt_state.mass_matrix_sqrt
    square = jnp.zeros((*state.i.shape, metric.shape[-1], metric.shape[-1]))
    jax.eval_shape(start, state.rng_key, state.z, square)
    empty = jax.tree.map(lambda leaf: jnp.zeros((SLICE, *leaf.shape), leaf.dtype), step_of(state))

    def body(index: Array, carry: tuple[HMCState, Step]) -> tuple[HMCState, Step]:
        state, steps = carry
        state = sample(state)
        kept = jax.tree.map(lambda all, one: all.at[index].set(one), steps, step_of(state))
        return state, kept

    return jax.lax.fori_loop(0, n_steps, body, (state, empty))


def step_together(
    static: Static, problem: Problem, state: HMCState, n_steps: np.int32
) -> tuple[HMCState, Step]:
    """Step all chains in one vectorised program."""
    state, steps = take_steps(static, problem, state, n_steps)
    return state, to_numpy(steps)


def step_apart(
    pool: ThreadPoolExecutor,
    static: Static,
    problem: Problem,
    chains: list[HMCState],
    n_steps: np.int32,
) -> tuple[list[HMCState], Step]:
    """Step each chain by itself, as many at a time as there are cores, in one shared program."""

    @in_float64
    def one(state: HMCState) -> tuple[HMCState, Step]:
        state, steps = take_steps(static, problem, state, n_steps)
        return state, to_numpy(steps)

    states, steps = zip(*pool.map(one, chains), strict=True)
    return list(states), jax.tree.map(lambda *leaves: np.stack(leaves, 1), *steps)


@partial(jax.jit, static_argnums=1)
def split_chains(state: HMCState, n_chains: int) -> list[HMCState]:
    """Return one state per chain."""
    return [jax.tree.map(operator.itemgetter(chain), state) for chain in range(n_chains)]


def step_of(state: HMCState) -> Step:
    """Pick what is kept of a state."""
    return Step(
        position=state.z,
        potential=state.potential_energy,
        energy=state.energy,
        diverging=state.diverging,
        n_steps=state.num_steps,
        acceptance_rate=state.accept_prob,
        step_size=state.adapt_state.step_size,
    )


def describe_steps(steps: Step) -> str:
    """Say how the last slice went, for the progress bar."""
    return f"acceptance {steps.acceptance_rate.mean():.2f}, leapfrogs {steps.n_steps.mean():.0f}"
