"""What to fit and how: the texts of ``--k``, ``--engine`` and ``--covariance``, checked and carried out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .refusal import InputError, as_input_error
from .speech import Speech
from .sweep import swept, was_interrupted

if TYPE_CHECKING:
    from ..data.dataset import Dataset
    from ..model.spec import MixtureSpec
    from ..result import Fit

N_CHAINS, N_DRAWS, MAX_K = 4, 1000, 10
N_RESTARTS = 10
# EM climbs as far as ``select`` lets it.
EM_SETTINGS: dict[str, Any] = {"n_init": N_RESTARTS, "max_iter": 1000, "tol": 1e-6}
ENGINES = ("gibbs", "nuts", "em")
SPARSE_NOTE = (
    "NUTS has no density for a mixture of finite mixtures, the default prior of the number of clusters: the "
    "weights have a sparse Dirichlet prior (bg.SparseDirichlet) with --max-k components instead."
)


@dataclass(frozen=True)
class Plan:
    """What was asked for, checked.

    Attributes:
        sizes: "auto", a number of components, or several of them to choose among.
        max_k: bound on the components of "auto".
        engine: one of ``ENGINES``.
        covariance: name of a structure that the engine serves.
        draws: draws per chain.
        checkpoint: file that keeps how far a run is, if any.
    """

    sizes: str | int | range
    max_k: int
    engine: str
    covariance: str
    draws: int
    checkpoint: Path | None = None

    def run(self, data: Dataset, seed: int, speech: Speech) -> Fit:
        """Fit the rows; what was left to choose is chosen here.

        Raises:
            InputError: rows that the model cannot be fitted to.
        """
        with as_input_error(ValueError, OSError), speech.listening():
            if isinstance(self.sizes, range):
                return winner_of(data, self.sizes, self.covariance, seed, speech)
            spec = self.spec(data.n_rows)
            if self.engine == "nuts" and spec.is_auto:
                speech.note(SPARSE_NOTE)
            return sample(data, spec, self.settings(progress=speech.progress), seed)

    def spec(self, n_rows: int) -> MixtureSpec:
        """Return the specification for so many rows."""
        from ..model.spec import MixtureSpec
        from ..model.weights import SparseDirichlet

        if self.engine == "em" and isinstance(self.sizes, int):
            return MixtureSpec.maximum_likelihood(self.sizes, self.covariance)
        if isinstance(self.sizes, int):
            return MixtureSpec(self.sizes, covariance=self.covariance)
        weights = SparseDirichlet() if self.engine == "nuts" else "default"
        bound = min(self.max_k, n_rows)
        return MixtureSpec(max_components=bound, covariance=self.covariance, weights=weights)

    def settings(self, *, progress: bool) -> Any:
        """Return the settings of the engine."""
        from ..engines.em import EM
        from ..engines.gibbs import Gibbs
        from ..engines.nuts import NUTS

        common: Any = {"progress": progress, "checkpoint": self.checkpoint}
        if self.engine == "em":
            return EM(**EM_SETTINGS, **common)
        sampler: Any = {"gibbs": Gibbs, "nuts": NUTS}[self.engine]
        return sampler(n_chains=N_CHAINS, n_draws=self.draws, **common)


def plan_of(
    k: str,
    max_k: int | None,
    engine: str,
    covariance: str,
    draws: int | None,
    checkpoint: Path | None = None,
) -> Plan:
    """Check what was asked for, before any data are read.

    Raises:
        InputError: a text that means nothing, or parts that do not go together.
    """
    if engine not in ENGINES:
        raise InputError(
            f"Expected --engine to be one of {', '.join(ENGINES)}, got {engine!r}; choose one of these."
        )
    sizes = sizes_of(k)
    if engine == "em" and sizes == "auto":
        raise InputError(
            "Expected --k to be a number or a range for --engine em, which does not infer K, got auto; pass "
            "--k 1:10 to choose among them by BIC, or --engine gibbs."
        )
    if engine != "em" and isinstance(sizes, range):
        raise InputError(
            f"Expected --k to be auto or a number for --engine {engine}, got {k}; pass --k auto --max-k "
            f"{sizes[-1]} to infer K, or --engine em, or use bayesgmm select."
        )
    if max_k is not None and sizes != "auto":
        raise InputError(
            f"Expected --max-k with --k auto only, which it bounds, got --k {k}; leave one of them out."
        )
    if draws is not None and engine == "em":
        raise InputError(
            f"Expected no --draws for --engine em, which draws nothing, got {draws}; leave it out, or pass "
            "--engine gibbs."
        )
    if checkpoint is not None and isinstance(sizes, range):
        raise InputError(
            f"Expected --checkpoint with one number of components or auto, got --k {k}, a sweep, which has none; "
            "leave it out, or pass one number."
        )
    check_covariance(covariance, engine)
    return Plan(sizes, max_k or MAX_K, engine, covariance, draws or N_DRAWS, checkpoint)


def sizes_of(k: str, *, auto: bool = True) -> str | int | range:
    """Return what ``--k`` means: "auto", a number, or a range A:B with both ends.

    Raises:
        InputError: anything else.
    """
    if auto and k == "auto":
        return k
    first, colon, last = k.partition(":")
    ends = [int(one) for one in (first, last or first) if one.isdecimal()]
    if len(ends) < 2 or (colon and not last) or not 1 <= ends[0] <= ends[1]:
        either = "auto, " if auto else ""
        raise InputError(
            f"Expected --k to be {either}a whole number >= 1 or a range like 1:10, got {k!r}; pass "
            f"--k {'3' if auto else '1:10'}."
        )
    return range(ends[0], ends[1] + 1) if colon else ends[0]


def check_covariance(covariance: str, engine: str) -> None:
    """Raise unless an engine serves a covariance structure."""
    from ..model.families import BY_NAME, CONSTRAINED, FAMILIES

    if covariance not in BY_NAME:
        served = FAMILIES if engine != "em" else BY_NAME
        raise InputError(
            f"Expected --covariance to be one of {', '.join(served)}, got {covariance!r}; choose one of "
            "these."
        )
    if engine != "em" and covariance in CONSTRAINED:
        raise InputError(
            f"Expected --covariance to be one of {', '.join(FAMILIES)} for --engine {engine}, got "
            f"{covariance!r}; choose one of these, or pass --engine em."
        )


def sample(data: Dataset, spec: MixtureSpec, engine: Any, seed: int) -> Fit:
    """Fit one model."""
    from ..api import fit

    return fit(data, spec, engine=engine, seed=seed)


def winner_of(data: Dataset, sizes: range, covariance: str, seed: int, speech: Speech) -> Fit:
    """Fit every number of components by EM and return the fit of the best by BIC."""
    from ..result import Outcome, Status

    found = swept(
        data, speech, n_components=sizes, covariance_type=covariance, n_init=N_RESTARTS, seed=seed
    )
    structure, size = found.best
    speech.note(
        f"{size} of {sizes[0]} to {sizes[-1]} components have the best BIC with {structure} covariances; "
        "bayesgmm select shows the others."
    )
    best = found.fits[structure, size]
    if not was_interrupted(found):
        return best
    said = (
        "Interrupted: some numbers of components were not fitted. Run again for a choice among all."
    )
    return replace(best, status=Status(Outcome.INTERRUPTED, said))
