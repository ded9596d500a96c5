"""Maximum likelihood and maximum a posteriori by EM, restarts side by side in one program."""

import os
import time
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..data.sources import Source
from ..data.tabular import Table
from ..model.families.least_rows import least_rows
from ..model.mixture import Mixture, Tied
from ..model.resolved import Model
from ..model.weights import is_random
from ..numerics.precision import in_float64, to_numpy
from ..numerics.rows import chunk_length, chunk_rows
from ..numerics.warn import warn
from ..result import Fit, Outcome, Status
from .aitken import remaining_gain
from .checkpoint import EVERY, Checkpoint, check_settings, open_checkpoint
from .climb import FINISHED, Climb, Objective, begin, climb, evaluate
from .driver import drive
from .outside import agreement_over, climb_over
from .restarts import agreement
from .starts import check_start, is_settled, points_of, seed_of, starting_mixture

# Ten on the scale of BIC is very strong evidence (Kass & Raftery 1995, JASA 90, 773-795).
DECISIVE = 5.0
RIDGE_WARNING = 1.0
RELATIVE_RIDGE = 1e-6


class CollapsedError(ValueError):
    """Every restart began with a singular covariance: there is nothing to return."""


class EarlyStopWarning(UserWarning):
    """EM met its tolerance while the log-likelihood still had a long way to climb."""


class RegularisationWarning(UserWarning):
    """``reg_covar`` is out of proportion to the data and was replaced."""


