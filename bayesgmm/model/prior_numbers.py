"""The prior of the components as numbers: defaults from location and range, checks, engine units."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from ..data.affine import Affine
from ..data.tabular import Table
from ..numerics.linalg import cholesky
from ..numerics.precision import to_numpy
from .components import GammaScale, IndependentPrior, WishartScale
from .families import Family
from .priors import IndependentNormalWishart, NormalInverseWishart
from .weights import is_random

DEFAULT_MEAN_PRECISION = 0.001
# Frühwirth-Schnatter, Malsiner-Walli & Grün (2021): c0 = 2.5 + (D - 1) / 2, g0 = 0.5 + (D - 1) / 2,
# G0 = 100 g0 / c0 diag(range^-2); here degrees of freedom 2 c0 and Wishart(2 g0, rate G0).
MORE_DEGREES = 2.0
RANGE_FACTOR = 100.0

type Prior = NormalInverseWishart | IndependentNormalWishart


def prior_numbers(asked: Prior, family: Family, data: Table) -> dict[str, np.ndarray]:
    """Return the numbers of the prior in the data's units, defaults filled in.

    Raises:
        ValueError: a number outside its domain, or columns without range that a default needs.
    """
    scale = scale_numbers(asked, family, data)
    nu = asked.degrees_of_freedom
    if nu is None:
        nu = family.default_degrees_of_freedom(data.n_columns)
        nu += MORE_DEGREES if "scale" not in scale else 0.0
    numbers = location_numbers(asked, data)
    numbers["degrees_of_freedom"] = np.asarray(nu, float)
    numbers |= scale
    check_prior(numbers, family, data.n_columns, type(asked).__name__)
    return numbers


def location_numbers(asked: Prior, data: Table) -> dict[str, np.ndarray]:
    """Return the numbers that say where the means lie."""
    lowest, highest = data.ends()
    if isinstance(asked, NormalInverseWishart):
        mean = (lowest + highest) / 2
        kappa = DEFAULT_MEAN_PRECISION if asked.mean_precision is None else asked.mean_precision
        spread = {"mean_precision": np.asarray(kappa, float)}
    else:
        mean = data.medians()
        spread = {"mean_covariance": mean_covariance(asked.mean_covariance, data)}
    given = mean if asked.mean is None else np.asarray(asked.mean, float)
    given = np.broadcast_to(given, (data.n_columns,)) if given.ndim == 0 else given
    return {"mean": given} | spread


def mean_covariance(asked: Any, data: Table) -> np.ndarray:
    """Return the covariance of the means, (D, D)."""
    if asked is None:
        ranges = np.subtract(*data.ends()[::-1])
        check_ranges(ranges, data.names)
        return np.diag(ranges**2)
    given = np.asarray(asked, float)
    size = data.n_columns
    matrix = given if given.ndim == 2 else np.diag(np.broadcast_to(given, (size,)))
    if given.shape not in ((), (size,), (size, size)) or not is_positive_definite(matrix):
        raise ValueError(
            f"Expected IndependentNormalWishart.mean_covariance to be positive: a number, ({size},) or "
            f"({size}, {size}), got {given!r}. Pass a covariance-like matrix."
        )
    return matrix


def scale_numbers(asked: Prior, family: Family, data: Table) -> dict[str, np.ndarray]:
    """Return the fixed scale, or the numbers of its hyperprior."""
    if asked.scale is None:
        return default_hyperprior(family, data)
    if is_random(asked.scale):
        return given_hyperprior(asked.scale, family, data.n_columns, type(asked).__name__)
    values = np.asarray(asked.scale, float)
    return {"scale": np.asarray(given_scale(values, family, data.n_columns, type(asked).__name__))}


def default_hyperprior(family: Family, data: Table) -> dict[str, np.ndarray]:
    """Return the hyperprior of the scale from the ranges of the columns."""
    ranges = np.subtract(*data.ends()[::-1])
    check_ranges(ranges, data.names)
    if family.name in ("full", "tied"):
        size = data.n_columns
        rate = RANGE_FACTOR * size / (size + 4.0) * np.diag(ranges**-2.0)
        return {"scale_degrees_of_freedom": np.asarray(float(size)), "scale_rate": rate}
    per_column = np.asarray(family.prior_scale(ranges**2.0))
    return {"scale_shape": np.asarray(0.5), "scale_rate": RANGE_FACTOR / 10.0 / per_column}


def given_hyperprior(
    given: Any, family: Family, n_columns: int, owner: str
) -> dict[str, np.ndarray]:
    """Return the numbers of the user's hyperprior.

    Raises:
        ValueError: a distribution that is not conjugate here, or of a wrong shape.
    """
    kind = type(given).__name__
    is_matrix = family.name in ("full", "tied")
    if is_matrix and kind == "Wishart" and given.event_shape == (n_columns, n_columns):
        return {
            "scale_degrees_of_freedom": np.asarray(given.concentration, float),
            "scale_rate": np.asarray(given.rate_matrix, float),
        }
    shape = given.batch_shape + given.event_shape
    if kind == "Gamma" and is_matrix and n_columns == 1 and shape in ((), (1,)):
        # A gamma is the Wishart of one dimension.
        return {
            "scale_degrees_of_freedom": 2 * np.asarray(given.concentration, float).reshape(()),
            "scale_rate": 2 * np.asarray(given.rate, float).reshape(1, 1),
        }
    shapes = {"diag": ((), (n_columns,)), "spherical": ((),)}.get(family.name, ())
    if kind == "Gamma" and shape in shapes:
        whole = (n_columns,) if family.name == "diag" else ()
        concentration = np.asarray(given.concentration, float)
        if concentration.size == 1 or np.ptp(concentration) == 0:
            return {
                "scale_shape": concentration.reshape(-1)[0],
                "scale_rate": np.broadcast_to(np.asarray(given.rate, float), whole).copy(),
            }
    wanted = f"a Wishart over ({n_columns}, {n_columns}) matrices" if is_matrix else "a Gamma"
    raise ValueError(
        f"Expected {owner}.scale for {family.name} covariance to be numbers or {wanted} of NumPyro, got "
        f"{kind} of shape {shape}. Pass for instance scale=None, the default hyperprior."
    )


def check_ranges(ranges: np.ndarray, names: tuple[str, ...]) -> None:
    """Raise if a column without range would make the default prior singular."""
    flat = [names[j] for j in np.flatnonzero(ranges == 0)]
    if flat:
        raise ValueError(
            f"Expected columns that vary, got constant columns {flat}: the default prior takes its scale "
            "from the ranges. Drop these columns, or pass NormalInverseWishart(scale=...)."
        )


def given_scale(
    scale: np.ndarray, family: Family, n_columns: int, owner: str = "NormalInverseWishart"
) -> np.ndarray:
    """Return the user's scale in the family's shape."""
    if scale.ndim == 0:
        return np.asarray(family.prior_scale(np.full(n_columns, float(scale))))
    if scale.shape == (n_columns,):
        return np.asarray(family.prior_scale(scale))
    if scale.shape == (n_columns, n_columns) and family.name in ("full", "tied"):
        return scale
    raise ValueError(
        f"Expected {owner}.scale to be a number, ({n_columns},) or, for full and tied "
        f"covariances, ({n_columns}, {n_columns}), got shape {scale.shape}. Pass one of these shapes."
    )


def check_prior(numbers: dict[str, np.ndarray], family: Family, n_columns: int, owner: str) -> None:
    """Raise if a number lies outside its domain."""
    bound = family.lowest_degrees_of_freedom(n_columns)
    if numbers["mean"].shape != (n_columns,) or not np.isfinite(numbers["mean"]).all():
        raise ValueError(
            f"Expected {owner}.mean to be {n_columns} finite numbers, got shape "
            f"{numbers['mean'].shape}. Pass one number per column."
        )
    if "mean_precision" in numbers and not is_number_above(numbers["mean_precision"], 0):
        raise ValueError(
            f"Expected {owner}.mean_precision > 0, got {numbers['mean_precision']}. "
            "It counts rows: 0.001 is weak, 1 is strong."
        )
    if not is_number_above(numbers["degrees_of_freedom"], bound):
        raise ValueError(
            f"Expected {owner}.degrees_of_freedom > {bound:g} for {family.name} covariance in "
            f"{n_columns} columns, got {numbers['degrees_of_freedom']}. Pass a larger number."
        )
    degrees = numbers.get("scale_degrees_of_freedom")
    if degrees is not None and not is_number_above(degrees, n_columns - 1):
        raise ValueError(
            f"Expected the Wishart of {owner}.scale to have more than {n_columns - 1} degrees of freedom in "
            f"{n_columns} columns, got {degrees}. Pass a larger concentration."
        )
    if "scale_shape" in numbers and not is_number_above(numbers["scale_shape"], 0):
        raise ValueError(
            f"Expected the Gamma of {owner}.scale to have a concentration > 0, got "
            f"{numbers['scale_shape']}. Pass a larger concentration."
        )
    for name in ("scale", "scale_rate"):
        if name in numbers and not is_positive_definite(numbers[name]):
            raise ValueError(
                f"Expected {owner}.scale to be symmetric and positive definite, got "
                f"{np.array2string(numbers[name], threshold=16)}. Pass a covariance-like matrix."
            )


def is_number_above(value: np.ndarray, bound: float) -> bool:
    """Say whether a value is one finite number above a bound."""
    return np.ndim(value) == 0 and bool(np.isfinite(value) and value > bound)


def is_positive_definite(scale: np.ndarray) -> bool:
    """Say whether a matrix is a covariance, or whether all variances are positive."""
    if not np.isfinite(scale).all():
        return False
    if scale.ndim < 2:
        return bool((scale > 0).all())
    rounding = 1e-8 * np.abs(scale).max()
    is_symmetric = np.allclose(scale, scale.T, atol=rounding)
    return is_symmetric and bool((np.linalg.eigvalsh(scale) > 0).all())


def engine_prior(
    numbers: dict[str, np.ndarray], family: Family, affine: Affine
) -> tuple[Any, WishartScale | GammaScale | None]:
    """Return the prior record and the hyperprior of its scale, in engine units."""
    squared = affine.scale**2
    hyperprior: WishartScale | GammaScale | None = None
    if "scale_degrees_of_freedom" in numbers:
        hyperprior = WishartScale(
            jnp.asarray(numbers["scale_degrees_of_freedom"]),
            jnp.asarray(numbers["scale_rate"] * squared),
        )
    elif "scale_shape" in numbers:
        hyperprior = GammaScale(
            jnp.asarray(numbers["scale_shape"]), jnp.asarray(numbers["scale_rate"] * squared)
        )
    scale = jnp.asarray(numbers["scale"] / squared) if hyperprior is None else hyperprior.mean()
    prior = family.prior(
        jnp.asarray(affine.forward(numbers["mean"])),
        jnp.asarray(numbers.get("mean_precision", DEFAULT_MEAN_PRECISION)),
        jnp.asarray(numbers["degrees_of_freedom"]),
        scale,
    )
    if "mean_covariance" in numbers:
        chol = cholesky(jnp.asarray(numbers["mean_covariance"] / squared))
        prior = IndependentPrior(prior, chol)
    return to_numpy((prior, hyperprior))
