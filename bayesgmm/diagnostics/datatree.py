"""A fit in ArviZ's layout: an ``xarray.DataTree`` with named dimensions.

The group ``posterior`` of draws holds only what does not depend on how components are numbered.
ArviZ summarises and plots that group whole and takes its mean effective sample size for LOO: the
components of single draws, which have no common labels, would be averaged over their numbering.
"""

import json
from typing import Any

import numpy as np
import xarray as xr

from ..numerics.precision import in_float64
from ..posterior.density import pointwise_log_likelihood
from ..posterior.partition import evenly
from ..result import Fit
from .prior import N_DRAWS, prior_groups
from .replicates import key_of, replicated_data
from .sensitivity import log_prior
from .variables import (
    component_variables,
    coordinates,
    dataset,
    label_free_variables,
    usual_number,
    with_chains,
)

# Numbers that a group may have without being asked for: 160 megabytes in double precision.
MOST_NUMBERS = 20_000_000
# As many as az.plot_ppc_dist shows.
N_REPLICATES = 100
UNLABELLED = (
    "Components of single draws have no common labels: component 0 of one draw is not component 0 "
    "of the next. Use bg.relabel(fit) or bg.summary(fit)."
)


def to_datatree(
    fit: Fit,
    *,
    log_likelihood: bool | None = None,
    posterior_predictive: int | None = None,
    prior: int = N_DRAWS,
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
        prior: number of draws from the prior, 0 for no group about the prior; of as many of them as
            above whole data sets are drawn. Fits that are not draws have none.

    Returns:
        Groups posterior, components (for draws), sample_stats (for samplers), log_prior (the parts
        whose power ``prior_sensitivity`` scales), prior and prior_predictive (see ``sample_prior``),
        log_likelihood and posterior_predictive (see above), observed_data and constant_data.

    Raises:
        ValueError: a negative number of draws.
    """
    check_numbers(posterior_predictive=posterior_predictive, prior=prior)
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
    if prior and not fit.is_point:
        groups |= groups_of_prior(fit, prior, n_replicates, coords)
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
    return min(asked, n_draws)


def check_numbers(**numbers: int | None) -> None:
    """Refuse negative numbers of draws."""
    for name, number in numbers.items():
        if number is not None and number < 0:
            raise ValueError(
                f"Expected {name} to be a number of draws, got {number}. Pass 0 for none."
            )


@in_float64
def groups_of_prior(
    fit: Fit, n_draws: int, n_data_sets: int, coords: dict[str, Any]
) -> dict[str, xr.Dataset]:
    """Return log prior densities of the draws, and draws from the prior."""
    densities = {name: (("chain", "draw"), value) for name, value in log_prior(fit).items()}
    n_ranks, seed = usual_number(fit), key_of(fit)[-1]
    some = min(n_data_sets, n_draws)
    drawn = prior_groups(fit.model, fit.data, n_ranks, n_draws, some, seed)
    return {"log_prior": dataset(densities, coords)} | drawn


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
