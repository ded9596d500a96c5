"""Which cluster a row belongs to, with the posterior's doubt about it."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import logsumexp

from ..model.families.base import Family
from ..model.mixture import Mixture
from ..numerics.precision import in_float64
from ..numerics.warn import warn
from ..result import Fit
from .agreement import warn_of_disagreement
from .density import flat_draws, log_responsibilities_at, over_rows, scaled_rows
from .partition import Partition

# Fewer draws than this beyond an end of an interval leave that end to chance.
DRAWS_BEYOND = 10


class Membership(NamedTuple):
    """Probabilities of membership in the clusters of a partition.

    Attributes:
        mean: posterior mean given that the row belongs to one of the clusters; rows sum to one,
            (M, J).
        unknown: probability that it belongs to none of them but to a component without rows, which
            a posterior with an unknown number of components keeps in store, (M,).
        lower: lower end of the equal-tailed interval, (M, J); None if no interval was asked for.
        upper: upper end, (M, J); likewise.
    """

    mean: np.ndarray
    unknown: np.ndarray
    lower: np.ndarray | None = None
    upper: np.ndarray | None = None

    @property
    def entropy(self) -> np.ndarray:
        """Doubt about the cluster of each row, the entropy of ``mean`` in bits, (M,)."""
        p = np.asarray(self.mean, float)
        return -(p * np.log2(np.where(p > 0, p, 1.0))).sum(1) + 0.0


@in_float64
def membership(fit: Fit, clusters: Partition, X: Any, interval: float | None = None) -> Membership:
    """Return the probabilities that rows belong to the clusters of a partition.

    Args:
        fit: the fit.
        clusters: ``partition(fit)``.
        X: rows (M, D) with the columns of the fit.
        interval: probability of an equal-tailed interval over draws, in (0, 1), or None.

    Returns:
        Means, the probability of none, and the interval, in the type of the fitted data.

    Raises:
        ValueError: an interval outside (0, 1), or other columns.

    Warns:
        UserWarning: too few draws for the interval, or chains that disagree about K+.
    """
    check_interval(interval, len(clusters.draws))
    warn_of_disagreement(fit)
    scaled = scaled_rows(fit, X)
    draws = jax.tree.map(lambda leaf: leaf[clusters.draws], flat_draws(fit))
    levels = [] if interval is None else [(1 - interval) / 2, (1 + interval) / 2]
    shares, ends_at = jnp.asarray(clusters.shares), jnp.asarray(levels)

    def summarise(family: Family, draws: Mixture, columns: Array) -> Array:
        return summarise_at(family, draws, shares, ends_at, columns)

    width = 8 * (
        len(clusters.draws) * (clusters.n_clusters + 1) + draws.means.shape[-2] * scaled.shape[1]
    )
    blocks = list(over_rows(summarise, fit.model.family, draws, scaled, width))
    table = np.concatenate(blocks, axis=-1).swapaxes(1, 2).astype(fit.model.dtype)
    mean, *ends = table[..., :-1]
    return Membership(mean, table[0, :, -1], *ends)


def check_interval(interval: float | None, n_draws: int) -> None:
    """Refuse an interval outside (0, 1); warn if the draws are too few for it."""
    if interval is None:
        return
    if not 0 < interval < 1:
        raise ValueError(
            f"Expected interval in (0, 1), got {interval!r}. Pass for instance interval=0.9."
        )
    needed = int(np.ceil(2 * DRAWS_BEYOND / (1 - interval)))
    if 1 < n_draws < needed:
        warn(
            f"Expected {needed} draws for an interval of {interval:g}, got {n_draws}: its ends are left "
            "to a few draws. Raise n_draws, or ask for a narrower interval."
        )


@partial(jax.jit, static_argnums=0)
def summarise_at(
    family: Family, draws: Mixture, shares: Array, levels: Array, columns: Array
) -> Array:
    """Return the mean and quantiles over draws of the memberships, (1 + L, J + 1, n).

    The last of the J + 1 is the probability of none of the clusters.
    """

    def one(part: tuple[Mixture, Array]) -> Array:
        mixture, share = part
        log_r = log_responsibilities_at(family, mixture, columns)
        is_empty = share.sum(1, keepdims=True) == 0
        of_known = jnp.where(is_empty, -jnp.inf, log_r)
        given_known = share.T @ jnp.exp(of_known - logsumexp(of_known, axis=0))
        unknown = jnp.where(is_empty, jnp.exp(log_r), 0).sum(0)
        return jnp.concatenate([given_known, unknown[None]])

    memberships = jax.lax.map(one, (draws, shares))
    mean = memberships.mean(0)
    if levels.shape[0] == 0:
        return mean[None]
    return jnp.concatenate([mean[None], jnp.quantile(memberships, levels, axis=0)])
