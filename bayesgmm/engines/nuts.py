"""The posterior by NumPyro's No-U-Turn sampler.

NumPyro's own kernel (``numpyro.infer.hmc.hmc``) runs under a jitted loop that returns to Python
every few draws: it compiles once per shape of the data, shows progress and survives Ctrl-C.
Labels are summed out while sampling and drawn afterwards, one per row and draw.
(Hoffman & Gelman 2014, JMLR 15, 1593-1623.)
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpyro.distributions import biject_to

from ..data.dataset import DataWarning
from ..data.tabular import Table
from ..model.allocation import counts_and_log_likelihood, draw_keys
from ..model.families.base import Family
from ..model.mixture import Mixture, Tied
from ..model.resolved import Model
from ..model.weights import (
    coordinates_from_log_weights,
    is_random,
    log_weights_from_coordinates,
)
from ..numerics.precision import in_float64, to_numpy
from ..numerics.rows import chunk_length
from ..numerics.warn import warn
from ..result import Fit, Outcome, Status
from .checkpoint import EVERY, Checkpoint, check_settings, open_checkpoint
from .driver import drive
from .numpyro_model import require_labels, require_prior, scale_law
from .overdispersed import floored, overdispersed_mixtures
from .starts import seed_of
from .steps import (
    SLICE,
    HMCState,
    Problem,
    Static,
    Step,
    begin,
    describe_steps,
    split_chains,
    step_apart,
    step_together,
)

# Error of a row's log density beyond which the user is told.
LOST_DIGITS = 1e-3


@dataclass(frozen=True)
class NUTS:
    """The No-U-Turn sampler.

    Attributes:
        n_chains: chains, run side by side from over-dispersed starts.
        n_warmup: adaptation steps per chain, discarded.
        n_draws: draws kept per chain.
        target_accept: acceptance rate aimed at by the step size.
        max_tree_depth: most doublings per draw.
        dense_mass: whether the mass matrix is adapted as a full matrix.
        chain_method: "vectorized" steps all chains in one program; "threads" steps each by itself,
            side by side on the cores, so that no chain waits for another's longer tree; "auto"
            is "threads" on a CPU and "vectorized" elsewhere.
        progress: whether to show a progress bar.
        checkpoint: path of a file that keeps how far the run is, also when it is interrupted. Where it
            exists the run goes on from it, to the same numbers as without a stop; the file of another
            run is refused.
        every: seconds between two writings of that file; 0 writes after every slice of work.

    Raises:
        ValueError: a setting outside its domain.
    """

    n_chains: int = 4
    n_warmup: int = 1000
    n_draws: int = 1000
    target_accept: float = 0.8
    max_tree_depth: int = 10
    dense_mass: bool = True
    chain_method: str = "auto"
    progress: bool = True
    checkpoint: str | os.PathLike[str] | None = field(default=None, repr=False)
    every: float = field(default=EVERY, repr=False)

    def __post_init__(self) -> None:
        """Check the settings."""
        for name in ("n_chains", "n_draws", "max_tree_depth"):
            _require(
                _is_whole(getattr(self, name), 1), name, "a whole number >= 1", getattr(self, name)
            )
        _require(_is_whole(self.n_warmup, 0), "n_warmup", "a whole number >= 0", self.n_warmup)
        methods = ("auto", "threads", "vectorized")
        _require(
            self.chain_method in methods, "chain_method", f"one of {methods}", self.chain_method
        )
        _require(0 < self.target_accept < 1, "target_accept", "in (0, 1)", self.target_accept)
        check_settings(self)

    @in_float64
    def run(self, key: Array, model: Model, data: Table) -> Fit:
        """Sample the posterior.

        Args:
            key: JAX random key.
            model: the resolved model.
            data: the rows.

        Returns:
            A posterior Fit with leading axes (C, S).

        Raises:
            ValueError: a model without priors, known labels that do not name its components, or the
                checkpoint of another run.
            KeyboardInterrupt: interrupted before the first draw was finished.
        """
        weights = require_prior(model)
        require_labels(model, data)
        checkpoint = open_checkpoint(self, key, model, data)
        keys = named_keys(key, self.n_chains)
        width = model.family.n_features(data.n_columns) + self.n_chains * model.n_components
        rows = jax.device_put(data.rows(chunk_length(data.n_rows, width)))
        problem = Problem(weights.concentration, model.prior, model.scale_prior, rows)
        static = Static(
            model.family,
            model.n_components,
            type(weights),
            self.n_warmup,
            self.target_accept,
            self.max_tree_depth,
            self.dense_mass,
        )

        def at_start() -> HMCState:
            random = np.random.RandomState(seed_of(key))
            mixtures = overdispersed_mixtures(random, model, data, rows, self.n_chains)
            start = coordinates(static, keys.fill, mixtures, problem)
            return begin(static, keys.chains, start, problem)

        kept, interrupted = self.sample(static, problem, at_start, checkpoint)
        return build_fit(
            self,
            model,
            data,
            static,
            problem,
            kept,
            keys.labels,
            interrupted,
            checkpoint.advice,
        )

    def sample(
        self,
        static: Static,
        problem: Problem,
        at_start: Callable[[], HMCState],
        checkpoint: Checkpoint,
    ) -> tuple[Step, bool]:
        """Run warm-up and draws in slices; return the kept draws and whether it was interrupted."""
        if self.steps_together():
            step: Any = partial(step_together, static, problem)
            return self.drive(step, checkpoint.first(at_start), checkpoint)
        with ThreadPoolExecutor(min(self.n_chains, os.cpu_count() or 1)) as pool:
            step = partial(step_apart, pool, static, problem)
            chains = checkpoint.first(lambda: split_chains(at_start(), self.n_chains))
            return self.drive(step, chains, checkpoint)

    def steps_together(self) -> bool:
        """Say whether all chains step in one program."""
        if self.chain_method == "auto":
            return jax.default_backend() != "cpu"
        return self.chain_method == "vectorized"

    def drive(self, step: Any, state: Any, checkpoint: Checkpoint) -> tuple[Step, bool]:
        """Run the slices with a progress bar."""

        def advance(state: Any, n_steps: int) -> tuple[Any, Step, int]:
            state, steps = step(state, np.int32(n_steps))
            return state, jax.tree.map(lambda leaf: leaf[:n_steps], steps), n_steps

        run = drive(
            advance,
            state,
            self.n_warmup + self.n_draws,
            first=SLICE,
            longest=SLICE,
            describe=describe_steps,
            progress=self.progress,
            label="NUTS",
            checkpoint=checkpoint,
        )
        if run.n_done <= self.n_warmup:
            raise KeyboardInterrupt(
                f"Interrupted in warm-up, after {run.n_done} of {self.n_warmup} steps: no draw is finished."
                + checkpoint.advice
            )
        steps = jax.tree.map(lambda *leaves: np.concatenate(leaves), *run.outputs)
        return jax.tree.map(
            lambda leaf: leaf[self.n_warmup :].swapaxes(0, 1), steps
        ), run.interrupted


class Keys(NamedTuple):
    """Random keys of a run: one per chain (C,), one to fill empty components, one for labels."""

    chains: Array
    fill: Array
    labels: Array


@partial(jax.jit, static_argnums=1)
def named_keys(key: Array, n_chains: int) -> Keys:
    """Split the key of a run."""
    key_chains, key_fill, key_labels = jax.random.split(key, 3)
    return Keys(jax.random.split(key_chains, n_chains), key_fill, key_labels)


@partial(jax.jit, static_argnums=0)
def coordinates(
    static: Static, key: Array, mixtures: Mixture, problem: Problem
) -> dict[str, Array]:
    """Return the chains' starting mixtures as coordinates of the NumPyro model.

    Components that hold less than half a row start from the prior.
    """
    n_chains, n_components = mixtures.log_weights.shape
    key_components, key_means = jax.random.split(key)
    concentration, prior, scale_prior, rows = problem
    n_rows = rows.weights.sum()
    position = {}
    if scale_prior is not None:
        typical = scale_prior.mean()
        prior = prior.with_scale(typical)
        free = biject_to(scale_law(scale_prior).support).inv(typical)
        position["scale"] = jnp.broadcast_to(free, (n_chains, *free.shape))
    empty = jnp.exp(mixtures.log_weights) * n_rows < 0.5
    raw = prior.raw_from_covariance(mixtures.covariance)
    if not isinstance(mixtures.covariance, Tied):
        _, drawn = prior.draw(key_components, (n_chains, n_components))
        raw = jnp.where(_like(empty, raw), prior.raw_from_covariance(drawn), raw)
    noise = prior.noise_from_means(mixtures.means, mixtures.covariance)
    fresh = jax.random.normal(key_means, noise.shape)
    position["covariances"] = raw
    position["mean_noise"] = jnp.where(_like(empty, noise), fresh, noise)
    if is_random(concentration):
        typical = jnp.asarray(concentration.mean, float)
        free = biject_to(concentration.support).inv(typical)
        position["concentration"] = jnp.broadcast_to(free, (n_chains,))
        concentration = typical
    if n_components > 1:
        a, b = static.weights().sticks(concentration, n_components)
        log_weights = floored(mixtures.log_weights, n_rows)
        position["sticks"] = coordinates_from_log_weights(log_weights, a, b)
    return position


def _like(flags: Array, leaf: Array) -> Array:
    return flags.reshape(*flags.shape, *([1] * (leaf.ndim - flags.ndim)))


class Hyperparameters(NamedTuple):
    """Draws of what has a hyperprior, (S, ...) each; None where nothing was drawn."""

    concentration: Array | None
    scale: Array | None


@partial(jax.jit, static_argnums=0)
def mixtures_at(static: Static, problem: Problem, position: Any) -> tuple[Mixture, Hyperparameters]:
    """Return the mixtures (S, ...) and hyperparameters at positions with one leading axis."""

    def one(position: dict[str, Array]) -> tuple[Mixture, Hyperparameters]:
        concentration, prior, scale_prior, _ = problem
        drawn, scale = None, None
        if is_random(concentration):
            drawn = concentration = biject_to(concentration.support)(position["concentration"])
        if scale_prior is not None:
            scale = biject_to(scale_law(scale_prior).support)(position["scale"])
            prior = prior.with_scale(scale)
        log_weights = jnp.zeros(1)
        if static.n_components > 1:
            a, b = static.weights().sticks(concentration, static.n_components)
            log_weights = log_weights_from_coordinates(position["sticks"], a, b)
        covariance = prior.covariance_from_raw(position["covariances"])
        means = prior.means_from_noise(position["mean_noise"], covariance)
        return Mixture(log_weights, means, covariance), Hyperparameters(drawn, scale)

    return jax.vmap(one)(position)


def build_fit(
    engine: NUTS,
    model: Model,
    data: Table,
    static: Static,
    problem: Problem,
    kept: Step,
    key_labels: Array,
    interrupted: bool,
    advice: str = "",
) -> Fit:
    """Turn positions into mixtures, draw the labels and describe the run."""
    n_chains, n_draws = kept.potential.shape
    position = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), kept.position)
    mixtures, hyperparameters = mixtures_at(static, problem, position)
    warn_of_lost_digits(model.family, mixtures)
    keys = draw_keys(key_labels, n_chains, n_draws)
    counts, total = counts_and_log_likelihood(keys, model.family, mixtures, problem.rows)
    to_data_units = data.total_cells * np.log(model.affine.scale)

    def by_chain(leaf: Array) -> np.ndarray:
        return np.asarray(leaf).reshape(n_chains, n_draws, *leaf.shape[1:])

    return Fit(
        model=model,
        data=data,
        engine=engine,
        kind="posterior",
        scaled=jax.tree.map(by_chain, mixtures),
        log_likelihood=by_chain(total) - to_data_units,
        status=status_of(engine, n_draws, int(kept.diverging.sum()), interrupted, advice),
        sample_stats={
            "lp": -kept.potential,
            "energy": kept.energy,
            "diverging": kept.diverging,
            "n_steps": kept.n_steps,
            "tree_depth": np.ceil(np.log2(kept.n_steps + 1)).astype(int),
            "acceptance_rate": kept.acceptance_rate,
            "step_size": kept.step_size,
        },
        counts=by_chain(counts).astype(np.int64),
        **jax.tree.map(by_chain, hyperparameters)._asdict(),
        label_key=to_numpy(jax.random.key_data(key_labels)),
    )


def warn_of_lost_digits(family: Family, mixtures: Mixture) -> None:
    """Warn where the product form of the likelihood, all a gradient sampler has, was inexact."""
    error = np.finfo(float).eps * float(worst_tightness(family, mixtures))
    if error > LOST_DIGITS:
        warn(
            f"A component is so narrow that log densities of single rows were off by up to {error:.1g}: "
            "its draws are not exact. Fit the rows around it by themselves, or use engine=bg.EM().",
            DataWarning,
        )


@partial(jax.jit, static_argnums=0)
def worst_tightness(family: Family, mixtures: Mixture) -> Array:
    """Return the largest tightness of any component of any draw, ()."""
    return family.tightness(mixtures).max()


def status_of(
    engine: NUTS, n_draws: int, n_divergent: int, interrupted: bool, advice: str = ""
) -> Status:
    """Put the end of the run into words, with advice about how to go on."""
    divergences = f"; {n_divergent} divergent transitions" if n_divergent else ""
    if interrupted:
        return Status(
            Outcome.INTERRUPTED,
            f"Interrupted: {n_draws} of {engine.n_draws} draws per chain are finished and kept{divergences}."
            + advice,
        )
    return Status(
        Outcome.COMPLETE, f"{engine.n_chains} chains of {n_draws} draws each{divergences}."
    )


def _is_whole(value: Any, lowest: int) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool) and value >= lowest


def _require(condition: bool, name: str, domain: str, value: Any) -> None:
    if not condition:
        raise ValueError(f"Expected {name} to be {domain}, got {value!r}. Change {name}.")