@dataclass(frozen=True)
class EM:
    """Expectation-maximisation.

    Maximises the likelihood when the specification has no priors, else the posterior density, that
    of a random scale of the covariances included.

    Attributes:
        n_init: number of restarts, run side by side; the best is kept.
        start: "kmeans", "k-means++", "random", "random_from_data", "hierarchical" (the clusters of
            an agglomerative tree, every restart the same up to 5,000 rows, beyond from a random
            5,000), "annealed" (tempered updates from k-means++ seeds), responsibilities (N, K),
            or a Mixture in the data's units.
        max_iter: most updates per restart; 0 evaluates the start.
        tol: a restart ends when the mean log-likelihood per row changes by less.
        reg_covar: added to the diagonal of covariances, in squared units of the data; not used
            with a prior, which regularises by itself. A value larger than the total variance of
            the data would hide every cluster; it is replaced by 1e-6 of that variance, with a
            warning.
        progress: whether to show a progress bar.
        checkpoint: path of a file that keeps how far the run is, also when it is interrupted. Where it
            exists the run goes on from it, to the same numbers as without a stop; the file of another
            run is refused.
        every: seconds between two writings of that file; 0 writes after every slice of work.

    Raises:
        ValueError: a setting outside its domain.
    """

    n_init: int = 1
    start: Any = "kmeans"
    max_iter: int = 100
    tol: float = 1e-3
    reg_covar: float = 1e-6
    progress: bool = False
    checkpoint: str | os.PathLike[str] | None = field(default=None, repr=False)
    every: float = field(default=EVERY, repr=False)

    def __post_init__(self) -> None:
        """Check the settings."""
        check_start(self.start)
        for name, lowest in (("n_init", 1), ("max_iter", 0)):
            value = getattr(self, name)
            is_whole = hasattr(value, "__index__") and value >= lowest
            _require(is_whole, name, f"to be a whole number >= {lowest}", value)
        _require(self.tol >= 0, "tol", ">= 0", self.tol)
        _require(self.reg_covar >= 0, "reg_covar", ">= 0", self.reg_covar)
        check_settings(self)

    @in_float64
    def run(self, key: Array, model: Model, data: Table) -> Fit:
        """Fit the model.

        Args:
            key: JAX random key; an integer seed gives the starts scikit-learn would make of it.
            model: the resolved model.
            data: the rows.

        Returns:
            A point Fit. ``history`` holds ``log_likelihood`` after each update of the best
            restart, for maximum likelihood ``remaining_gain``, Aitken's estimate of what more
            updates would add, and per restart ``restart_log_likelihood``, ``restart_n_iter``,
            ``restart_converged``, ``restart_collapsed`` and ``restart_agreement``, the adjusted
            Rand index of its labels and those of the best.

        Raises:
            ValueError: a model EM cannot serve, too few rows for it, or the checkpoint of another run.
            CollapsedError: every restart began singular.

        Warns:
            EarlyStopWarning: ``tol`` was met, and 5 nats or more are still to be gained.
        """
        refuse_unsuitable(model)
        data.require_labels_below(model.n_components)
        self.require_rows(model, data)
        checkpoint = open_checkpoint(self, key, model, data)
        objective = objective_of(model, self.ridge(model))
        begun = time.perf_counter()
        width = model.family.n_features(data.n_columns) + self.n_init * model.n_components
        length = chunk_length(data.sample.n_rows, width)
        rows: Any = data if isinstance(data, Source) else jax.device_put(data.rows(length))

        def at_start() -> Climb:
            starts = self.starts(key, model, objective, data, rows, length)
            return begin(model.family, starts, self.max_iter)

        state = checkpoint.first(at_start)
        end, interrupted = self.climb(model, objective, state, rows, checkpoint)
        best = best_restart(end)
        compared = agreement_over if isinstance(data, Source) else agreement
        alike = np.asarray(compared(model.family, end.mixture, best, rows))
        seconds = time.perf_counter() - begun
        fit = build_fit(self, model, data, end, best, interrupted, checkpoint.advice)
        more = {"restart_agreement": alike, "seconds": np.asarray(seconds)}
        warn_of_early_stop(fit)
        return replace(fit, history={**fit.history, **more})

    def require_rows(self, model: Model, data: Table) -> None:
        """Raise if every division of the rows leaves a covariance singular.

        Raises:
            ValueError: too few rows without prior and regularisation.
        """
        needed = least_rows(model.family, model.n_components, model.n_columns)
        counted = data.n_rows if data.weights is None else int((data.weights > 0).sum())
        if model.spec.is_maximum_likelihood and self.reg_covar == 0 and counted < needed:
            raise ValueError(
                f"Expected at least {needed} rows for {model.n_components} components with covariance="
                f"{model.family.name!r} in {model.n_columns} columns, got {counted}: with fewer some covariance is "
                "singular however they are divided. Set reg_covar, or use fewer components or a structure that "
                "shares more."
            )

    def starts(
        self,
        key: Array,
        model: Model,
        objective: Objective,
        data: Table,
        rows: Any,
        length: int,
    ) -> Mixture:
        """Return the starting mixtures, (n_init, ...); of rows elsewhere those of their sample."""
        random = np.random.RandomState(seed_of(key))
        points = points_of(data)
        if data.has_missing or isinstance(data, Source):
            rows = chunk_rows(points.scaled, length, points.weights)
        n_made = 1 if is_settled(self.start, points) else self.n_init
        made = [
            starting_mixture(self.start, random, model, objective, points, rows)
            for _ in range(n_made)
        ]
        made *= self.n_init // n_made
        return jax.tree.map(lambda *leaves: np.stack(leaves), *made)

    def climb(
        self,
        model: Model,
        objective: Objective,
        state: Climb,
        rows: Any,
        checkpoint: Checkpoint,
    ) -> tuple[Climb, bool]:
        """Run the compiled loop in slices; return the last state and whether it was interrupted."""
        # A turn over a file takes long: an interruption loses this one only.
        data_stays = isinstance(rows, Source)
        climb_rows = climb_over if data_stays else climb

        def advance(state: Climb, n_turns: int) -> tuple[Climb, None, int]:
            asked = np.int32(n_turns)
            new = climb_rows(model.family, objective, state, rows, np.float64(self.tol), asked)
            is_left = bool((new.phase < FINISHED).any())
            return new, None, n_turns if is_left else n_turns - 1

        run = drive(
            advance,
            state,
            self.max_iter + 1,
            first=1 if data_stays else 16,
            longest=1 if data_stays else self.max_iter + 1,
            progress=self.progress,
            label="EM",
            checkpoint=checkpoint,
        )
        end = run.state
        if run.interrupted:
            tol = np.float64(self.tol)
            end = evaluate(model.family, objective, end, rows, tol, climb=climb_rows)
        return to_numpy(end), run.interrupted

    def ridge(self, model: Model) -> float:
        """Return the regularisation in engine units, replaced if it would swamp the data."""
        relative = self.reg_covar / float(model.affine.scale) ** 2
        if not model.spec.is_maximum_likelihood or relative <= RIDGE_WARNING:
            return relative
        warn(
            f"reg_covar={self.reg_covar:g} is larger than the variance of the data "
            f"({float(model.affine.scale) ** 2:g}) and would hide every cluster; "
            f"{RELATIVE_RIDGE:g} of that variance was used instead. Pass a smaller reg_covar.",
            RegularisationWarning,
        )
        return RELATIVE_RIDGE


def _require(condition: bool, name: str, domain: str, value: Any) -> None:
    if not condition:
        raise ValueError(f"Expected {name} {domain}, got {value!r}. Change {name}.")


def refuse_unsuitable(model: Model) -> None:
    """Raise, before any work, if EM cannot serve the model."""
    weights = model.weights
    if model.spec.is_auto or (weights is not None and weights.grows):
        raise ValueError(
            f"EM needs a given number of components, got n_components={model.spec.n_components!r} with "
            f"{type(weights).__name__} weights. Give a number with bg.Dirichlet weights, or use engine=bg.Gibbs()."
        )
    if weights is None:
        return
    if is_random(weights.concentration):
        raise ValueError(
            "EM needs a fixed concentration, got a hyperprior. Give Dirichlet(concentration=number), "
            "or use engine=bg.Gibbs()."
        )
    if weights.concentration < 1:
        raise ValueError(
            f"EM needs a Dirichlet concentration >= 1, got {weights.concentration}: below 1 the posterior "
            "density is unbounded where a weight vanishes. Use engine=bg.Gibbs() for sparse weights."
        )
    if model.scale_prior is not None and not scale_has_mode(model):
        raise ValueError(
            f"EM needs a scale whose density given {model.n_components} components has a mode, got "
            f"{model.spec.prior}: it is unbounded at zero. Raise the degrees of freedom, or use engine=bg.Gibbs()."
        )


