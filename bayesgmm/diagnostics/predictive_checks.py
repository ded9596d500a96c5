r"""Do the rows look like rows of the fit? Posterior predictive checks by distances of distributions.

For each of some draws theta, T(x, theta) of the fitted rows is compared with T(x_rep, theta) of rows
drawn from theta; p is the share of draws in which the drawn rows lie as far from theta or farther
(Gelman, Meng & Stern 1996, Statistica Sinica 6, 733-807). T is the Kolmogorov-Smirnov distance of

* margins: a column from its mixture sum_k w_k N(mu_kd, Sigma_kdd), the largest of all columns;
* pairs: the sum or difference of two columns, each divided by its spread, likewise;
* distances: (x - mu_z)^T Sigma_z^-1 (x - mu_z), its component z drawn given x, from chi-square of D.

The rows have made the fit, so that p is rarely extreme: a small one says much, a large one little.
"""

from functools import partial
from itertools import combinations
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax import Array
from jax.scipy.special import gammainc, ndtr

from ..model.families.base import Family
from ..model.kernel import log_joint
from ..model.mixture import Mixture
from ..numerics.precision import in_float64
from ..posterior.density import flat_draws
from ..posterior.partition import evenly
from ..result import Fit
from .replicates import key_of, rows_of_mixtures

MOST_DRAWS, FEWEST_DRAWS = 200, 100
# Normal distribution functions, of components at rows along directions: some ten seconds.
MOST_NUMBERS = 300_000_000
# Distances below 1.6 / sqrt(1000) = 0.05, a twentieth of the rows in the wrong place, are let pass.
MOST_ROWS = 1_000
MOST_PAIRS = 20


class Directions(NamedTuple):
    """Directions in which rows are looked at.

    Attributes:
        names: "length", "length + width", "length - width", ..., P strings.
        vectors: (P, D); the first D are the columns themselves.
    """

    names: list[str]
    vectors: np.ndarray


@in_float64
def predictive_check(fit: Fit) -> pd.DataFrame:
    """Compare the fitted rows with rows drawn from the fit.

    Rows with missing cells are left out, as is right only where cells are missing at random whatever
    their rows hold.

    Args:
        fit: any fit; up to 200 draws (in many columns 100) and up to 1,000 rows are used, evenly
            spaced.

    Returns:
        Rows ``margins``, ``pairs`` (of two columns or more) and ``distances``; columns ``observed``,
        the mean over draws of the distance of the fitted rows, in [0, 1]; ``replicated``, that of
        rows drawn from the fit; ``p_value``, the share of draws in which the latter is at least as
        large; and ``worst``, where the fitted rows are farthest. The same at every call.

    Reference:
        Gelman, Meng & Stern (1996), Statistica Sinica 6, 733-807.
    """
    rows = fit.data.scaled()[fit.data.representative(MOST_ROWS)]
    rows = rows[~np.isnan(rows).any(1)]
    if not len(rows):
        raise ValueError(
            "Expected rows without missing cells, got none: there is nothing to compare. Look at "
            "bg.impute(fit, X, n_draws=...) instead."
        )
    directions = directions_of(fit.data.names, rows)
    draws = draws_to_check(fit, len(rows) * len(directions.names))
    mixtures = jax.tree.map(lambda leaf: np.asarray(leaf)[draws], flat_draws(fit))
    random = np.random.default_rng(key_of(fit))
    replicates = np.stack(list(rows_of_mixtures(random, fit.model.family, mixtures, len(rows))))
    compare = partial(distances_of_draws, fit.model.family, mixtures, directions.vectors)
    keys = jax.random.split(jax.random.key(key_of(fit)[-1]))
    observed = np.asarray(compare(keys[0], np.broadcast_to(rows, replicates.shape)))
    replicated = np.asarray(compare(keys[1], replicates))
    return table_of(directions, fit.data.n_columns, observed, replicated)


def draws_to_check(fit: Fit, n_places: int) -> np.ndarray:
    """Return draws evenly spaced over all chains; of a point fit the one, over and over.

    There are 200 of them, or where these cost much, down to 100.
    """
    affordable = MOST_NUMBERS // (2 * n_places * fit.model.n_components)
    n_draws = min(MOST_DRAWS, max(FEWEST_DRAWS, affordable))
    if fit.is_point:
        return np.zeros(n_draws, int)
    return evenly(fit.log_likelihood.size, n_draws)


