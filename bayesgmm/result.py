"""What comes out: ``Fit``, with its ``Status`` and ``Provenance``."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from html import escape
from typing import Any, Literal, cast

import jax
import numpy as np

from .data.dataset import Dataset
from .data.sources import Source
from .data.tabular import Table
from .model.allocation import redraw_labels
from .model.mixture import Mixture
from .model.resolved import Model

# Columns, components or numbers of clusters that a short description names.
MOST_NAMED = 6
LEAST_SHOWN = 0.01


class Outcome(Enum):
    """How a run ended.

    ``CONVERGED``, EM met ``tol``; ``MAX_ITER``, it did not; ``COLLAPSED``, a component turned
    singular; ``INTERRUPTED``, the user stopped the run; ``COMPLETE``, all draws were made.
    """

    CONVERGED = "converged"
    MAX_ITER = "max_iter"
    COLLAPSED = "collapsed"
    INTERRUPTED = "interrupted"
    COMPLETE = "complete"


@dataclass(frozen=True)
class Status:
    """How a run ended, in a word and in a sentence.

    Attributes:
        outcome: the word.
        message: what happened and what to do about it.
    """

    outcome: Outcome
    message: str

    @property
    def ok(self) -> bool:
        """Whether the run did what was asked."""
        return self.outcome in (Outcome.CONVERGED, Outcome.COMPLETE)


@dataclass(frozen=True)
class Provenance:
    """Where a fit comes from.

    Attributes:
        seed: the seed of the run.
        seconds: wall time of the run, compilation included; of its last part, where it went on from a checkpoint.
        dtype: floating-point type of the arithmetic.
        versions: versions of the packages that matter.
        created: time of creation, ISO 8601, UTC.
    """

    seed: int
    seconds: float
    dtype: str
    versions: Mapping[str, str]
    created: str


@dataclass(frozen=True)
class Fit:
    """The result of any engine.

    Attributes:
        model: what was fitted, with every default a number.
        data: the rows it was fitted to.
        engine: the settings of the engine.
        kind: a point estimate, a posterior sample, or an approximation.
        scaled: the mixture in engine units, NumPy; leading axes () for a point, (C, S) for draws.
        log_likelihood: log p(X | parameters) in the data's units, () or (C, S); of rows whose
            component is known, log p(x, component), and each as often as its weight says.
        status: how the run ended.
        log_prior: log prior density in engine units of the same parameters, where there is one.
        history: objective per iteration and other traces of a point estimate.
        sample_stats: statistics of the sampler, (C, S) each, by their ArviZ names.
        counts: rows per component with labels drawn from each draw, (C, S, K); None for a point.
        concentration: draws of the weight concentration (C, S), where it is random.
        scale: draws of the scale of the covariances' prior in engine units, (C, S, ...), where it
            is random.
        n_components: draws of K (C, S), where it is random.
        label_key: raw random key from which allocations are redrawn; None for a point.
        provenance: versions, seed, time.
    """

    model: Model
    data: Table
    engine: Any
    kind: Literal["point", "posterior", "approximation"]
    scaled: Mixture
    log_likelihood: np.ndarray
    status: Status
    log_prior: np.ndarray | None = None
    history: Mapping[str, Any] = field(default_factory=dict)
    sample_stats: Mapping[str, Any] = field(default_factory=dict)
    counts: np.ndarray | None = None
    concentration: np.ndarray | None = None
    scale: np.ndarray | None = None
    n_components: np.ndarray | None = None
    label_key: np.ndarray | None = None
    provenance: Provenance | None = None

    @cached_property
    def mixture(self) -> Mixture:
        """The mixture in the data's units and type, NumPy."""
        affine = self.model.affine
        mapped = Mixture(
            self.scaled.log_weights,
            cast(jax.Array, affine.inverse(self.scaled.means)),
            self.model.family.scale_by(self.scaled.covariance, float(affine.scale)),
        )
        return jax.tree.map(lambda leaf: np.asarray(leaf, self.model.dtype), mapped)

    @property
    def sampled(self) -> "Fit":
        """The same fit beside the sample of its rows that is in memory, for pictures and reports.

        Its ``log_likelihood`` and ``counts`` are still those of all rows, and its labels are those that the
        rows of the sample had among all. Of rows that are in memory the fit itself.
        """
        return replace(self, data=self.data.sample) if isinstance(self.data, Source) else self

    @property
    def is_point(self) -> bool:
        """Whether this is a single parameter value."""
        return self.kind == "point"

    @property
    def n_clusters(self) -> np.ndarray:
        """K+, the number of components that hold at least one row, (C, S); () for a point."""
        if self.counts is None:
            return np.isfinite(self.scaled.log_weights).sum(-1)
        return (self.counts > 0).sum(-1)

    def allocations(self, rows: Any = None) -> np.ndarray:
        """Redraw the labels behind ``counts``: the same labels at every call.

        Args:
            rows: indices of rows; all by default.

        Returns:
            Components, (C, S, N) or (C, S, len(rows)), 16-bit integers; their numbers have no
            meaning across draws. For a point, the most probable components with axes (1, 1, N).
        """
        labels = self.labels_of_draws(np.arange(self.log_likelihood.size), rows)
        return labels.reshape(*(self.log_likelihood.shape or (1, 1)), -1)

    def labels_at(self, rows: Any, numbers: np.ndarray, draws: Any = None) -> np.ndarray:
        """Redraw the labels behind ``counts`` of some of the rows, wherever they are.

        For rows that are elsewhere, by ``bg.map_rows(fit.labels_at, ..., numbered=True)``.

        Args:
            rows: rows (n, D) of those that were fitted, in the data's units.
            numbers: their numbers among all, (n,).
            draws: indices (S,) into the draws of all chains, laid end to end; all by default.

        Returns:
            Components, (n, S). For a point the most probable ones, (n, 1).
        """
        index = np.arange(self.log_likelihood.size) if draws is None else np.asarray(draws)
        part = Dataset(
            np.asarray(rows), self.data.names, self.data.named, places=np.asarray(numbers)
        )
        vars(part)["affine"] = self.model.affine
        return replace(self, data=part).labels_of_draws(index).T

    def labels_of_draws(self, draws: np.ndarray, rows: Any = None) -> np.ndarray:
        """Redraw the labels of some draws only.

        Args:
            draws: indices (S,) into the draws of all chains, laid end to end.
            rows: indices of rows; all by default.

        Returns:
            Components, (S, len(rows)), as in ``allocations``; known labels as they are.
        """
        n_leading = self.log_likelihood.ndim
        flat = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[n_leading:]), self.scaled)
        scaled = self.data.scaled()
        n_chains = 1 if self.is_point else len(self.log_likelihood)
        labels = redraw_labels(
            self.label_key,
            self.model.family,
            flat,
            draws,
            n_chains,
            scaled,
            rows,
            self.data.places,
        )
        known = self.data.labels
        if known is None:
            return labels
        known = known if rows is None else known[rows]
        return np.where(known >= 0, known, labels).astype(labels.dtype)

    @property
    def n_parameters(self) -> int:
        """Number of free parameters of the model."""
        return self.model.n_parameters

    @property
    def described(self) -> dict[str, str]:
        """What was fitted, what came out and what to do next, a line each."""
        model, data = self.model, self.data
        names = ", ".join(data.names[:MOST_NAMED]) + (
            ", ..." if data.n_columns > MOST_NAMED else ""
        )
        bound = "at most " if model.spec.is_auto else ""
        lines = {
            "rows": f"{data.n_rows:,} x {data.n_columns} ({names})",
            "model": f"{bound}{model.n_components} components, {model.family.name} covariance",
        }
        if self.is_point:
            lines["log-likelihood"] = f"{float(self.log_likelihood):,.6g}"
            parameters = f"{self.n_parameters} parameters"
            lines["components"] = f"{sizes_of(np.asarray(self.scaled.log_weights))}; {parameters}"
        else:
            spread = f"{self.log_likelihood.mean():,.6g}, sd {self.log_likelihood.std():.3g}"
            lines["log-likelihood"] = spread
            lines["clusters"] = shares_of(self.n_clusters)
        lines["run"] = self.status.message
        if self.provenance is not None:
            version = self.provenance.versions.get("bayesgmm", "")
            lines["made"] = (
                f"{self.engine!r}, seed {self.provenance.seed}, {self.provenance.seconds:.3g} s, "
                f"bayesgmm {version}"
            )
        rows = "fit.sampled" if isinstance(data, Source) else "fit"
        lines["next"] = (
            f"bg.diagnose(fit), bg.partition({rows}).labels, bg.plots.clusters({rows}), bg.report({rows})"
        )
        return lines

    def __str__(self) -> str:
        """Describe the fit in ten lines at most."""
        described = self.described
        width = max(map(len, described))
        lines = [f"  {name:<{width}}  {value}" for name, value in described.items()]
        return "\n".join([self._title, *lines])

    def _repr_html_(self) -> str:
        """Describe the fit for a notebook."""
        cell = '<td style="text-align:left; vertical-align:top">'
        rows = "".join(
            f"<tr>{cell}<b>{escape(name)}</b></td>{cell}{escape(value)}</td></tr>"
            for name, value in self.described.items()
        )
        return f"<p><b>{escape(self._title)}</b></p><table>{rows}</table>"

    @property
    def _title(self) -> str:
        engine = type(self.engine).__name__
        if self.is_point:
            return f"Gaussian mixture, point estimate by {engine}"
        n_chains, n_draws = self.log_likelihood.shape
        chains = "1 chain" if n_chains == 1 else f"{n_chains} chains"
        return f"Gaussian mixture, {self.kind} by {engine}: {chains} of {n_draws:,} draws"

    def __repr__(self) -> str:
        """Say what was fitted and how it ended."""
        shape = "" if self.is_point else f", {np.prod(self.log_likelihood.shape)} draws"
        return (
            f"Fit({self.kind}{shape}; {type(self.engine).__name__}, {self.model.family.name} covariance, "
            f"K {'<=' if self.model.spec.is_auto else '='} {self.model.n_components}, "
            f"{self.data.n_rows} rows x {self.data.n_columns} columns; {self.status.outcome.value})"
        )


def sizes_of(log_weights: np.ndarray) -> str:
    """Return the weights of components in per cent, largest first."""
    weights = np.sort(np.exp(log_weights))[::-1]
    shown = ", ".join(f"{weight:.1%}" for weight in weights[:MOST_NAMED])
    return shown + (", ..." if len(weights) > MOST_NAMED else "") + " of the rows"


def shares_of(n_clusters: np.ndarray) -> str:
    """Return the likeliest numbers of clusters with their posterior probabilities."""
    numbers, counts = np.unique(n_clusters, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MOST_NAMED]
    shares = counts / counts.sum()
    texts = [f"{shares[i]:.2f}" if shares[i] >= LEAST_SHOWN else f"< {LEAST_SHOWN}" for i in order]
    shown = ", ".join(f"{numbers[i]} ({text})" for i, text in zip(order, texts, strict=True))
    return shown + (", ..." if len(numbers) > MOST_NAMED else "")
