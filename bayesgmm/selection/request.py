"""What is asked of a sweep, checked at the door."""

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from ..engines.em import EM
from ..model.families import BY_NAME, Family, family_named
from ..model.spec import MixtureSpec

CRITERIA = ("aic", "bic", "icl", "cv")
# From spheres to free axes, as mclust lists them.
FOURTEEN = (
    "EII",
    "VII",
    "EEI",
    "VEI",
    "EVI",
    "VVI",
    "EEE",
    "VEE",
    "EVE",
    "VVE",
    "EEV",
    "VEV",
    "EVV",
    "VVV",
)
DEFAULT_FOLDS = 5


@dataclass(frozen=True)
class Request:
    """A sweep.

    Attributes:
        n_components: the numbers of components, ascending.
        structures: the covariance structures by the names they were asked for.
        criterion: what decides.
        n_folds: parts of the cross-validation; 0 for none.
        engine: settings of EM.
        short_tol: tolerance of the climbs from all starts.
        seed: seed of starts and folds.
    """

    n_components: tuple[int, ...]
    structures: tuple[str, ...]
    criterion: str
    n_folds: int
    engine: EM
    short_tol: float
    seed: int

    def spec(self, n_components: int, structure: str) -> MixtureSpec:
        """Return the specification of one model."""
        return MixtureSpec.maximum_likelihood(n_components, structure)

    def family(self, structure: str) -> Family:
        """Return the family of a structure."""
        return family_named(structure)


def check_numbers(n_components: Any) -> tuple[int, ...]:
    """Return numbers of components, ascending and each once."""
    given = n_components if np.ndim(n_components) else [n_components]
    numbers = list(given)
    whole = all(hasattr(number, "__index__") and number >= 1 for number in numbers)
    if not (numbers and whole):
        raise ValueError(
            f"Expected n_components to be whole numbers >= 1, got {n_components!r}. Pass a number, a list, or "
            "range(1, 11)."
        )
    return tuple(sorted({int(number) for number in numbers}))


def check_structures(covariance_type: Any) -> tuple[str, ...]:
    """Return names of covariance structures, each family once; "all" is mclust's fourteen."""
    if isinstance(covariance_type, str):
        covariance_type = FOURTEEN if covariance_type == "all" else (covariance_type,)
    names = tuple(covariance_type) if isinstance(covariance_type, Iterable) else ()
    if not names:
        raise ValueError(
            f'Expected covariance_type to name structures, got none. Choose out of {sorted(BY_NAME)}, or "all".'
        )
    first: dict[Family, str] = {}
    for name in names:
        first.setdefault(family_named(name), name)
    return tuple(first.values())


def check_folds(cv: Any, criterion: str) -> int:
    """Return the number of folds, 0 for no cross-validation."""
    if criterion not in CRITERIA:
        raise ValueError(
            f"Expected criterion to be one of {CRITERIA}, got {criterion!r}. Choose one of these names."
        )
    if cv is None:
        return DEFAULT_FOLDS if criterion == "cv" else 0
    if not (hasattr(cv, "__index__") and cv >= 2):
        raise ValueError(
            f"Expected cv to be a number of folds >= 2, or None for no cross-validation, got {cv!r}. Pass cv=5."
        )
    return int(cv)


def check_start_name(start: Any) -> None:
    """Raise unless a start is a name: a given one serves a single K."""
    if not isinstance(start, str):
        raise ValueError(
            f"Expected init_params to name a start, got {type(start).__name__}: a given start serves one number "
            "of components only. Pass a name, or use bg.fit."
        )


def check_tolerance(short_tol: Any) -> float:
    """Return the tolerance of the short climbs."""
    if not (isinstance(short_tol, Real) and float(short_tol) >= 0):
        raise ValueError(
            f"Expected short_tol to be a number >= 0, got {short_tol!r}. Pass short_tol=1e-3."
        )
    return float(short_tol)