def scale_has_mode(model: Model) -> bool:
    """Say whether the density of the scale given all covariances is bounded."""
    n_covariances = 1 if model.family.record is Tied else model.n_components
    return bool(model.scale_prior.has_mode(n_covariances, model.prior.degrees_of_freedom))


def objective_of(model: Model, ridge: float) -> Objective:
    """Return what EM maximises for a model."""
    concentration = 1.0 if model.weights is None else model.weights.concentration
    components = None if model.prior is None else model.components
    return Objective(jnp.asarray(ridge, float), jnp.asarray(concentration, float), components)


def best_restart(state: Climb) -> int:
    """Return the restart with the highest objective, regular ones first.

    Raises:
        CollapsedError: no restart has usable parameters.
    """
    began_singular = (
        (state.collapsed >= 0) & (state.n_iter == 0) & ~np.isfinite(state.log_likelihood)
    )
    if began_singular.all():
        raise CollapsedError(
            f"Component {int(state.collapsed[0])} is singular at the start, in all {len(state.n_iter)} "
            "restarts: expected a positive-definite covariance. Increase reg_covar, lower n_components, "
            "or use another start."
        )
    objective = np.where(began_singular, -np.inf, state.log_likelihood + state.log_prior)
    regular = state.collapsed < 0
    return int(np.argmax(np.where(regular | ~regular.any(), objective, -np.inf)))


def warn_of_early_stop(fit: Fit) -> None:
    """Warn if ``tol`` was met long before the likelihood had its maximum."""
    gain = float(fit.history.get("remaining_gain", 0.0))
    if fit.status.ok and gain >= DECISIVE:
        number = (
            f"about {gain:.3g}"
            if np.isfinite(gain)
            else "an unknown amount (its steps do not shrink)"
        )
        warn(
            f"EM met tol={fit.engine.tol:g} with {number} of log-likelihood still to be gained, enough to turn "
            "a comparison of models. Lower tol and raise max_iter.",
            EarlyStopWarning,
        )


def build_fit(
    engine: EM,
    model: Model,
    data: Table,
    end: Climb,
    best: int,
    interrupted: bool,
    advice: str = "",
) -> Fit:
    """Describe the run and its best restart."""
    to_data_units = data.total_cells * np.log(model.affine.scale)
    status = status_of(engine, end, best, interrupted, advice)
    climbed = end.history[best, : int(end.n_iter[best]) + 1] - to_data_units
    left = {}
    if model.spec.is_maximum_likelihood and len(climbed) > 2:
        left = {"remaining_gain": np.asarray(remaining_gain(np.asarray(climbed)))}
    return Fit(
        model=model,
        data=data,
        engine=engine,
        kind="point",
        scaled=jax.tree.map(lambda leaf: np.array(leaf[best]), end.mixture),
        log_likelihood=np.asarray(end.log_likelihood[best] - to_data_units),
        log_prior=None if model.prior is None else np.asarray(end.log_prior[best]),
        status=status,
        history={
            "log_likelihood": climbed,
            **left,
            "restart_log_likelihood": end.log_likelihood - to_data_units,
            "restart_n_iter": end.n_iter,
            "restart_converged": end.converged,
            "restart_collapsed": end.collapsed,
            "best_restart": np.asarray(best),
        },
    )


def status_of(engine: EM, end: Climb, best: int, interrupted: bool, advice: str = "") -> Status:
    """Put the end of the best restart into words, with advice about how to go on."""
    n_iter = int(end.n_iter[best])
    if interrupted and end.phase[best] < FINISHED:
        return Status(
            Outcome.INTERRUPTED,
            f"Interrupted after {n_iter} updates; the parameters reached are returned."
            + (advice or " Continue from them with start=fit.mixture."),
        )
    if end.collapsed[best] >= 0:
        return Status(
            Outcome.COLLAPSED,
            f"Component {int(end.collapsed[best])} collapsed after {n_iter} updates: its covariance became "
            f"singular. The last regular parameters are returned. Increase reg_covar (now "
            f"{engine.reg_covar:g}), lower n_components, or use a prior.",
        )
    if not end.converged[best]:
        return Status(
            Outcome.MAX_ITER,
            f"Stopped at max_iter={engine.max_iter} before the change fell below tol={engine.tol:g}. "
            "Increase max_iter or tol, or look at the history.",
        )
    return Status(
        Outcome.CONVERGED,
        f"Converged after {n_iter} updates (tol={engine.tol:g}); best of {len(end.n_iter)} restarts.",
    )
