"""Which cluster a row belongs to, with the posterior's doubt about it."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..model.families.base import Family
from ..model.mixture import Mixture
from ..numerics.precision import in_float64
from ..result import Fit
from .density import flat_draws, in_blocks, log_responsibilities_at, scaled_rows
from .partition import Partition


class Membership(NamedTuple):
    """Probabilities of membership in the clusters of a partition.

    Attributes:
        mean: posterior mean, rows sum to one, (M, J).
        lower: lower end of the equal-tailed interval, (M, J); None if no interval was asked for.
        upper: upper end, (M, J); likewise.
    """

    mean: np.ndarray
    lower: np.ndarray | None = None
    upper: np.ndarray | None = None


@in_float64
def membership(fit: Fit, clusters: Partition, X: Any, interval: float | None = None) -> Membership:
    """Return the probabilities that rows belong to the clusters of a partition.

    Args:
        fit: the fit.
        clusters: ``partition(fit)``.
        X: rows (M, D) with the columns of the fit.
        interval: probability of an equal-tailed interval over draws, in (0, 1), or None.

    Returns:
        Mean and interval, in the type of the fitted data.

    Raises:
        ValueError: an interval outside (0, 1), or other columns.
    """
    if interval is not None and not 0 < interval < 1:
        raise ValueError(
            f"Expected interval in (0, 1), got {interval!r}. Pass for instance interval=0.9."
        )
    scaled = scaled_rows(fit, X)
    draws = jax.tree.map(lambda leaf: leaf[clusters.draws], flat_draws(fit))
    levels = [] if interval is None else [(1 - interval) / 2, (1 + interval) / 2]
    summarise = partial(
        summarise_at, fit.model.family, draws, jnp.asarray(clusters.shares), jnp.asarray(levels)
    )
    width = 8 * (
        len(clusters.draws) * clusters.n_clusters + draws.means.shape[-2] * scaled.shape[1]
    )
    blocks = list(in_blocks(summarise, scaled, width))
    table = np.concatenate(blocks, axis=-1).swapaxes(1, 2).astype(fit.model.dtype)
    return Membership(*table)


@partial(jax.jit, static_argnums=0)
def summarise_at(
    family: Family, draws: Mixture, shares: Array, levels: Array, columns: Array
) -> Array:
    """Return the mean and quantiles over draws of the memberships, (1 + L, J, n)."""

    def one(part: tuple[Mixture, Array]) -> Array:
        mixture, share = part
        known = share.T @ jnp.exp(log_responsibilities_at(family, mixture, columns))
        # What falls to components without rows belongs to no known cluster: left out.
        return known / jnp.maximum(known.sum(0), jnp.finfo(known.dtype).tiny)

    memberships = jax.lax.map(one, (draws, shares))
    mean = memberships.mean(0)
    mean = mean / mean.sum(0)
    if levels.shape[0] == 0:
        return mean[None]
    return jnp.concatenate([mean[None], jnp.quantile(memberships, levels, axis=0)])
