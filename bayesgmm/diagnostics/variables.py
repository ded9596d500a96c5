"""What a tree says of a fit, as named arrays: quantities without labels, components, coordinates."""

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from scipy.special import entr

from ..model.resolved import Model
from ..result import Fit

# Not "column", which az.plot_trace_dist uses itself. ArviZ repeats a dimension under another name
# where a variable has it twice.
COVARIANCE_DIMS = {
    "Full": ("component", "feature", "feature_bis"),
    "Tied": ("feature", "feature_bis"),
    "Diagonal": ("component", "feature"),
    "Spherical": ("component",),
}


class LabelFree(NamedTuple):
    """Draws that do not depend on how components are numbered, leading axes () or (C, S).

    Attributes:
        n_clusters: K+, (...).
        log_weights: of all components, (..., K).
        log_lik: total log-likelihood, (...); None where there is none.
        concentration: of the weights, (...); None where it is fixed.
        n_components: K, (...); None where it is known.
        scale: of the covariances' prior in engine units, (..., ...); None where it is fixed.
    """

    n_clusters: np.ndarray
    log_weights: np.ndarray
    log_lik: np.ndarray | None = None
    concentration: np.ndarray | None = None
    n_components: np.ndarray | None = None
    scale: np.ndarray | None = None


def label_free_variables(fit: Fit) -> dict[str, Any]:
    """Return the dimensions, after chain and draw, and values of what needs no labels."""
    draws = LabelFree(
        fit.n_clusters,
        np.asarray(fit.scaled.log_weights),
        fit.log_likelihood,
        fit.concentration,
        fit.n_components,
        fit.scale,
    )
    return variables_of(draws, fit.model, usual_number(fit))


def variables_of(draws: LabelFree, model: Model, n_ranks: int) -> dict[str, Any]:
    """Return dimensions and values, the weights of the ``n_ranks`` largest components by size."""
    scalars = {
        "n_clusters": rankable(draws.n_clusters),
        "log_lik": draws.log_lik,
        "entropy": weight_entropy(draws.log_weights),
        "concentration": draws.concentration,
        "n_components": None if draws.n_components is None else rankable(draws.n_components),
    }
    variables: dict[str, tuple[tuple[str, ...], Any]] = {
        name: ((), value) for name, value in scalars.items() if value is not None
    }
    weights = -np.sort(-np.exp(draws.log_weights), -1)
    variables["sorted_weights"] = (("rank",), weights[..., :n_ranks])
    if draws.scale is not None:
        variables["scale"] = (scale_dims(model), draws.scale * model.affine.scale**2)
    return variables


def usual_number(fit: Fit) -> int:
    """Return the most frequent number of clusters."""
    return int(np.bincount(np.ravel(fit.n_clusters)).argmax())


def rankable(numbers: np.ndarray) -> np.ndarray:
    """Return integers (C, S), as floating-point numbers if all are equal: see az.plot_rank.

    ArviZ ranks integers by a spline between the smallest and the largest and stops where they meet.
    """
    return numbers.astype(float) if numbers.size > 1 and np.ptp(numbers) == 0 else numbers


def scale_dims(model: Model) -> tuple[str, ...]:
    """Return the dimensions of the scale of the covariances' prior."""
    if model.family.name in ("full", "tied"):
        return ("feature", "feature_bis")
    return ("feature",) if model.family.name == "diag" else ()


def weight_entropy(log_weights: np.ndarray) -> np.ndarray:
    """Return the entropy of weights (..., K) in nats, (...)."""
    return np.asarray(entr(np.exp(log_weights)).sum(-1))


def component_variables(fit: Fit) -> dict[str, Any]:
    """Return the dimensions, after chain and draw, and values of the components."""
    record = fit.mixture.covariance
    dims = COVARIANCE_DIMS[type(record).__name__]
    return {
        "weights": (("component",), np.exp(fit.mixture.log_weights)),
        "means": (("component", "feature"), fit.mixture.means),
        **{name: (dims, value) for name, value in record._asdict().items()},
    }


def with_chains(fit: Fit, variables: dict[str, Any]) -> dict[str, Any]:
    """Put chain and draw before the dimensions; a point has one of each."""
    lead = (1, 1) if fit.log_likelihood.ndim == 0 else ()
    return {
        name: (("chain", "draw", *dims), np.reshape(value, lead + np.shape(value)))
        for name, (dims, value) in variables.items()
    }


def coordinates(fit: Fit) -> dict[str, Any]:
    """Return the coordinates of all dimensions."""
    n_chains, n_draws = fit.log_likelihood.shape or (1, 1)
    names = list(fit.data.names)
    return {
        "chain": np.arange(n_chains),
        "draw": np.arange(n_draws),
        "component": np.arange(fit.model.n_components),
        "rank": np.arange(usual_number(fit)),
        "feature": names,
        "feature_bis": names,
        "row": np.arange(fit.data.n_rows),
    }


def dataset(variables: dict[str, Any], coords: dict[str, Any]) -> xr.Dataset:
    """Build a Dataset that carries only the coordinates it uses."""
    used = {dim for dims, _ in variables.values() for dim in dims}
    return xr.Dataset(variables, {dim: coords[dim] for dim in coords if dim in used})
