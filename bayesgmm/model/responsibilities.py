"""From log w_k + log N(x | k) to responsibilities, for a chunk of rows."""

import jax
import jax.numpy as jnp
from jax import Array


def clamped(log_joint: Array, labels: Array | None) -> Array:
    """Rule out all other components for rows whose component is known, (B, K, n)."""
    if labels is None:
        return log_joint
    possible = (labels < 0) | (labels == jnp.arange(log_joint.shape[1])[:, None])
    return jnp.where(possible, log_joint, -jnp.inf)


def normalise(log_joint: Array, weights: Array) -> tuple[Array, Array]:
    """Return weighted log densities summed over rows (B,) and weighted responsibilities (B, K, n)."""
    highest = jax.lax.stop_gradient(log_joint.max(1))
    exponentials = jnp.exp(log_joint - highest[:, None])
    total = exponentials.sum(1)
    log_density = jnp.log(total) + highest
    return log_density @ weights, exponentials * (weights / total)[:, None]
