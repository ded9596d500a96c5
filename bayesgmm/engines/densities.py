"""Densities of the rows under mixtures, and how they change where few components do.

A pass with all components keeps one number per row and chain. A change of some components then costs
a pass with these alone: what goes is subtracted, what comes is added. A density that falls by more
than sixteen digits is lost in rounding; no sampler accepts that.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from ..model.allocation import barrier, is_tight
from ..model.families.base import Family
from ..model.kernel import log_joint
from ..model.mixture import Mixture
from ..numerics.rows import Rows

# Beyond e^700 double precision ends.
LARGEST_EXPONENT = 700.0


class Densities(NamedTuple):
    """p(x_i) under the present mixtures, as exp(highest) * relative, (n_chunks, B, chunk) each."""

    highest: Array
    relative: Array


def densities_of(family: Family, mixture: Mixture, rows: Rows) -> Densities:
    """Return the densities of the rows under B mixtures."""
    joint_of = joint_function(family, mixture, rows)

    def chunk(columns: Array) -> Densities:
        joint = joint_of(columns)
        highest = joint.max(1)
        return Densities(highest, jnp.exp(joint - highest[:, None]).sum(1))

    return jax.lax.map(chunk, rows.values)


def joint_function(family: Family, mixture: Mixture, rows: Rows) -> Callable[[Array], Array]:
    """Return log w_k + log N(x | k), (B, K, n), as a function of columns (D, n)."""
    shape = mixture.log_weights.shape
    natural = family.natural(mixture).reshape(mixture.log_weights.size, -1)
    tight = is_tight(family, mixture, rows)

    def joint(columns: Array) -> Array:
        return jax.lax.cond(
            tight,
            lambda columns: log_joint(family, mixture, columns),
            lambda columns: (natural @ family.features(columns)).reshape(*shape, -1),
            columns,
        )

    return joint


def exchange(
    family: Family, parts: Mixture, signs: Sequence[float], rows: Rows, densities: Densities
) -> tuple[Array, Array]:
    """Compare the mixtures with those in which some components have come and others gone.

    Args:
        family: the covariance family.
        parts: the components that come or go, with their weights, (B, P, ...).
        signs: 1 for those that come, -1 for those that go, P.
        rows: the rows.
        densities: of the present mixtures.

    Returns:
        Log-likelihoods, new minus old, (B,); densities of the rows, new over old, (n_chunks, B, chunk).
    """
    changes = jnp.exp(parts.log_weights) * jnp.array(signs)
    plain = parts._replace(log_weights=jnp.zeros_like(parts.log_weights))
    joint_of = joint_function(family, plain, rows)

    def chunk(total: Array, part: Any) -> tuple[Array, Array]:
        rows, (highest, relative) = part
        exponents = jnp.minimum(joint_of(rows.values) - highest[:, None], LARGEST_EXPONENT)
        change = (changes[..., None] * jnp.exp(exponents)).sum(1)
        factor = barrier(jnp.maximum(1 + change / relative, 0.0))
        # Padding is no row, wherever a component that went had been.
        each = jnp.where(rows.weights > 0, jnp.log(factor), 0.0)
        return total + each @ rows.weights, factor

    return jax.lax.scan(chunk, jnp.zeros_like(changes[:, 0]), (rows, densities))
