"""Mixtures of Gaussians as records of arrays with free leading axes.

p(x) = sum_k w_k N(x | mu_k, Sigma_k). A point estimate has leading axes (), a posterior sample
(C, S); every function of a mixture broadcasts over them.
"""

from typing import Any, NamedTuple

from jax import Array


class Full(NamedTuple):
    """One covariance matrix per component: lower Cholesky factors, (..., K, D, D)."""

    chol: Array


class Tied(NamedTuple):
    """One covariance matrix for all components: lower Cholesky factor, (..., D, D)."""

    chol: Array


class Diagonal(NamedTuple):
    """One standard deviation per component and column, (..., K, D)."""

    scales: Array


class Spherical(NamedTuple):
    """One standard deviation per component, (..., K)."""

    scales: Array


type Covariance = Full | Tied | Diagonal | Spherical


class Mixture(NamedTuple):
    """A Gaussian mixture, or an array of them.

    Attributes:
        log_weights: logarithms of the weights, (..., K); a component that is absent has -inf.
        means: component means, (..., K, D).
        covariance: the record of one covariance family.
    """

    log_weights: Array
    means: Array
    covariance: Any


class Statistics(NamedTuple):
    """What every engine needs of the data: weighted moments per component.

    Attributes:
        counts: sums of responsibilities, (..., K).
        means: weighted means of the rows, (..., K, D); of no meaning where the count is zero.
        scatter: weighted scatter about those means, in the shape of the family: (..., K, D, D)
            for full and tied, (..., K, D) for diagonal, (..., K) for spherical (summed over columns).
    """

    counts: Array
    means: Array
    scatter: Array
