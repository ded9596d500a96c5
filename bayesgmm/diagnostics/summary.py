"""A table of the posterior in ArviZ's columns: first what needs no labels, then the clusters.

Numbers per cluster are conditional on the most frequent number of clusters, J: they come from the
draws with J clusters, their components matched by ``relabel``. Chains keep different numbers of
such draws, and R-hat wants equal ones: each chain is thinned evenly to the smallest number kept.
"""

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr

from ..model.mixture import Mixture
from ..numerics.precision import in_float64
from ..numerics.warn import warn
from ..posterior.partition import Partition, evenly
from ..posterior.relabel import Relabelled, relabel
from ..result import Fit
from .variables import label_free_variables, with_chains

DIMS: dict[str, tuple[str, ...]] = {
    "weight": ("cluster",),
    "mean": ("cluster", "feature"),
    "sd": ("cluster", "feature"),
}


def summary(fit: Fit, method: str = "ecr", clusters: Partition | None = None) -> pd.DataFrame:
    """Tabulate what a fit says about its parameters, a row each.

    The first rows do not depend on how components are numbered: ``n_clusters``, ``log_lik``,
    ``entropy`` of the weights in nats, ``concentration`` and ``n_components`` (K) where they are
    random, and the weights by size. Where the clusters are identified, ``weight[j]``,
    ``mean[j, column]`` and ``sd[j, column]`` follow, in the data's units, given the most frequent
    number of clusters. What is equal in all draws has no R-hat (NaN).

    Args:
        fit: any fit.
        method: how components are matched, as in ``relabel``: "ecr", "stephens" or "centroids".
        clusters: ``partition(fit)``: if it has as many clusters, names agree with its labels;
            otherwise cluster 0 is the heaviest.

    Returns:
        For draws the columns of ``az.summary``, with ``attrs``: ``n_clusters``, ``method``,
        ``n_draws_used`` for the clusters out of ``n_draws``, ``non_permutation_rate``, ``names``
        ("partition" or "weight") and ``refused``, the reason why there are no rows of clusters or
        an empty string. For a point fit one column, ``estimate``.

    Raises:
        ValueError: an unknown method.

    Warns:
        UserWarning: the clusters are not identified, with the reason.
    """
    if fit.is_point:
        return estimates(fit)
    found = relabel(fit, method, clusters=clusters)
    kept = evenly_per_chain(found.chains)
    tables = [summarised(without_labels(fit))]
    if found.is_identified:
        tables.append(summarised(of_clusters(fit, found, kept)))
    else:
        warn(found.reason)
    table = pd.concat(tables)
    is_named = clusters is not None and clusters.n_clusters == found.n_clusters
    table.attrs = {
        "n_clusters": found.n_clusters,
        "method": method,
        "n_draws_used": kept.size if found.is_identified else 0,
        "n_draws": fit.log_likelihood.size,
        "non_permutation_rate": found.non_permutation_rate,
        "names": "partition" if is_named else "weight",
        "refused": found.reason,
    }
    return table


def evenly_per_chain(chains: np.ndarray) -> np.ndarray:
    """Return positions of draws, evenly spaced, equally many of each chain, (C, S), out of (S,)."""
    of_chains = [np.flatnonzero(chains == c) for c in np.unique(chains)]
    smallest = min(len(one) for one in of_chains)
    return np.stack([one[evenly(len(one), smallest)] for one in of_chains])


def without_labels(fit: Fit) -> xr.Dataset:
    """Return what does not depend on labels, apart from the scale of the prior."""
    variables = label_free_variables(fit)
    variables.pop("scale", None)
    return xr.Dataset(with_chains(fit, variables))


def of_clusters(fit: Fit, found: Relabelled, kept: np.ndarray) -> xr.Dataset:
    """Return the parameters of the clusters in draws ``kept`` (C, S) of the relabelled ones."""
    values = parameters(fit, found.mixture)
    return xr.Dataset(
        {name: (("chain", "draw", *DIMS[name]), value[kept]) for name, value in values.items()},
        {"cluster": np.arange(found.n_clusters), "feature": list(fit.data.names)},
    )


@in_float64
def parameters(fit: Fit, mixture: Mixture) -> dict[str, np.ndarray]:
    """Return weights (..., J), means and standard deviations (..., J, D) in the mixture's units."""
    return {
        "weight": np.exp(mixture.log_weights),
        "mean": np.asarray(mixture.means),
        # The variance of a column is the squared length of its row in the factor.
        "sd": np.linalg.norm(np.asarray(fit.model.family.factors(mixture)), axis=-1),
    }


def summarised(draws: xr.Dataset) -> pd.DataFrame:
    """Return ArviZ's summary; where a quantity never changes, 0/0 is no matter."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return rounded(az.summary(draws, round_to="none"))


def rounded(table: pd.DataFrame) -> pd.DataFrame:
    """Round every row to three digits of its standard deviation, errors to three of their own.

    ArviZ shows ends of intervals with two digits whatever the spread: 190 to 190 of 191.0 to 192.6.
    """
    rounded = table.copy()
    spreads = table["sd"].to_numpy()
    for name in map(str, table):
        values = table[name].to_numpy(float)
        if name.startswith("ess"):
            rounded[name] = np.floor(values)
        elif name == "r_hat":
            rounded[name] = values.round(3)
        else:
            sizes = np.abs(values) if name.startswith("mcse") or name == "sd" else spreads
            rounded[name] = [to_digits(one, size) for one, size in zip(values, sizes, strict=True)]
    return rounded


def to_digits(value: float, size: float) -> float:
    """Round a value to three digits of another; as it is where that has none."""
    if not 0 < size < np.inf:
        return float(value)
    return round(float(value), 2 - int(np.floor(np.log10(size))))


def estimates(fit: Fit) -> pd.DataFrame:
    """Tabulate a point fit: its scalars, then its components in their order."""
    values = {
        "n_clusters": float(fit.n_clusters),
        "log_lik": float(fit.log_likelihood),
        "entropy": float(label_free_variables(fit)["entropy"][1]),
    }
    for name, value in parameters(fit, fit.mixture).items():
        for place in np.ndindex(value.shape):
            values[label(fit, name, place)] = float(value[place])
    return pd.DataFrame({"estimate": values})


def label(fit: Fit, name: str, place: tuple[int, ...]) -> str:
    """Name an entry as ArviZ does: weight[0], mean[0, length]."""
    component, *column = place
    return f"{name}[{', '.join([str(component), *(fit.data.names[d] for d in column)])}]"
