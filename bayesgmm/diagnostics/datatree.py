"""A fit in ArviZ's layout: an ``xarray.DataTree`` with named dimensions."""

import json
from typing import Any

import numpy as np
import xarray as xr
from scipy.special import entr

from ..posterior.density import pointwise_log_likelihood
from ..result import Fit

# ArviZ repeats a dimension under another name where a variable has it twice.
COVARIANCE_DIMS = {
    "Full": ("component", "column", "column_bis"),
    "Tied": ("column", "column_bis"),
    "Diagonal": ("component", "column"),
    "Spherical": ("component",),
}


def to_datatree(fit: Fit, *, log_likelihood: bool = False) -> xr.DataTree:
    """Return a fit as an ArviZ ``DataTree``.

    Quantities that do not depend on how components are numbered come first: ``n_clusters``,
    ``log_lik`` (total log-likelihood), ``entropy`` of the weights in nats and ``sorted_weights``.
    ``weights``, ``means`` and ``chol`` or ``scales`` are those of single draws, whose components
    have no common labels. Where they are random there are ``concentration`` of the weights,
    ``n_components`` (K) and ``scale`` of the covariances' prior, in squared units of the data. A
    point fit has one chain with one draw.

    Args:
        fit: any fit.
        log_likelihood: whether to compute log p(x_n | draw), labels summed out: C S N numbers.

    Returns:
        Groups posterior, sample_stats (for samplers), log_likelihood (on request), observed_data
        and constant_data.
    """
    coords = coordinates(fit)
    groups = {
        "posterior": dataset(posterior_variables(fit), coords),
        "observed_data": dataset({"x": (("row", "column"), fit.data.values)}, coords),
        "constant_data": dataset(
            {
                "centre": (("column",), fit.model.affine.centre),
                "scale": ((), fit.model.affine.scale),
            },
            coords,
        ),
    }
    if fit.sample_stats:
        stats = {name: (("chain", "draw"), value) for name, value in fit.sample_stats.items()}
        groups["sample_stats"] = dataset(stats, coords)
    if log_likelihood:
        pointwise = _with_draws(fit, pointwise_log_likelihood(fit))
        groups["log_likelihood"] = dataset({"x": (("chain", "draw", "row"), pointwise)}, coords)
    tree = xr.DataTree.from_dict(groups)
    tree.attrs.update(attributes(fit))
    return tree


def coordinates(fit: Fit) -> dict[str, Any]:
    """Return the coordinates of all dimensions."""
    n_chains, n_draws = fit.log_likelihood.shape or (1, 1)
    names = list(fit.data.names)
    components = np.arange(fit.model.n_components)
    return {
        "chain": np.arange(n_chains),
        "draw": np.arange(n_draws),
        "component": components,
        "rank": components,
        "column": names,
        "column_bis": names,
        "row": np.arange(fit.data.n_rows),
    }


def dataset(variables: dict[str, Any], coords: dict[str, Any]) -> xr.Dataset:
    """Build a Dataset that carries only the coordinates it uses."""
    used = {dim for dims, _ in variables.values() for dim in dims}
    return xr.Dataset(variables, {dim: coords[dim] for dim in coords if dim in used})


def posterior_variables(fit: Fit) -> dict[str, Any]:
    """Return the variables of the posterior group with their dimensions."""
    mixture = fit.mixture
    scalars = {
        "n_clusters": fit.n_clusters,
        "log_lik": fit.log_likelihood,
        "entropy": weight_entropy(fit),
    }
    for name in ("concentration", "n_components"):
        if getattr(fit, name) is not None:
            scalars[name] = getattr(fit, name)
    weights = np.exp(mixture.log_weights)
    arrays: dict[str, tuple[tuple[str, ...], Any]] = {name: ((), v) for name, v in scalars.items()}
    arrays["sorted_weights"] = (("rank",), -np.sort(-weights, -1))
    arrays["weights"] = (("component",), weights)
    arrays["means"] = (("component", "column"), mixture.means)
    record = mixture.covariance
    dims = COVARIANCE_DIMS[type(record).__name__]
    arrays |= {name: (dims, value) for name, value in record._asdict().items()}
    if fit.scale is not None:
        arrays["scale"] = (scale_dims(fit), fit.scale * fit.model.affine.scale**2)
    return {
        name: (("chain", "draw", *dims), _with_draws(fit, value))
        for name, (dims, value) in arrays.items()
    }


def scale_dims(fit: Fit) -> tuple[str, ...]:
    """Return the dimensions of the scale of the covariances' prior."""
    if fit.model.family.name in ("full", "tied"):
        return ("column", "column_bis")
    return ("column",) if fit.model.family.name == "diag" else ()


def weight_entropy(fit: Fit) -> np.ndarray:
    """Return the entropy of the weights in nats, () or (C, S)."""
    return np.asarray(entr(np.exp(fit.scaled.log_weights)).sum(-1))


def attributes(fit: Fit) -> dict[str, Any]:
    """Return what a reader of the file should know."""
    known = {
        "inference_library": "bayesgmm",
        "engine": repr(fit.engine),
        "status": fit.status.outcome.value,
        "status_message": fit.status.message,
        "model": str(fit.model),
    }
    if fit.provenance is None:
        return known
    stamp = fit.provenance
    return known | {
        "created_at": stamp.created,
        "inference_library_version": stamp.versions.get("bayesgmm", ""),
        "versions": json.dumps(dict(stamp.versions)),
        "dtype": stamp.dtype,
        "seed": stamp.seed,
        "sampling_time": stamp.seconds,
    }


def _with_draws(fit: Fit, value: Any) -> np.ndarray:
    """Give a point's value a chain and a draw of length one."""
    value = np.asarray(value)
    return value[None, None] if fit.log_likelihood.ndim == 0 else value
