"""From log w_k + log N(x | k) to responsibilities, for a chunk of rows.

Mixtures lie side by side on one leading axis, all of the same K; or as ``Lanes`` on one flat axis.
"""

import jax
import jax.numpy as jnp
from jax import Array

from .lanes import Lanes


def clamped(log_joint: Array, labels: Array | None, lanes: Lanes | None = None) -> Array:
    """Rule out all other components for rows whose component is known, (B, K, n)."""
    if labels is None:
        return log_joint
    component = jnp.arange(log_joint.shape[1]) if lanes is None else lanes.component
    possible = (labels < 0) | (labels == component[:, None])
    return jnp.where(possible, log_joint, -jnp.inf)


def normalise(log_joint: Array, weights: Array, lanes: Lanes | None = None) -> tuple[Array, Array]:
    """Return weighted log densities summed over rows (B,) and weighted responsibilities (B, K, n).

    With lanes the joint densities are (1, W, n) and there is a log density for each lane and one
    more, of no meaning, (L + 1,).
    """
    if lanes is not None:
        return normalise_lanes(log_joint, weights, lanes)
    highest = jax.lax.stop_gradient(log_joint.max(1))
    exponentials = jnp.exp(log_joint - highest[:, None])
    total = exponentials.sum(1)
    log_density = jnp.log(total) + highest
    return log_density @ weights, exponentials * (weights / total)[:, None]


def normalise_lanes(log_joint: Array, weights: Array, lanes: Lanes) -> tuple[Array, Array]:
    """Normalise within each lane."""
    highest = lanes.highest(log_joint[0])
    exponentials = jnp.exp(log_joint[0] - highest[lanes.lane])
    total = lanes.total(exponentials)
    log_density = jnp.log(total) + highest
    return log_density @ weights, (exponentials * (weights / total)[lanes.lane])[None]
