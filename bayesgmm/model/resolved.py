"""``Model``: a specification with every data-dependent default turned into a number."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from ..data.affine import Affine
from ..data.dataset import Dataset
from ..numerics.precision import in_float64, to_numpy
from .families import Family, family_named
from .priors import NormalInverseWishart
from .spec import MixtureSpec
from .weights import WeightPrior

RANGE_FRACTION = 10.0
DEFAULT_MEAN_PRECISION = 0.01


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
        prior: the conjugate prior in engine units, or None.
        prior_in_data_units: the same numbers as the user would write them.
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

    @property
    def n_columns(self) -> int:
        """Number of columns, D."""
        return len(self.names)

    @property
    def n_parameters(self) -> int:
        """Free parameters: K - 1 weights, K D means and the covariance's own."""
        of_covariance = self.family.n_covariance_parameters(self.n_components, self.n_columns)
        return self.n_components * (1 + self.n_columns) - 1 + of_covariance

    def __str__(self) -> str:
        """Print every number an engine uses, in the data's units."""
        count = f"at most {self.n_components}" if self.spec.is_auto else f"{self.n_components}"
        lines = [
            f"Gaussian mixture of {count} components, {self.family.name} covariance, "
            f"{self.n_columns} columns ({', '.join(self.names)})",
            f"  weights      {describe(self.weights)}",
            f"  components   {'no prior (maximum likelihood)' if self.prior is None else 'normal-inverse-Wishart'}",
        ]
        for name, value in self.prior_in_data_units.items():
            digits = np.array2string(value, threshold=20, formatter={"float_kind": "{:.6g}".format})
            text = digits.replace("\n", "\n" + " " * 37)
            lines.append(f"{'':15}{name:20}= {text}")
        return "\n".join(lines)


def describe(weights: WeightPrior | None) -> str:
    """Return a weight prior in words."""
    if weights is None:
        return "no prior (maximum likelihood)"
    concentration = weights.concentration
    if hasattr(concentration, "log_prob"):
        names = getattr(concentration, "arg_constraints", {})
        inside = ", ".join(f"{name}={float(getattr(concentration, name)):g}" for name in names)
        concentration = f"{type(concentration).__name__}({inside})"
    return f"{type(weights).__name__}(concentration={concentration})"


@in_float64
def resolve(spec: MixtureSpec, data: Dataset) -> Model:
    """Turn a specification into numbers for these data.

    Raises:
        ValueError: more components than rows or distinct rows, or a prior outside its domain.
    """
    check_size(spec, data)
    family = family_named(spec.covariance)
    prior, shown = None, {}
    if spec.prior is not None:
        shown = prior_numbers(spec.prior, family, data)
        prior = scale_prior(shown, family, data.affine)
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
    )


def check_size(spec: MixtureSpec, data: Dataset) -> None:
    """Raise if the data have fewer (distinct) rows than components were asked for."""
    if spec.is_auto:
        return
    if data.n_rows < spec.size:
        raise ValueError(
            f"Expected n_samples >= n_components, got n_components = {spec.size}, n_samples = {data.n_rows}. "
            f"Lower n_components to at most {data.n_rows}."
        )
    data.require_distinct_rows(spec.size)


def prior_numbers(
    asked: NormalInverseWishart, family: Family, data: Dataset
) -> dict[str, np.ndarray]:
    """Return the four numbers of the prior in the data's units, defaults filled in."""
    lowest, highest = data.values.min(0).astype(float), data.values.max(0).astype(float)
    mean = (lowest + highest) / 2 if asked.mean is None else np.asarray(asked.mean, float)
    kappa = DEFAULT_MEAN_PRECISION if asked.mean_precision is None else asked.mean_precision
    nu = asked.degrees_of_freedom
    nu = family.default_degrees_of_freedom(data.n_columns) if nu is None else nu
    if asked.scale is None:
        check_ranges(highest - lowest, data.names)
        scale = family.prior_scale(((highest - lowest) / RANGE_FRACTION) ** 2)
    else:
        scale = given_scale(np.asarray(asked.scale, float), family, data.n_columns)
    numbers = {
        "mean": np.broadcast_to(mean, (data.n_columns,)) if mean.ndim == 0 else mean,
        "mean_precision": np.asarray(kappa, float),
        "degrees_of_freedom": np.asarray(nu, float),
        "scale": np.asarray(scale),
    }
    check_prior(numbers, family, data.n_columns)
    return numbers


