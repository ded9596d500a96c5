"""``Model``: a specification with every data-dependent default turned into a number."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data.affine import Affine
from ..data.tabular import Table
from ..numerics.precision import in_float64
from .components import Components, components_of
from .families import Family, family_named
from .prior_numbers import engine_prior, prior_numbers
from .priors import IndependentNormalWishart
from .propriety import check_propriety
from .spec import MixtureSpec
from .weights import WeightPrior


@dataclass(frozen=True)
class Model:
    """What an engine fits. No engine chooses a default of its own.

    Attributes:
        spec: what was asked for.
        family: the covariance family.
        n_components: K, or its static bound.
        names: column names, D strings.
        named: whether the names came with the data.
        dtype: floating-point type in which results are handed back.
        affine: map from the data's units to engine units.
        weights: the weight prior with its concentration made explicit, or None.
        prior: the family's conjugate prior or an ``IndependentPrior``, in engine units, or None.
        prior_in_data_units: the same numbers as the user would write them.
        scale_prior: hyperprior of the covariances' scale in engine units, or None.
    """

    spec: MixtureSpec
    family: Family
    n_components: int
    names: tuple[str, ...]
    named: bool
    dtype: np.dtype
    affine: Affine
    weights: WeightPrior | None
    prior: Any
    prior_in_data_units: dict[str, np.ndarray]
    scale_prior: Any = None

    @property
    def components(self) -> Components:
        """The prior of the components with its hyperprior, in engine units."""
        return components_of(self.family, self.prior, self.scale_prior)

    @property
    def n_columns(self) -> int:
        """Number of columns, D."""
        return len(self.names)

    @property
    def n_parameters(self) -> int:
        """Number of free parameters, those of K - 1 weights, K D means and the covariance's own."""
        of_covariance = self.family.n_covariance_parameters(self.n_components, self.n_columns)
        return self.n_components * (1 + self.n_columns) - 1 + of_covariance

    def __str__(self) -> str:
        """Print every number an engine uses, in the data's units."""
        count = f"at most {self.n_components}" if self.spec.is_auto else f"{self.n_components}"
        lines = [
            f"Gaussian mixture of {count} components, {self.family.name} covariance, "
            f"{self.n_columns} columns ({', '.join(self.names)})",
            f"  weights      {describe(self.weights)}",
            f"  components   {describe_components(self.spec.prior)}",
        ]
        for name, value in self.prior_in_data_units.items():
            digits = np.array2string(value, threshold=20, formatter={"float_kind": "{:.6g}".format})
            text = digits.replace("\n", "\n" + " " * 43)
            lines.append(f"{'':15}{name:26}= {text}")
        return "\n".join(lines)


def describe(weights: WeightPrior | None) -> str:
    """Return a weight prior in words."""
    if weights is None:
        return "no prior (maximum likelihood)"
    settings = ", ".join(f"{name}={in_words(value)}" for name, value in vars(weights).items())
    return f"{type(weights).__name__}({settings})"


def in_words(value: Any) -> str:
    """Return a number, or a distribution with its parameters."""
    if not hasattr(value, "log_prob"):
        return str(value)
    parameters = {name: getattr(value, name) for name in getattr(value, "arg_constraints", {})}
    inside = ", ".join(f"{name}={float(x):g}" for name, x in parameters.items() if np.ndim(x) == 0)
    return f"{type(value).__name__}({inside})"


def describe_components(prior: Any) -> str:
    """Return a prior of the components in words."""
    if prior is None:
        return "no prior (maximum likelihood)"
    if isinstance(prior, IndependentNormalWishart):
        return "independent normal and inverse-Wishart"
    return "normal-inverse-Wishart"


@in_float64
def resolve(spec: MixtureSpec, data: Table) -> Model:
    """Turn a specification into numbers for these data.

    Raises:
        ValueError: more components than rows or distinct rows, a prior outside its domain, or columns that
            determine each other under a prior that does not allow it.
    """
    check_size(spec, data)
    family = family_named(spec.covariance)
    prior, scale_prior, shown = None, None, {}
    if spec.prior is not None:
        shown = prior_numbers(spec.prior, family, data)
        check_propriety(family, shown, data.sample, spec.size)
        prior, scale_prior = engine_prior(shown, family, data.affine)
    return Model(
        spec=spec,
        family=family,
        n_components=spec.size,
        names=data.names,
        named=data.named,
        dtype=data.dtype,
        affine=data.affine,
        weights=None if spec.weights is None else spec.weights.resolve(),
        prior=prior,
        prior_in_data_units=shown,
        scale_prior=scale_prior,
    )


def check_size(spec: MixtureSpec, data: Table) -> None:
    """Raise if the data have fewer (distinct) rows than components were asked for."""
    if spec.is_auto:
        return
    if data.n_rows < spec.size:
        raise ValueError(
            f"Expected n_samples >= n_components, got n_components = {spec.size}, n_samples = {data.n_rows}. "
            f"Lower n_components to at most {data.n_rows}."
        )
    data.require_distinct_rows(spec.size)
