r"""One orientation for all components: EVE and VVE (common principal components, Flury 1984).

With the best variances put in, what is left to minimise over the axes D depends on S_k through the
product of the diagonal of D^T S_k D alone. It has several minima. The descent (structures.descent)
starts at the axes of the pooled matrix and at those of every component, or, in an iteration of EM, at
the axes it came from, so that the likelihood cannot fall, and at the pooled ones.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from ...mixture import Full, Statistics
from .axes import full_along, without_rounding
from .base import SeparableSharing, finite, own_matrices, safe_counts, shares
from .descent import along, descend, diagonal


@dataclass(frozen=True)
class CommonAxes:
    """The same axes in all components: EVE, VVE."""

    sharing: SeparableSharing

    def n_covariance_parameters(self, n_components: int, n_columns: int) -> int:
        """Return the number of variances and D(D-1)/2 angles."""
        n_angles = n_columns * (n_columns - 1) // 2
        return self.sharing.n_parameters(n_components, n_columns) + n_angles

    def maximise(self, statistics: Statistics, ridge: ArrayLike, last: Any = None) -> Full:
        """Return the Cholesky factors."""
        counts, matrices = safe_counts(statistics), own_matrices(statistics, ridge)
        search = jnp.vectorize(
            partial(best_axes, self.sharing), signature="(k),(k,d,d),(s,d,d)->(d,d)"
        )
        axes = search(counts, matrices, starting_axes(counts, matrices, last))[..., None, :, :]
        spreads = without_rounding(diagonal(along(axes, matrices)))
        return full_along(axes, self.sharing.variances(counts, spreads))


def starting_axes(counts: Array, matrices: Array, last: Full | None) -> Array:
    """Return axes (..., S, D, D) to start from."""
    pooled = (shares(counts)[..., None, None] * matrices).sum(-3, keepdims=True)
    others = matrices if last is None else mixed(last)
    return jnp.linalg.eigh(jnp.concatenate([pooled, others], -3))[1]


def mixed(last: Full) -> Array:
    """Return a matrix (..., 1, D, D) with the axes that the last matrices have in common."""
    matrices = last.chol @ jnp.swapaxes(last.chol, -1, -2)
    sizes = jnp.trace(matrices, axis1=-2, axis2=-1)
    # Weights without a pattern: by symmetry no two axes tie, which would leave them undetermined.
    weights = jnp.sqrt(jnp.arange(2.0, sizes.shape[-1] + 2)).astype(sizes.dtype) / sizes
    return (weights[..., None, None] * matrices).sum(-3, keepdims=True)


def best_axes(sharing: SeparableSharing, counts: Array, matrices: Array, starts: Array) -> Array:
    """Return the axes (D, D) of least cost that are reached from the starts (S, D, D)."""
    cost = partial(sharing.cost, shares(counts), n_columns=matrices.shape[-1])
    ends = jax.vmap(partial(descend, cost, matrices))(starts)
    return ends.axes[jnp.argmin(finite(ends.cost))]