def check_ranges(ranges: np.ndarray, names: tuple[str, ...]) -> None:
    """Raise if a column without range would make the default prior singular."""
    flat = [names[j] for j in np.flatnonzero(ranges == 0)]
    if flat:
        raise ValueError(
            f"Expected columns that vary, got constant columns {flat}: the default prior takes its scale "
            "from the ranges. Drop these columns, or pass NormalInverseWishart(scale=...)."
        )


def given_scale(scale: np.ndarray, family: Family, n_columns: int) -> np.ndarray:
    """Return the user's scale in the family's shape."""
    if scale.ndim == 0:
        return np.asarray(family.prior_scale(np.full(n_columns, float(scale))))
    if scale.shape == (n_columns,):
        return np.asarray(family.prior_scale(scale))
    if scale.shape == (n_columns, n_columns) and family.name in ("full", "tied"):
        return scale
    raise ValueError(
        f"Expected NormalInverseWishart.scale to be a number, ({n_columns},) or, for full and tied "
        f"covariances, ({n_columns}, {n_columns}), got shape {scale.shape}. Pass one of these shapes."
    )


def check_prior(numbers: dict[str, np.ndarray], family: Family, n_columns: int) -> None:
    """Raise if a number lies outside its domain."""
    bound = family.lowest_degrees_of_freedom(n_columns)
    if numbers["mean"].shape != (n_columns,) or not np.isfinite(numbers["mean"]).all():
        raise ValueError(
            f"Expected NormalInverseWishart.mean to be {n_columns} finite numbers, got shape "
            f"{numbers['mean'].shape}. Pass one number per column."
        )
    if not is_number_above(numbers["mean_precision"], 0):
        raise ValueError(
            f"Expected NormalInverseWishart.mean_precision > 0, got {numbers['mean_precision']}. "
            "It counts rows: 0.01 is weak, 1 is strong."
        )
    if not is_number_above(numbers["degrees_of_freedom"], bound):
        raise ValueError(
            f"Expected NormalInverseWishart.degrees_of_freedom > {bound:g} for {family.name} covariance in "
            f"{n_columns} columns, got {numbers['degrees_of_freedom']}. Pass a larger number."
        )
    if not is_positive_definite(numbers["scale"]):
        raise ValueError(
            "Expected NormalInverseWishart.scale to be symmetric and positive definite, got "
            f"{np.array2string(numbers['scale'], threshold=16)}. Pass a covariance-like matrix."
        )


def is_number_above(value: np.ndarray, bound: float) -> bool:
    """Say whether a value is one finite number above a bound."""
    return value.ndim == 0 and bool(np.isfinite(value) and value > bound)


def is_positive_definite(scale: np.ndarray) -> bool:
    """Say whether a matrix is a covariance, or whether all variances are positive."""
    if not np.isfinite(scale).all():
        return False
    if scale.ndim < 2:
        return bool((scale > 0).all())
    rounding = 1e-8 * np.abs(scale).max()
    is_symmetric = np.allclose(scale, scale.T, atol=rounding)
    return is_symmetric and bool((np.linalg.eigvalsh(scale) > 0).all())


def scale_prior(numbers: dict[str, np.ndarray], family: Family, affine: Affine) -> Any:
    """Return the conjugate prior in engine units."""
    return to_numpy(
        family.prior(
            jnp.asarray(affine.forward(numbers["mean"])),
            jnp.asarray(numbers["mean_precision"]),
            jnp.asarray(numbers["degrees_of_freedom"]),
            jnp.asarray(numbers["scale"] / affine.scale**2),
        )
    )
