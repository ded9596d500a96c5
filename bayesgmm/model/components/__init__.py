"""Priors of the components, hyperparameters included, as a partition sampler uses them."""

from typing import Any

from ..families.base import Family
from .conjugate import ConjugateComponents
from .drawn import Components, Drawn, log_of_component
from .independent import IndependentComponents, IndependentPrior
from .scale import GammaScale, WishartScale

__all__ = [
    "Components",
    "ConjugateComponents",
    "Drawn",
    "GammaScale",
    "IndependentComponents",
    "IndependentPrior",
    "WishartScale",
    "components_of",
    "log_of_component",
]


def components_of(family: Family, prior: Any, scale_prior: Any) -> Components:
    """Return the components of a resolved model."""
    if isinstance(prior, IndependentPrior):
        return IndependentComponents(family, prior, scale_prior)
    return ConjugateComponents(prior, scale_prior)
