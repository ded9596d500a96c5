"""What a model expects before it sees rows: draws of mixtures from the prior, and of whole data sets."""

from typing import Any

import jax
import numpy as np
import pandas as pd
import xarray as xr

from ..data.dataset import Dataset
from ..data.tabular import Table
from ..model.prior_draws import PriorDraws, draw_prior
from ..model.resolved import Model, resolve
from ..model.spec import MixtureSpec
from ..model.weights import is_random
from ..numerics.precision import in_float64
from ..posterior.partition import evenly
from .replicates import rows_of_mixtures
from .variables import LabelFree, dataset, variables_of

N_DRAWS = 500
N_DATA_SETS = 100
MOST_ROWS = 500
STATISTICS = ("mean", "sd")


@in_float64
def sample_prior(
    spec: MixtureSpec,
    X: Any,
    *,
    n_draws: int = N_DRAWS,
    n_data_sets: int = N_DATA_SETS,
    seed: int = 0,
) -> xr.DataTree:
    """Draw from the prior of a model, and data sets from those draws, as an ArviZ ``DataTree``.

    Args:
        spec: a model with priors.
        X: rows (N, D): array, nested lists, data frame, or a Dataset. Default priors take location
            and scale from them.
        n_draws: number of draws from the prior, >= 1.
        n_data_sets: for how many of them to draw N rows.
        seed: seed of all randomness.

    Returns:
        Groups prior (of ``to_datatree``'s posterior what there is before any data),
        prior_predictive, with ``x`` in the data's units, and observed_data, for
        ``az.plot_ppc_dist(tree, group="prior_predictive")``. A Dirichlet process has its sticks
        broken off at ``max_components``.

    Raises:
        ValueError: a model without priors, or a number out of range.
    """
    if n_draws < 1 or not 0 <= n_data_sets <= n_draws:
        raise ValueError(
            f"Expected n_draws >= 1 and n_data_sets in [0, n_draws], got {n_draws} and {n_data_sets}. "
            "Leave them out for the defaults."
        )
    data = X if isinstance(X, Dataset) else Dataset.from_array(X)
    model = resolve(spec, data)
    groups = prior_groups(model, data, model.n_components, n_draws, n_data_sets, seed)
    observed = {"x": (("row", "feature"), data.values)}
    coords = {"row": np.arange(data.n_rows), "feature": list(data.names)}
    return xr.DataTree.from_dict(groups | {"observed_data": xr.Dataset(observed, coords)})


def prior_groups(
    model: Model, data: Table, n_ranks: int, n_draws: int, n_data_sets: int, seed: int
) -> dict[str, xr.Dataset]:
    """Return the groups prior and, unless no data sets are wanted, prior_predictive."""
    drawn = draw_prior(jax.random.key(seed), model, n_draws)
    random = np.random.default_rng([seed, n_draws])
    names = list(data.names)
    coords = {
        "chain": [0],
        "draw": np.arange(n_draws),
        "rank": np.arange(n_ranks),
        "feature": names,
        "feature_bis": names,
    }
    free = variables_of(label_free_draws(random, model, drawn, data.n_rows), model, n_ranks)
    variables = {
        name: (("chain", "draw", *dims), value[None]) for name, (dims, value) in free.items()
    }
    groups = {"prior": dataset(variables, coords)}
    if n_data_sets:
        kept = evenly(n_draws, n_data_sets)
        rows = prior_rows(random, model, drawn, kept, data.n_rows)
        coords |= {"draw": kept, "row": np.arange(data.n_rows)}
        variables = {"x": (("chain", "draw", "row", "feature"), rows[None])}
        groups["prior_predictive"] = dataset(variables, coords)
    return groups


def label_free_draws(
    random: np.random.Generator, model: Model, drawn: PriorDraws, n_rows: int
) -> LabelFree:
    """Return what needs no labels, K+ by drawing how many rows each component gets."""
    log_weights = np.asarray(drawn.mixture.log_weights)
    weights = np.exp(log_weights)
    counts = random.multinomial(n_rows, weights / weights.sum(-1, keepdims=True))
    is_mixed = bool((np.asarray(drawn.n_components) > 0).any())
    has_hyperprior = is_random(getattr(model.weights, "concentration", None))
    return LabelFree(
        n_clusters=(counts > 0).sum(-1),
        log_weights=log_weights,
        concentration=np.asarray(drawn.concentration) if has_hyperprior else None,
        n_components=np.asarray(drawn.n_components) if is_mixed else None,
        scale=None if model.scale_prior is None else np.asarray(drawn.scale),
    )


def prior_rows(
    random: np.random.Generator, model: Model, drawn: PriorDraws, draws: np.ndarray, n_rows: int
) -> np.ndarray:
    """Draw a data set from each of some draws, in the data's units and type, (S, N, D)."""
    mixtures = jax.tree.map(lambda leaf: np.asarray(leaf)[draws], drawn.mixture)
    rows = np.empty((len(draws), n_rows, model.n_columns), model.dtype)
    each = rows_of_mixtures(random, model.family, mixtures, n_rows)
    for out, scaled in zip(rows, each, strict=True):
        out[:] = model.affine.inverse(scaled)
    return rows


@in_float64
def prior_predictive_check(
    spec: MixtureSpec, X: Any, *, n_draws: int = N_DRAWS, seed: int = 0
) -> pd.DataFrame:
    """Ask whether the prior would have expected rows such as these.

    Args:
        spec: a model with priors.
        X: rows (N, D); up to 500, evenly spaced, are compared.
        n_draws: number of data sets of as many rows to draw from the prior.
        seed: seed of all randomness.

    Returns:
        A row for mean and standard deviation of each column; columns ``observed``; ``median``,
        ``lower`` and ``upper`` end of the central 90 % of what the prior expects; and ``p_value``,
        twice the smaller of the shares of data sets on either side of the rows.

    Raises:
        ValueError: a model without priors.

    Reference:
        Box (1980), Journal of the Royal Statistical Society A 143, 383-430.
    """
    data = X if isinstance(X, Dataset) else Dataset.from_array(X)
    return prior_table(resolve(spec, data), data, n_draws, seed)


def prior_table(model: Model, data: Dataset, n_draws: int, seed: int) -> pd.DataFrame:
    """Return the table of ``prior_predictive_check``."""
    some = data.values[data.representative(MOST_ROWS)].astype(float)
    drawn = draw_prior(jax.random.key(seed), model, n_draws)
    random = np.random.default_rng([seed, n_draws])
    rows = prior_rows(random, model, drawn, np.arange(n_draws), len(some))
    rows = np.where(np.isnan(some), np.nan, rows)
    observed = np.concatenate([np.nanmean(some, 0), np.nanstd(some, 0)])
    expected = np.concatenate([np.nanmean(rows, 1), np.nanstd(rows, 1)], 1)
    below, above = (expected <= observed).mean(0), (expected >= observed).mean(0)
    lower, median, upper = np.quantile(expected, [0.05, 0.5, 0.95], axis=0)
    names = [f"{statistic} of {name}" for statistic in STATISTICS for name in data.names]
    columns = {"observed": observed, "median": median, "lower": lower, "upper": upper}
    p_value = np.minimum(1.0, 2 * np.minimum(below, above))
    return pd.DataFrame(columns | {"p_value": p_value}, pd.Index(names, name="statistic"))
