"""A fit in ArviZ's layout: an ``xarray.DataTree`` with named dimensions.

The group ``posterior`` of draws holds only what does not depend on how components are numbered.
ArviZ summarises and plots that group whole and takes its mean effective sample size for LOO: the
components of single draws, which have no common labels, would be averaged over their numbering.
"""

import json
from typing import Any

import numpy as np
import xarray as xr
from scipy.special import entr

from ..posterior.density import pointwise_log_likelihood
from ..posterior.partition import evenly
from ..result import Fit
from .replicates import replicated_data

# Not "column", which az.plot_trace_dist uses itself. ArviZ repeats a dimension under another name
# where a variable has it twice.
COVARIANCE_DIMS = {
    "Full": ("component", "feature", "feature_bis"),
    "Tied": ("feature", "feature_bis"),
    "Diagonal": ("component", "feature"),
    "Spherical": ("component",),
}
# Numbers that a group may have without being asked for: 160 megabytes in double precision.
MOST_NUMBERS = 20_000_000
# As many as az.plot_ppc_dist shows.
N_REPLICATES = 100
UNLABELLED = (
    "Components of single draws have no common labels: component 0 of one draw is not component 0 "
    "of the next. Use bg.relabel(fit) or bg.summary(fit)."
)


def to_datatree(
    fit: Fit, *, log_likelihood: bool | None = None, posterior_predictive: int | None = None
) -> xr.DataTree:
    """Return a fit as an ArviZ ``DataTree``.

    The posterior group holds ``n_clusters``, ``log_lik`` (total log-likelihood), ``entropy`` of the
    weights in nats and ``sorted_weights``, as many as there usually are clusters. Where they are
    random there are ``concentration`` of the weights, ``n_components`` (K) and ``scale`` of the
    covariances' prior, in squared units of the data. The group components holds ``weights``,
    ``means`` and ``chol`` or ``scales`` of single draws, whose components have no common labels. A
    point fit has one chain with one draw, and its components are in the posterior group.

    ArviZ's functions take the tree as it is. Of a quantity that is equal in all draws they know no
    R-hat and no density, and its ranks mean nothing.

    Args:
        fit: any fit.
        log_likelihood: whether to compute log p(x_n | draw), labels summed out: C S N numbers. By
            default where these are at most 20 million.
        posterior_predictive: number of draws, evenly spaced over all chains, from which to draw a
            whole new data set: N D numbers each, the same at every call; 0 for none. Chains have
            equally many, rounded up. By default 100 where these are at most 20 million numbers,
            otherwise none.

    Returns:
        Groups posterior, components (for draws), sample_stats (for samplers), log_likelihood and
        posterior_predictive (see above), observed_data and constant_data.

    Raises:
        ValueError: a negative ``posterior_predictive``.
    """
    coords = coordinates(fit)
    groups = parameter_groups(fit, coords) | data_groups(fit, coords)
    if fit.sample_stats:
        stats = {name: (("chain", "draw"), value) for name, value in fit.sample_stats.items()}
        groups["sample_stats"] = dataset(stats, coords)
    if wants_log_likelihood(fit, log_likelihood):
        pointwise = {"x": (("row",), pointwise_log_likelihood(fit))}
        groups["log_likelihood"] = dataset(with_chains(fit, pointwise), coords)
    n_replicates = number_of_replicates(fit, posterior_predictive)
    if n_replicates:
        groups["posterior_predictive"] = replicates(fit, n_replicates, coords)
    tree = xr.DataTree.from_dict(groups)
    tree.attrs.update(attributes(fit))
    return tree


def parameter_groups(fit: Fit, coords: dict[str, Any]) -> dict[str, xr.Dataset]:
    """Return the group posterior and, for draws, that of the components."""
    of_all = with_chains(fit, label_free_variables(fit))
    of_each = with_chains(fit, component_variables(fit))
    if fit.is_point:
        return {"posterior": dataset(of_all | of_each, coords)}
    components = dataset(of_each, coords).assign_attrs(note=UNLABELLED)
    return {"posterior": dataset(of_all, coords), "components": components}


def wants_log_likelihood(fit: Fit, asked: bool | None) -> bool:
    """Say whether the pointwise log-likelihood was asked for, or is small enough anyway."""
    if asked is None:
        return fit.log_likelihood.size * fit.data.n_rows <= MOST_NUMBERS
    return asked


def number_of_replicates(fit: Fit, asked: int | None) -> int:
    """Return how many data sets to draw: the number asked for, or what is small enough."""
    n_draws = fit.log_likelihood.size
    if asked is None:
        n_usual = min(N_REPLICATES, n_draws)
        return n_usual if n_usual * fit.data.values.size <= MOST_NUMBERS else 0
    if asked < 0:
        raise ValueError(
            f"Expected posterior_predictive to be a number of draws, got {asked}. Pass 0 for none."
        )
    return min(asked, n_draws)


def replicates(fit: Fit, n_replicates: int, coords: dict[str, Any]) -> xr.Dataset:
    """Return new data sets from draws evenly spaced over the chains."""
    n_chains, n_draws = len(coords["chain"]), len(coords["draw"])
    kept = evenly(n_draws, -(-n_replicates // n_chains))
    draws = (n_draws * np.arange(n_chains)[:, None] + kept).ravel()
    rows = replicated_data(fit, draws).reshape(n_chains, len(kept), *fit.data.values.shape)
    dims = ("chain", "draw", "row", "feature")
    return dataset({"x": (dims, rows)}, coords | {"draw": kept})


def data_groups(fit: Fit, coords: dict[str, Any]) -> dict[str, xr.Dataset]:
    """Return the groups of the data and of the affine map to engine units."""
    affine = fit.model.affine
    constants = {"centre": (("feature",), affine.centre), "scale": ((), affine.scale)}
    return {
        "observed_data": dataset({"x": (("row", "feature"), fit.data.values)}, coords),
        "constant_data": dataset(constants, coords),
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


def label_free_variables(fit: Fit) -> dict[str, Any]:
    """Return the dimensions, after chain and draw, and values of what needs no labels."""
    scalars = {
        "n_clusters": rankable(fit.n_clusters),
        "log_lik": fit.log_likelihood,
        "entropy": weight_entropy(fit),
    }
    if fit.concentration is not None:
        scalars["concentration"] = fit.concentration
    if fit.n_components is not None:
        scalars["n_components"] = rankable(fit.n_components)
    variables: dict[str, tuple[tuple[str, ...], Any]] = {n: ((), v) for n, v in scalars.items()}
    weights = -np.sort(-np.exp(fit.mixture.log_weights), -1)
    variables["sorted_weights"] = (("rank",), weights[..., : usual_number(fit)])
    if fit.scale is not None:
        variables["scale"] = (scale_dims(fit), fit.scale * fit.model.affine.scale**2)
    return variables


def usual_number(fit: Fit) -> int:
    """Return the most frequent number of clusters."""
    return int(np.bincount(np.ravel(fit.n_clusters)).argmax())


def rankable(numbers: np.ndarray) -> np.ndarray:
    """Return integers (C, S), as floating-point numbers if all are equal: see az.plot_rank.

    ArviZ ranks integers by a spline between the smallest and the largest and stops where they meet.
    """
    return numbers.astype(float) if numbers.size > 1 and np.ptp(numbers) == 0 else numbers


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


def scale_dims(fit: Fit) -> tuple[str, ...]:
    """Return the dimensions of the scale of the covariances' prior."""
    if fit.model.family.name in ("full", "tied"):
        return ("feature", "feature_bis")
    return ("feature",) if fit.model.family.name == "diag" else ()


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
