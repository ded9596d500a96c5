"""Structures whose axes need no search: spheres, columns, axes of its own for every component."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from ...mixture import Diagonal, Full, Spherical, Statistics
from .base import Sharing, own_matrices, safe_counts


@dataclass(frozen=True)
class Spheres:
    """One variance in all directions: EII, VII."""

    sharing: Sharing

    def n_covariance_parameters(self, n_components: int, n_columns: int) -> int:
        """Return 1 or K."""
        del n_columns
        return self.sharing.n_parameters(n_components, 1)

    def maximise(self, statistics: Statistics, ridge: ArrayLike, last: Any = None) -> Spherical:
        """Return the standard deviations."""
        del last
        counts = safe_counts(statistics)
        spreads = statistics.scatter / (counts * statistics.means.shape[-1]) + ridge
        return Spherical(jnp.sqrt(self.sharing.variances(counts, spreads[..., None])[..., 0]))


@dataclass(frozen=True)
class AlongColumns:
    """Axes along the columns: EEI, VEI, EVI, VVI."""

    sharing: Sharing

    def n_covariance_parameters(self, n_components: int, n_columns: int) -> int:
        """Return the number of variances."""
        return self.sharing.n_parameters(n_components, n_columns)

    def maximise(self, statistics: Statistics, ridge: ArrayLike, last: Any = None) -> Diagonal:
        """Return the standard deviations."""
        del last
        counts = safe_counts(statistics)
        spreads = statistics.scatter / counts[..., None] + ridge
        return Diagonal(jnp.sqrt(self.sharing.variances(counts, spreads)))


@dataclass(frozen=True)
class OwnAxes:
    """Axes of its own for every component: EEV, VEV, EVV.

    They are the eigenvectors of S_k, in the order of the eigenvalues (Celeux & Govaert 1995,
    section 2.3).
    """

    sharing: Sharing

    def n_covariance_parameters(self, n_components: int, n_columns: int) -> int:
        """Return the number of variances and K D(D-1)/2 angles."""
        n_angles = n_components * n_columns * (n_columns - 1) // 2
        return self.sharing.n_parameters(n_components, n_columns) + n_angles

    def maximise(self, statistics: Statistics, ridge: ArrayLike, last: Any = None) -> Full:
        """Return the Cholesky factors."""
        del last
        spreads, axes = jnp.linalg.eigh(own_matrices(statistics, ridge))
        variances = self.sharing.variances(safe_counts(statistics), without_rounding(spreads))
        return full_along(axes, variances)


@dataclass(frozen=True)
class Unconstrained:
    """A covariance matrix of its own for every component: VVV."""

    def n_covariance_parameters(self, n_components: int, n_columns: int) -> int:
        """Return K D(D+1)/2."""
        return n_components * n_columns * (n_columns + 1) // 2

    def maximise(self, statistics: Statistics, ridge: ArrayLike, last: Any = None) -> Full:
        """Return the Cholesky factors of scatter / count + ridge I."""
        del last
        return Full(jnp.linalg.cholesky(own_matrices(statistics, ridge)))


def without_rounding(spreads: Array) -> Array:
    """Set spreads (..., D) that are rounding beside the largest to zero."""
    rounding = 8 * spreads.shape[-1] * jnp.finfo(spreads.dtype).eps * spreads.max(-1, keepdims=True)
    return jnp.where(spreads > rounding, spreads, 0.0)


def full_along(axes: Array, variances: Array) -> Full:
    """Return the record of variances (..., K, D) along the columns of axes (..., K, D, D)."""
    matrices = (axes * variances[..., None, :]) @ jnp.swapaxes(axes, -1, -2)
    return Full(jnp.linalg.cholesky(matrices))
