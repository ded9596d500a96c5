"""The posterior by a blocked Gibbs sampler over partitions, for K known and unknown.

Chains run side by side, in one compiled program per team (``teams``). The number of components is
drawn along (``MixtureOfFiniteMixtures``), components without rows come from the prior, and
split-merge moves change many labels at once; see ``sweep`` and ``moves``.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..data.sources import Source
from ..data.tabular import Table
from ..model.families.base import Family
from ..model.resolved import Model
from ..model.weights import WeightPrior, is_random
from ..numerics.precision import in_float64, to_numpy
from ..numerics.rows import chunk_length
from ..numerics.streams import unrolled
from ..result import Fit, Outcome, Status
from .checkpoint import EVERY, Checkpoint, check_settings, open_checkpoint
from .driver import drive
from .first_state import beginning, first_state
from .memory import require_memory
from .overdispersed import overdispersed_mixtures
from .starts import seed_of
from .sweep import (
    SLICE,
    Draw,
    Problem,
    Schedule,
    State,
    Static,
    run_slice,
)
from .sweep_over import first_state_over, run_slice_over
from .teams import Runner, Slice, Team, advance_teams, divided, joined

MOVES = ("split_merge", "birth_death")
DEFAULT_MOVES = ("split_merge",)
STARTS = ("overdispersed",)
MOST_THINNING = 16
THINNED_ROWS = 40_000


@dataclass(frozen=True)
class Gibbs:
    """A blocked Gibbs sampler over partitions with split-merge moves.

    Attributes:
        n_chains: chains, run side by side from over-dispersed starts.
        n_warmup: sweeps per chain, discarded.
        n_draws: draws kept per chain.
        thin: sweeps per kept draw; by default 16 up to 2,500 rows, fewer the more rows, and 1 from
            40,000 rows: sweeps over few rows cost little, and few-row posteriors of K+ are wide.
        start: "overdispersed": one chain from a single cluster, one from many, the rest between.
        moves: further moves beside the blocked updates, any of "split_merge" and "birth_death", or
            none. Births and deaths help where small clusters come and go beside large ones among
            thousands of rows: K+ then mixes two to ten times as fast per second. They keep the densities
            of all rows under all components: 8 n_chains N max_components bytes.
        memory: GiB that draws, and what births and deaths keep, may take; what would not fit is refused
            before any work.
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
    thin: int | None = None
    start: str = "overdispersed"
    moves: Sequence[str] = DEFAULT_MOVES
    progress: bool = True
    memory: float = 8.0
    checkpoint: str | os.PathLike[str] | None = field(default=None, repr=False)
    every: float = field(default=EVERY, repr=False)

    def __post_init__(self) -> None:
        """Check the settings."""
        for name, lowest in (("n_chains", 1), ("n_draws", 1), ("thin", 1), ("n_warmup", 0)):
            value = getattr(self, name)
            if name == "thin" and value is None:
                continue
            whole = hasattr(value, "__index__") and not isinstance(value, bool)
            _require(whole and value >= lowest, name, f"a whole number >= {lowest}", value)
        is_positive = isinstance(self.memory, (int, float)) and self.memory > 0
        _require(is_positive, "memory", "> 0, in GiB", self.memory)
        _require(self.start in STARTS, "start", f"one of {STARTS}", self.start)
        is_list = not isinstance(self.moves, str) and all(move in MOVES for move in self.moves)
        _require(is_list, "moves", f"a tuple out of {MOVES}", self.moves)
        object.__setattr__(self, "moves", tuple(self.moves))
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
            ValueError: a model without priors, draws that would not fit into memory, or the checkpoint
                of another run.
            KeyboardInterrupt: interrupted before the first draw was finished.
        """
        weights = require_prior(model)
        require_rows(model, data)
        require_no_births(self.moves, data)
        kept_rows = data.n_rows if "birth_death" in self.moves else 0
        require_memory(model, self.n_chains, self.n_draws, SLICE, kept_rows, self.memory)
        checkpoint = open_checkpoint(self, key, model, data)
        key_run, key_labels, key_start = split_key(key)
        width = model.family.n_features(data.n_columns) + self.n_chains * model.n_components
        length = chunk_length(data.sample.n_rows, width)
        rows = jax.device_put(data.sample.rows(length))
        thin = self.thinning(data.n_rows)
        schedule = [jnp.asarray(n) for n in (self.n_warmup, self.n_draws, thin, self.n_chains)]
        partition = weights.partition_prior(model.n_components)
        fixed = (
            model.components,
            partition,
            None if isinstance(data, Source) else rows,
            key_run,
            key_labels,
        )

        def part(chains: np.ndarray) -> Problem:
            return Problem(*fixed, Schedule(*schedule), jnp.asarray(chains))

        def at_start() -> list[State]:
            random, states = np.random.RandomState(seed_of(key)), []
            mixtures = overdispersed_mixtures(random, model, data, rows, self.n_chains)
            for chains in divided(
                self.n_chains, alone=data.has_missing, together=isinstance(data, Source)
            ):
                begun = beginning(part(chains), mixtures, key_start, data.total_weight)
                states.append(
                    first_state_over(model.family, data, part(chains), begun)
                    if isinstance(data, Source)
                    else first_state(model.family, part(chains), begun)
                )
            return states

        # A file may come from a machine with more cores, hence teams: they stay as they are.
        states = checkpoint.first(at_start)
        divided_as_before = np.split(np.arange(self.n_chains), len(states))
        teams = [
            Team(part(chains), state)
            for chains, state in zip(divided_as_before, states, strict=True)
        ]
        draws, interrupted = self.sample(self.runner(model.family, data), teams, checkpoint)
        return build_fit(self, model, data, draws, key_labels, interrupted, checkpoint.advice)

    def runner(self, family: Family, data: Table) -> Runner:
        """Return what runs a slice of sweeps, and the longest slice."""
        static = Static(family, *(move in self.moves for move in MOVES))
        if isinstance(data, Source):
            return Runner(partial(run_slice_over, static, data), 1)
        return Runner(partial(run_slice, static), SLICE)

    def thinning(self, n_rows: int) -> int:
        """Return the number of sweeps per kept draw."""
        if self.thin is not None:
            return self.thin
        return max(1, min(MOST_THINNING, THINNED_ROWS // n_rows))

    def sample(
        self, runner: Runner, teams: list[Team], checkpoint: Checkpoint
    ) -> tuple[Draw, bool]:
        """Run warm-up and draws in slices; return the kept draws (C, S, ...)."""
        thin = int(teams[0].problem.schedule.thin)

        def advance(states: list[State], n: int) -> tuple[list[State], Slice, int]:
            now = [team._replace(state=state) for team, state in zip(teams, states, strict=True)]
            after = int(states[0].n_done) + np.arange(n) - self.n_warmup + 1
            index = np.flatnonzero((after > 0) & (after % thin == 0))
            moved, slice_ = advance_teams(runner.run, pool, now, n, index)
            return [team.state for team in moved], slice_, n

        with ThreadPoolExecutor(min(len(teams), os.cpu_count() or 1)) as pool:
            run = drive(
                advance,
                [team.state for team in teams],
                self.n_warmup + thin * self.n_draws,
                first=runner.longest,
                longest=runner.longest,
                describe=describe,
                progress=self.progress,
                label="Gibbs",
                checkpoint=checkpoint,
            )
        if run.n_done < self.n_warmup + thin:
            raise KeyboardInterrupt(
                f"Interrupted after {run.n_done} sweeps, before the first draw"
                + (f".{checkpoint.advice}" if checkpoint.advice else ": nothing to keep.")
            )
        draws = joined([one.kept for one in run.outputs], axis=0)
        return jax.tree.map(lambda leaf: leaf.swapaxes(0, 1), draws), run.interrupted


def require_prior(model: Model) -> WeightPrior:
    """Return the weight prior; raise if the model has no prior to sample from."""
    if model.prior is None or model.weights is None:
        raise ValueError(
            "Expected a specification with priors, got one without (maximum likelihood): its posterior is "
            "improper. Use bg.MixtureSpec(n_components=...) with its default priors, or engine=bg.EM()."
        )
    return model.weights


def require_rows(model: Model, data: Table) -> None:
    """Raise unless every row counts once and known labels name components."""
    data.require_labels_below(
        model.n_components, "max_components" if model.spec.is_auto else "n_components"
    )
    if data.weights is None or (data.weights == 1).all():
        return
    row = int((data.weights != 1).argmax())
    raise ValueError(
        f"Expected rows that count once each for Gibbs, which gives every row one label, got a weight of "
        f"{data.weights[row]:g} in row {row}: two equal rows may have two. Repeat the rows if weights are whole "
        "(np.repeat(rows, weights, axis=0)), or use engine=bg.NUTS(), which sums labels out."
    )


def require_no_births(moves: Sequence[str], data: Table) -> None:
    """Raise if births and deaths are asked for with rows that are elsewhere."""
    if isinstance(data, Source) and "birth_death" in moves:
        raise ValueError(
            f"Expected split-merge moves alone over {data.kind} rows, got moves={tuple(moves)}: births and deaths "
            "keep the densities of all rows. Pass engine=bg.Gibbs(), or take the rows into memory."
        )


@jax.jit
def split_key(key: Array) -> tuple[Array, Array, Array]:
    """Split the key of a run into those of moves, labels and start."""
    keys = unrolled(jax.random.split(key, 3))
    return keys[0], keys[1], keys[2]


def describe(done: Slice) -> str:
    """Return the number of clusters of each chain, for the progress bar."""
    return "clusters " + " ".join(str(n) for n in done.n_clusters)


def build_fit(
    engine: Gibbs,
    model: Model,
    data: Table,
    draws: Any,
    key_labels: Array,
    interrupted: bool,
    advice: str = "",
) -> Fit:
    """Describe the run."""
    to_data_units = data.total_cells * np.log(model.affine.scale)
    is_mixed = np.any(draws.n_components > 0)
    has_hyperprior = is_random(require_prior(model).concentration)
    return Fit(
        model=model,
        data=data,
        engine=engine,
        kind="posterior",
        scaled=draws.mixture,
        log_likelihood=draws.log_likelihood - to_data_units,
        status=status_of(engine, model, draws, interrupted, advice),
        sample_stats={name: n for counts in draws.done for name, n in counts._asdict().items()},
        counts=draws.counts.astype(np.int64),
        concentration=draws.concentration if has_hyperprior else None,
        scale=None if model.scale_prior is None else draws.scale,
        n_components=draws.n_components.astype(np.int64) if is_mixed else None,
        label_key=to_numpy(jax.random.key_data(key_labels)),
    )


def status_of(
    engine: Gibbs, model: Model, draws: Draw, interrupted: bool, advice: str = ""
) -> Status:
    """Put the end of the run into words, with advice about how to go on."""
    n_chains, n_kept = draws.log_likelihood.shape
    lost = float((~np.isfinite(draws.log_likelihood)).mean())
    if lost > 0:
        return Status(
            Outcome.COLLAPSED,
            f"{lost:.1%} of the draws are not finite: a covariance turned singular, as many identical rows or "
            "collinear columns make it under a prior of random scale. Trust no draw; state the scale of the "
            "prior, or drop the repeated column.",
        )
    n_clusters = (draws.counts > 0).sum(-1)
    full = float((n_clusters == model.n_components).mean()) if model.spec.is_auto else 0.0
    bound = ""
    if full > 0:
        bound = f" {full:.1%} of the draws fill all {model.n_components} components: raise max_components."
    if interrupted:
        return Status(
            Outcome.INTERRUPTED,
            f"Interrupted: {n_kept} of {engine.n_draws} draws per chain are finished and kept.{bound}{advice}",
        )
    return Status(Outcome.COMPLETE, f"{n_chains} chains of {n_kept} draws each.{bound}")


def _require(condition: bool, name: str, domain: str, value: Any) -> None:
    if not condition:
        raise ValueError(f"Expected {name} to be {domain}, got {value!r}. Change {name}.")
