"""The launch of a split-merge move: two components fitted to the rows S a move is about.

A few EM updates on a sample of the rows, from a division around the anchors. The result depends on
S, the anchors, the hyperparameters and random numbers, never on how S is divided at present: that
makes it an auxiliary variable both directions of the move share.
"""

import jax
import jax.numpy as jnp
from jax import Array

from ..model.allocation import barrier
from ..model.components import Components
from ..model.families.base import Family
from ..model.mixture import Mixture, Statistics
from .group import Group

LAUNCH_UPDATES = 16
# Range of the sharpness of the starting division, in the metric of S: from soft halves to a narrow
# core around the first anchor.
LOG_SHARPNESS = 3.0
CORES = 0.25


def launch(
    keys: Array,
    family: Family,
    components: Components,
    scale: Array,
    whole: Statistics,
    group: Group,
    anchors: Array,
) -> Mixture:
    """Fit two components to S in each chain, (B, 2, ...).

    Args:
        keys: one key per chain, (B,).
        family: the covariance family.
        components: the prior of the components.
        scale: scale of the covariances' prior, (B, ...).
        whole: statistics of S, (B, 1, ...).
        group: a sample of S.
        anchors: one row of each side, (B, D, 2).
    """
    columns, inside = group
    is_shared = columns.ndim == 2
    features = family.features(columns) if is_shared else jax.vmap(family.features)(columns)
    # XLA's product of two wide matrices over their long axis is several times slower than this one.
    by_row = barrier(jnp.swapaxes(features, -1, -2))
    # The sample stands for all rows of S, so that the prior counts for what it counts there.
    growth = whole.counts / jnp.maximum(inside.sum(-1), 1.0)[:, None]
    means, covariance = jax.vmap(components.fit)(whole, scale)
    centre = Mixture(jnp.zeros(means.shape[:2]), means, covariance)
    white = family.residuals(centre, columns if is_shared else columns[:, None])[:, 0]
    white_anchors = family.residuals(centre, anchors[:, None])[:, 0]
    share = starting_shares(keys, white, white_anchors)

    def fit(share: Array) -> Mixture:
        weights = barrier(jnp.stack([share, 1 - share], 1) * (inside * growth)[:, None])
        statistics = family.statistics(weights @ by_row, columns.shape[-2])
        means, covariance = jax.vmap(components.fit)(statistics, scale)
        log_weights = jnp.log(statistics.counts + 1)
        log_weights -= jnp.log(statistics.counts.sum(-1, keepdims=True) + 2)
        return Mixture(log_weights, means, covariance)

    def update(_: int, share: Array) -> Array:
        log_joint = family.natural(fit(share)) @ features
        return jax.nn.sigmoid(log_joint[:, 0] - log_joint[:, 1])

    return fit(jax.lax.fori_loop(0, LAUNCH_UPDATES - 1, update, share))


def starting_shares(keys: Array, white: Array, anchors: Array) -> Array:
    """Divide S around the anchors, or into the first one's neighbourhood and the rest, (B, M).

    Args:
        keys: one key per chain, (B,).
        white: rows of the sample in the metric of S, (B, D, M).
        anchors: the anchors in that metric, (B, D, 2).
    """
    from_first, from_second = (((white - anchors[..., i, None]) ** 2).sum(1) for i in (0, 1))
    uniforms = jax.vmap(lambda key: jax.random.uniform(key, (2, 1), white.dtype))(keys)
    sharpness = jnp.exp(uniforms[:, 0] * LOG_SHARPNESS)
    is_core = uniforms[:, 1] < CORES
    core = jnp.exp(-from_first * sharpness / 2)
    return jnp.where(is_core, core, jax.nn.sigmoid((from_second - from_first) * sharpness / 2))
