"""What a covariance family must provide, and the arithmetic all families share."""

from collections.abc import Callable
from typing import Any, Protocol

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from ..mixture import Mixture, Statistics


class ConjugatePrior(Protocol):
    """Normal-inverse-gamma/Wishart prior of one family: a record of arrays with four verbs.

    Attributes:
        mean: prior mean of the component means, (D,); after ``update`` (..., K, D).
        mean_precision: kappa, prior rows behind that mean, (); after ``update`` (..., K).
        degrees_of_freedom: nu, (); after ``update`` (..., K), for tied (...).
        scale: scale of the covariances, in the shape of the family.
    """

    @property
    def mean(self) -> Array:
        """See the class."""

    @property
    def mean_precision(self) -> Array:
        """See the class."""

    @property
    def degrees_of_freedom(self) -> Array:
        """See the class."""

    @property
    def scale(self) -> Array:
        """See the class."""

    def with_scale(self, scale: Array) -> Any:
        """Return the prior at another scale."""

    def update(self, statistics: Statistics) -> Any:
        """Return the conjugate posterior given statistics."""

    def draw(self, key: Array, shape: tuple[int, ...]) -> tuple[Array, Any]:
        """Draw (means, covariance) with leading axes ``shape``, the last of them components."""

    def draw_raw(self, key: Array, shape: tuple[int, ...]) -> Array:
        """Draw the unconstrained coordinates of the covariances of ``draw``."""

    def mode(self) -> tuple[Array, Any]:
        """Return (means, covariance) of highest joint density."""

    def log_normaliser(self) -> Array:
        """Return the logarithm of the normalising constant, (...)."""

    def log_density(self, means: Array, covariance: Any) -> Array:
        """Return the joint log density of all components, summed over K, (...)."""

    def covariance_mode(self) -> Any:
        """Return the covariance of highest density, the means summed out."""

    def log_covariance_density(self, covariance: Any) -> Array:
        """Return the log density of the covariances, summed over K, (...)."""

    def covariance_entropy(self) -> Array:
        """Return the differential entropy of one covariance in nats, ()."""

    def raw_shape(self, n_components: int) -> tuple[int, ...]:
        """Return the shape of the unconstrained coordinates of the covariance."""

    def raw_log_density(self, raw: Array) -> Array:
        """Return the log density of those coordinates, summed, ()."""

    def covariance_from_raw(self, raw: Array) -> Any:
        """Map unconstrained coordinates to the covariance."""

    def raw_from_covariance(self, covariance: Any) -> Array:
        """Map the covariance to unconstrained coordinates."""


class Family(Protocol):
    """A covariance structure. Instances are static, hashable and hold no arrays.

    Attributes:
        name: scikit-learn's name of the structure.
        record: the covariance record of this family.
    """

    @property
    def name(self) -> str:
        """See the class."""

    @property
    def record(self) -> type:
        """See the class."""

    def n_features(self, n_columns: int) -> int:
        """Return F, the length of the feature vector T(x)."""

    def n_covariance_parameters(self, n_components: int, n_columns: int) -> int:
        """Return the number of free covariance parameters."""

    def features(self, columns: Array) -> Array:
        """Return T(x) for columns (D, n), giving (F, n)."""

    def natural(self, mixture: Mixture) -> Array:
        """Return eta with <T(x), eta_k> = log w_k + log N(x | k), (..., K, F)."""

    def statistics(self, sums: Array, n_columns: int) -> Statistics:
        """Unpack weighted feature sums (..., K, F) into centred statistics."""

    def residuals(self, mixture: Mixture, columns: Array) -> Array:
        """Return whitened residuals W_k (x - mu_k), (..., K, D, n)."""

    def statistics_about(
        self, mixture: Mixture, counts: Array, first: Array, second: Array
    ) -> Statistics:
        """Turn whitened moments about the means of ``mixture`` into centred statistics."""

    def second_moment(self, responsibilities: Array, residuals: Array) -> Array:
        """Return the weighted second moment of residuals (..., K, D, n) in the family's shape."""

    def scatter_about(self, statistics: Statistics, means: Array) -> Array:
        """Return the scatter about given means (..., K, D), in the shape of the family."""

    def combine(self, one: Statistics, other: Statistics) -> Statistics:
        """Return the statistics of two groups of rows together."""

    def column_scatter(self, statistics: Statistics) -> Array:
        """Return the scatter of each column, (..., K, D)."""

    def scatter_from_matrices(self, matrices: Array) -> Array:
        """Return dense scatter (..., K, D, D) in the shape of the family."""

    def half_log_det(self, mixture: Mixture) -> Array:
        """Return half the log determinants of the covariances, (..., K)."""

    def tightness(self, mixture: Mixture) -> Array:
        """Return the factor by which the product form loses digits, (..., K).

        With p_j the diagonal of the precision, (sum_j |mu_j| sqrt(p_j))^2 bounds the terms that
        cancel in the quadratic form; it does not depend on the units of single columns.
        """

    def is_singular(self, mixture: Mixture) -> Array:
        """Say which covariances are singular to rounding, (..., K)."""

    def maximise(self, statistics: Statistics, ridge: ArrayLike, last: Any = None) -> Any:
        """Return the covariance of the M-step, ``ridge`` added to each component's diagonal.

        Args:
            statistics: weighted moments, (..., K, ...).
            ridge: in units of a covariance.
            last: the covariance they were computed at, if any: where a search goes on.
        """

    def scale_by(self, covariance: Any, factor: Any) -> Any:
        """Return the covariance of the data multiplied by ``factor``."""

    def matrices(self, mixture: Mixture) -> Array:
        """Return dense covariance matrices, (..., K, D, D)."""

    def factors(self, mixture: Mixture) -> Array:
        """Return the lower Cholesky factors of ``matrices``, never squared, (..., K, D, D)."""

    def covariances(self, mixture: Mixture) -> Array:
        """Return the covariances in the shape of the scatter: what a row adds to it on average."""

    def from_matrices(self, matrices: Any) -> Any:
        """Return the covariance record of dense matrices: (..., K, D, D), for tied (..., D, D)."""

    def prior_scale(self, per_column: Any) -> Any:
        """Return the inverse-Wishart/gamma scale built from squared column scales (D,)."""

    def default_degrees_of_freedom(self, n_columns: int) -> float:
        """Return the weakest prior degrees of freedom whose covariance has a mean."""

    def lowest_degrees_of_freedom(self, n_columns: int) -> float:
        """Return the bound above which degrees of freedom must lie."""

    def prior(self, mean: Any, mean_precision: Any, degrees_of_freedom: Any, scale: Any) -> Any:
        """Build the family's conjugate prior."""