def directions_of(names: tuple[str, ...], rows: np.ndarray) -> Directions:
    """Return all columns, and sums and differences of up to 20 pairs of them."""
    size = len(names)
    spread = rows.std(0)
    unit = np.eye(size) / np.where(spread > 0, spread, 1.0)
    pairs = list(combinations(range(size), 2))
    pairs = [pairs[i] for i in evenly(len(pairs), MOST_PAIRS)] if pairs else []
    labels, vectors = list(names), [*np.eye(size)]
    for one, other in pairs:
        labels += [f"{names[one]} {sign} {names[other]}" for sign in "+-"]
        vectors += [unit[one] + unit[other], unit[one] - unit[other]]
    return Directions(labels, np.stack(vectors))


@partial(jax.jit, static_argnums=0)
def distances_of_draws(
    family: Family, mixtures: Mixture, directions: Array, key: Array, rows: Array
) -> Array:
    """Return T for each draw and its rows (S, M, D): along P directions and of distances, (S, P + 1)."""

    def one(part: tuple[Mixture, Array, Array]) -> Array:
        mixture, key, x = part
        along = distance_to_uniform(cumulative_along(family, mixture, directions, x))
        radial = distance_to_uniform(cumulative_distances(family, mixture, key, x)[:, None])
        return jnp.concatenate([along, radial])

    keys = jax.random.split(key, len(rows))
    return jax.lax.map(one, (mixtures, keys, rows))


def cumulative_along(family: Family, mixture: Mixture, directions: Array, rows: Array) -> Array:
    """Return the distribution function of rows (M, D) along directions (P, D), (M, P)."""
    centres = mixture.means @ directions.T
    scales = jnp.linalg.norm(directions @ family.factors(mixture), axis=-1)
    standard = ((rows @ directions.T)[:, None] - centres) / scales
    weights = jnp.exp(mixture.log_weights)
    return jnp.einsum("k,mkp->mp", weights, ndtr(standard))


def cumulative_distances(family: Family, mixture: Mixture, key: Array, rows: Array) -> Array:
    """Return the chi-square probability within each row's distance to its component, (M,)."""
    return gammainc(rows.shape[1] / 2, squared_distances(family, mixture, key, rows) / 2)


def squared_distances(family: Family, mixture: Mixture, key: Array, rows: Array) -> Array:
    """Return squared Mahalanobis distances of rows (M, D) to components drawn given them, (M,)."""
    labels = jax.random.categorical(key, log_joint(family, mixture, rows.T), axis=0)
    squares = (family.residuals(mixture, rows.T) ** 2).sum(-2)
    return jnp.take_along_axis(squares, labels[None], 0)[0]


def distance_to_uniform(values: Array) -> Array:
    """Return the Kolmogorov-Smirnov distance of each column (M, P) from the uniform law, (P,)."""
    ordered, n_rows = jnp.sort(values, 0), len(values)
    above = (jnp.arange(1, n_rows + 1) / n_rows)[:, None] - ordered
    return jnp.maximum(above, 1 / n_rows - above).max(0)


def table_of(
    directions: Directions, n_columns: int, observed: np.ndarray, replicated: np.ndarray
) -> pd.DataFrame:
    """Sum distances (S, P + 1) up in a row for each kind."""
    n_directions = len(directions.names)
    names = [*directions.names, "all columns"]
    kinds = {
        "margins": slice(0, n_columns),
        "pairs": slice(n_columns, n_directions),
        "distances": slice(n_directions, None),
    }
    rows = {
        kind: compared(names[part], observed[:, part], replicated[:, part])
        for kind, part in kinds.items()
        if names[part]
    }
    table = pd.DataFrame.from_dict(rows, orient="index")
    return table.rename_axis("check")


def compared(names: list[str], observed: np.ndarray, replicated: np.ndarray) -> dict[str, object]:
    """Compare the largest distances of rows and replicates, draw by draw."""
    ours, theirs = observed.max(1), replicated.max(1)
    return {
        "observed": float(ours.mean()),
        "replicated": float(theirs.mean()),
        "p_value": float((theirs >= ours).mean()),
        "worst": names[int(observed.mean(0).argmax())],
    }
