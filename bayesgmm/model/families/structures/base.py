r"""What makes one covariance structure differ from another of the same record.

Sigma_k = lambda_k D_k A_k D_k^T with volume lambda_k, shape A_k (diagonal, of determinant one) and
orientation D_k, each equal for all components, free, or the identity (Banfield & Raftery 1993,
Biometrics 49, 803-821). The M-step minimises

    sum_k n_k [log det Sigma_k + tr(Sigma_k^-1 S_k)],    S_k = scatter_k / n_k + ridge I

(Celeux & Govaert 1995, Pattern Recognition 28, 781-793). Two things separate: the axes D_k, and the
variances lambda_k A_k along them, for which the spreads, the diagonal of D_k^T S_k D_k, suffice.
"""

from typing import Any, Protocol

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from ...mixture import Statistics


class Structure(Protocol):
    """A covariance structure. Instances are static, hashable and hold no arrays."""

    def n_covariance_parameters(self, n_components: int, n_columns: int) -> int:
        """Return the number of free covariance parameters."""

    def maximise(self, statistics: Statistics, ridge: ArrayLike, last: Any = None) -> Any:
        """Return the covariance of the M-step, NaN or singular where there is no estimate.

        ``last`` is that of ``Family.maximise``.
        """


class Sharing(Protocol):
    """What components share of the variances along their axes."""

    def n_parameters(self, n_components: int, n_columns: int) -> int:
        """Return the number of free variances."""

    def variances(self, counts: Array, spreads: Array) -> Array:
        """Return the best variances (..., K, D) given counts (..., K) and spreads (..., K, D)."""


class SeparableSharing(Sharing, Protocol):
    """A sharing whose best value depends on the products of a component's spreads alone."""

    def cost(self, counts: Array, log_products: Array, n_columns: int) -> Array:
        """Return sum_k n_k log det Sigma_k at the best variances, (...), from products (..., K)."""


def safe_counts(statistics: Statistics) -> Array:
    """Return counts (..., K) with scikit-learn's floor, which keeps empty components finite."""
    return statistics.counts + 10 * jnp.finfo(statistics.counts.dtype).eps


def shares(counts: Array) -> Array:
    """Return the share of each component in the rows, (..., K)."""
    return counts / counts.sum(-1, keepdims=True)


def own_matrices(statistics: Statistics, ridge: ArrayLike) -> Array:
    """Return S_k from scatter matrices, (..., K, D, D)."""
    identity = jnp.eye(statistics.means.shape[-1], dtype=statistics.counts.dtype)
    return statistics.scatter / safe_counts(statistics)[..., None, None] + ridge * identity


def finite(costs: Array) -> Array:
    """Make a cost that is no number the highest."""
    return jnp.where(jnp.isnan(costs), jnp.inf, costs)