# Standard deviations below this, in units of the data's own spread, are rounding, not shape.
SMALLEST_SCALE = 1e-14


def log_constant(family: Family, mixture: Mixture) -> Array:
    """Return log w_k - D/2 log 2 pi - half log det Sigma_k, (..., K)."""
    n_columns = mixture.means.shape[-1]
    return mixture.log_weights - n_columns / 2 * jnp.log(2 * jnp.pi) - family.half_log_det(mixture)


def centre(
    counts: Array, first: Array, second: Array, reference: Array | float, square: Callable
) -> Statistics:
    """Move weighted moments about a reference to the weighted mean (the parallel-axis theorem).

    Args:
        counts: (..., K).
        first: weighted sums of x - reference, (..., K, D).
        second: weighted squares of x - reference, in the shape of the family.
        reference: (..., K, D).
        square: v -> v v^T in the shape of the family.
    """
    # scikit-learn's floor: keeps an empty component at its reference instead of at NaN.
    safe = counts + 10 * jnp.finfo(counts.dtype).eps
    shift = first / safe[..., None]
    grown = safe.reshape(safe.shape + (1,) * (second.ndim - safe.ndim))
    return Statistics(counts, reference + shift, second - grown * square(shift))


def moved_scatter(statistics: Statistics, means: Array, square: Callable) -> Array:
    """Return the scatter about other means (the parallel-axis theorem)."""
    counts = statistics.counts
    grown = counts.reshape(counts.shape + (1,) * (statistics.scatter.ndim - counts.ndim))
    return statistics.scatter + grown * square(statistics.means - means)


def combined(one: Statistics, other: Statistics, square: Callable) -> Statistics:
    """Join two groups of rows (Chan, Golub & LeVeque 1983, The American Statistician 37, 242-247)."""
    counts = one.counts + other.counts
    share = other.counts / jnp.maximum(counts, jnp.finfo(counts.dtype).tiny)
    offset = other.means - one.means
    factor = one.counts * share
    grown = factor.reshape(factor.shape + (1,) * (one.scatter.ndim - factor.ndim))
    return Statistics(
        counts,
        one.means + share[..., None] * offset,
        one.scatter + other.scatter + grown * square(offset),
    )


def posterior_mean_update(prior: Any, statistics: Statistics) -> tuple[Array, Array, Array, Array]:
    """Return kappa_n, mean_n, the shrinkage kappa n / kappa_n, and the offset of the mean.

    Murphy (2007), Conjugate Bayesian analysis of the Gaussian distribution, equations 251-256.
    """
    precision = prior.mean_precision + statistics.counts
    offset = statistics.means - prior.mean
    mean = prior.mean + (statistics.counts / precision)[..., None] * offset
    return precision, mean, prior.mean_precision * statistics.counts / precision, offset
