"""Replicated data: for each of some draws a whole new data set, for posterior predictive checks.

Gelman, Meng & Stern (1996), Statistica Sinica 6, 733-807: where a model fits, data drawn from
p(x_rep | draw) look like the data.
"""

from collections.abc import Iterator

import jax
import numpy as np

from ..model.families.base import Family
from ..model.mixture import Mixture
from ..numerics.precision import in_float64
from ..posterior.density import flat_draws
from ..result import Fit

# Apart from the numbers that other uses draw from the same key.
STREAM = 7


@in_float64
def replicated_data(fit: Fit, draws: np.ndarray) -> np.ndarray:
    """Draw a data set of as many rows as were fitted from each of some draws.

    Args:
        fit: any fit.
        draws: indices (S,) into the draws of all chains, laid end to end.

    Returns:
        Rows in the data's units and type, (S, N, D): the same at every call.
    """
    mixtures = jax.tree.map(lambda leaf: np.asarray(leaf)[draws], flat_draws(fit))
    rows = np.empty((len(draws), *fit.data.values.shape), fit.model.dtype)
    random = np.random.default_rng(key_of(fit))
    drawn = rows_of_mixtures(random, fit.model.family, mixtures, fit.data.n_rows)
    for out, scaled in zip(rows, drawn, strict=True):
        out[:] = fit.model.affine.inverse(scaled)
    return rows


def key_of(fit: Fit) -> list[int]:
    """Return the random key of replicates: that of the labels, and a number of their own."""
    key = () if fit.label_key is None else np.ravel(fit.label_key)
    return [STREAM, *map(int, key)]


def rows_of_mixtures(
    random: np.random.Generator, family: Family, mixtures: Mixture, n_rows: int
) -> Iterator[np.ndarray]:
    """Draw rows (N, D) in engine units from each of S mixtures."""
    factors = np.asarray(family.factors(mixtures))
    weights = np.exp(np.asarray(mixtures.log_weights))
    for mixture in zip(weights, np.asarray(mixtures.means), factors, strict=True):
        yield rows_of_mixture(random, n_rows, *mixture)


def rows_of_mixture(
    random: np.random.Generator,
    n_rows: int,
    weights: np.ndarray,
    means: np.ndarray,
    factors: np.ndarray,
) -> np.ndarray:
    """Draw rows (N, D) from one mixture with Cholesky factors (K, D, D)."""
    cumulative = np.cumsum(weights)
    labels = np.searchsorted(cumulative / cumulative[-1], random.random(n_rows), side="right")
    rows = random.standard_normal((n_rows, means.shape[1]))
    for k in np.unique(labels):
        mine = labels == k
        rows[mine] = means[k] + rows[mine] @ factors[k].T
    return rows
