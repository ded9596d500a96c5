r"""What predictive checks look at: draws from the posterior or the prior, and their average density.

Of the prior, means and weights are summed out of the average: with mu_k = m + A_k e, e ~ N(0, I),
given Sigma_k, a row of component k is N(m, Sigma_k + A_k A_k^T), and as components are exchangeable
one of each draw will do. That gives a smooth density, where there were as many peaks.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..diagnostics.replicates import key_of
from ..model.families import family_named
from ..model.mixture import Mixture
from ..model.prior_draws import draw_prior
from ..model.resolved import Model
from ..numerics.precision import in_float64, to_numpy
from ..posterior.condition import positions
from ..posterior.density import flat_draws
from ..posterior.partition import evenly
from ..result import Fit
from .style import PALETTE

PROB = 0.9
MARGIN = 0.05
MOST_POINTS = 2_000
N_SAMPLE = 5_000
# Mixtures of the prior differ so much that quantiles over 200 of them are ragged.
MORE_OF_PRIOR = 20
PRIOR_BYTES = 64 * 2**20


class Drawn(NamedTuple):
    """The two sides of a group.

    Attributes:
        draws: S draws in one chain, or a point.
        average: a fit whose predictive density is the average of theirs.
        name: of that density, for legends.
        source: where drawn rows come from, for titles.
        colour: of what is drawn or predicted.
    """

    draws: Fit
    average: Fit
    name: str
    source: str
    colour: str


def from_posterior(fit: Fit, n_draws: int) -> Drawn:
    """Return evenly spaced draws of a posterior; a point as it is."""
    if fit.is_point:
        return Drawn(fit, fit, "fitted density", "fit", PALETTE[0])
    kept = evenly(fit.log_likelihood.size, n_draws)
    thinned = with_draws(fit, jax.tree.map(lambda leaf: leaf[kept], flat_draws(fit)))
    return Drawn(thinned, thinned, "posterior predictive", "posterior", PALETTE[0])


@in_float64
def from_prior(fit: Fit, n_draws: int) -> Drawn:
    """Return draws from the prior of the fit's model, the same at every call."""
    key = jax.random.key(key_of(fit)[-1])
    prior = draw_prior(key, fit.model, n_draws * more_of_prior(fit.model, n_draws))
    draws = with_draws(fit, to_numpy(prior.mixture))
    return Drawn(draws, means_summed_out(draws), "prior predictive", "prior", PALETTE[1])


GROUPS: dict[str, Callable[[Fit, int], Drawn]] = {
    "posterior": from_posterior,
    "prior": from_prior,
}


def more_of_prior(model: Model, n_draws: int) -> int:
    """Return how many times as many draws of the prior are made, as far as they need no room."""
    n_bytes = 8 * n_draws * model.n_components * model.n_columns**2
    return int(np.clip(PRIOR_BYTES // n_bytes, 1, MORE_OF_PRIOR))


def with_draws(fit: Fit, mixtures: Mixture) -> Fit:
    """Return the fit with other draws (S, ...) in one chain; nothing else is known of them."""
    scaled = jax.tree.map(lambda leaf: leaf[None], mixtures)
    unknown = np.full(scaled.log_weights.shape[:2], np.nan)
    return replace(fit, kind="posterior", scaled=scaled, log_likelihood=unknown, counts=None)


def means_summed_out(prior: Fit) -> Fit:
    """Return the fit with the law of a row given the covariance of the first component alone."""
    mixtures, rule = flat_draws(prior), prior.model.prior
    matrices = prior.model.family.matrices(mixtures) + covariances_of_means(rule, mixtures)
    full = family_named("full")
    average = Mixture(
        log_weights=jnp.zeros_like(mixtures.log_weights[:, :1]),
        means=jnp.broadcast_to(rule.mean, mixtures.means[:, :1].shape),
        covariance=full.from_matrices(matrices[:, :1]),
    )
    return with_draws(replace(prior, model=replace(prior.model, family=full)), to_numpy(average))


def covariances_of_means(rule: Any, mixtures: Mixture) -> Array:
    """Return the prior covariances of component means given their covariances, (S, K, D, D)."""
    shape = mixtures.means.shape
    moved = [
        rule.means_from_noise(jnp.broadcast_to(unit, shape), mixtures.covariance) - rule.mean
        for unit in jnp.eye(shape[-1])
    ]
    factors = jnp.stack(moved, axis=-1)
    return factors @ factors.swapaxes(-1, -2)


def positions_of(model: Model, columns: Any) -> list[int]:
    """Return the positions of columns given by names or positions, or of a single one."""
    is_single = isinstance(columns, str) or not isinstance(columns, Iterable)
    return positions(model, [columns] if is_single else columns)


def axis_ends(rows: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return the ends of axes (d, 2) that hold rows (N, d) and predicted ones, with a margin."""
    lower = np.minimum(np.nanmin(rows, 0), predicted.min(0))
    upper = np.maximum(np.nanmax(rows, 0), predicted.max(0))
    margin = MARGIN * (upper - lower)
    return np.stack([lower - margin, upper + margin], 1)
