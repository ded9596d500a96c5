r"""One shape and a volume for each component: VEI, VEV, and VEE where the axes are one as well.

Sigma_k = v_k M, M a matrix or variances. Given weights e^{u_k} of the components, the best common form
is M = sum_k n_k e^{u_k} S_k, and what is left to minimise,

    n log det M(u) - D sum_k n_k u_k,

is convex in u: det M is a polynomial in e^{u_k} with coefficients >= 0. With the whitened parts
P_k = n_k e^{u_k} M^{-1/2} S_k M^{-1/2}, which add up to the identity, its gradient is
n tr P_k - D n_k and its Hessian n [diag(tr P_k) - tr(P_k P_l)]. Each turn takes the better of Newton's
step and of that of Celeux & Govaert (1995, sections 2.2 and 2.3), which gives every component its
best volume for the present M: it never fails, but slows down where components share few directions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from ....numerics.linalg import cholesky, half_log_det, whitening
from ...mixture import Full, Statistics
from .base import finite, own_matrices, safe_counts, shares

# A turn that gains less, in nats per row and relative to the cost, is the last.
TOLERANCE = 1e-13
MOST_TURNS = 500


@dataclass(frozen=True)
class ShapeShared:
    """Variances in the same proportions in all components: VE."""

    def n_parameters(self, n_components: int, n_columns: int) -> int:
        """Return K + D - 1."""
        return n_components + n_columns - 1

    def variances(self, counts: Array, spreads: Array) -> Array:
        """Return volumes times the common variances."""
        scaled = jnp.vectorize(scaled_variances, signature="(k),(k,d)->(k,d)")
        return scaled(shares(counts), spreads)


@dataclass(frozen=True)
class FormShared:
    """The same covariance matrix in all components, but for its volume: VEE."""

    def n_covariance_parameters(self, n_components: int, n_columns: int) -> int:
        """Return K - 1 + D(D+1)/2."""
        return n_components - 1 + n_columns * (n_columns + 1) // 2

    def maximise(self, statistics: Statistics, ridge: ArrayLike, last: Any = None) -> Full:
        """Return the Cholesky factors of volumes times the common matrix."""
        del last
        scaled = jnp.vectorize(scaled_factors, signature="(k),(k,d,d)->(k,d,d)")
        return Full(scaled(shares(safe_counts(statistics)), own_matrices(statistics, ridge)))


class Pool(NamedTuple):
    """The common form of weighted parts.

    Attributes:
        log_det: log det M, ().
        traces: tr P_k, (K,).
        products: tr(P_k P_l), (K, K).
    """

    log_det: Array
    traces: Array
    products: Array


class Search(NamedTuple):
    """Log weights (K,), the gain of the last turn in nats per row (), and turns taken ()."""

    log_weights: Array
    gain: Array
    turn: Array


def scaled_variances(share: Array, spreads: Array) -> Array:
    """Return v_k M for shares (K,) of the rows and spreads (K, D)."""
    weights = best_weights(share, spreads.mean(-1), spreads.shape[-1], spreads, pool_variances)
    common = weights @ spreads
    return (spreads / common).mean(-1, keepdims=True) * common


def scaled_factors(share: Array, matrices: Array) -> Array:
    """Return the factors of v_k M for shares (K,) of the rows and matrices (K, D, D)."""
    size = matrices.shape[-1]
    sizes = jnp.trace(matrices, axis1=-2, axis2=-1) / size
    weights = best_weights(share, sizes, size, matrices, pool_matrices)
    chol = cholesky(jnp.tensordot(weights, matrices, 1))
    volumes = jnp.trace(whitened(chol, matrices), axis1=-2, axis2=-1) / size
    return jnp.sqrt(volumes)[:, None, None] * chol


def pool_variances(weights: Array, spreads: Array) -> Pool:
    """Pool spreads (K, D)."""
    common = weights @ spreads
    parts = weights[:, None] * spreads / common
    return Pool(jnp.log(common).sum(), parts.sum(-1), parts @ parts.T)


def pool_matrices(weights: Array, matrices: Array) -> Pool:
    """Pool matrices (K, D, D)."""
    chol = cholesky(jnp.tensordot(weights, matrices, 1))
    parts = weights[:, None, None] * whitened(chol, matrices)
    flat = parts.reshape(len(parts), -1)
    return Pool(2 * half_log_det(chol), jnp.trace(parts, axis1=-2, axis2=-1), flat @ flat.T)


def whitened(chol: Array, matrices: Array) -> Array:
    """Return M^{-1/2} S_k M^{-1/2} with the factor of M, (K, D, D)."""
    white = whitening(chol)
    return white @ matrices @ white.T


def best_weights(
    share: Array, sizes: Array, n_columns: int, parts: Array, pool: Callable[[Array, Array], Pool]
) -> Array:
    """Return n_k e^{u_k} / n at the minimum, (K,).

    Args:
        share: n_k / n, (K,).
        sizes: average spread of each component, (K,); without any, it has no say.
        n_columns: D.
        parts: S_k, (K, D) or (K, D, D).
        pool: what weights (K,) make of the parts.
    """
    has_scatter = sizes > 0
    share = jnp.where(has_scatter, share, 0.0) / (has_scatter * share).sum()
    target = n_columns * share

    def form(log_weights: Array) -> Pool:
        return pool(share * jnp.exp(log_weights), parts)

    def turn(search: Search) -> Search:
        here = search.log_weights
        steps = jnp.stack([jnp.zeros_like(here), *both_steps(form(here), target, has_scatter)])
        candidates = here + steps
        costs = finite(jax.vmap(form)(candidates).log_det - candidates @ target)
        best = jnp.argmin(costs)
        gain = (costs[0] - costs[best]) / (1 + jnp.abs(costs[best]))
        return Search(candidates[best], gain, search.turn + 1)

    def goes_on(search: Search) -> Array:
        return (search.gain > TOLERANCE) & (search.turn < MOST_TURNS)

    start = jnp.where(has_scatter, -jnp.log(sizes), 0.0)
    unknown = jnp.asarray(jnp.inf, start.dtype)
    end = jax.lax.while_loop(goes_on, turn, Search(start, unknown, jnp.int32(0)))
    return share * jnp.exp(end.log_weights)


def both_steps(form: Pool, target: Array, has_scatter: Array) -> tuple[Array, Array]:
    """Return the alternating step and Newton's, (K,) each."""
    alternating = jnp.where(has_scatter, jnp.log(target) - jnp.log(form.traces), 0.0)
    # A common factor of all weights changes nothing: the ones make its direction regular.
    diagonal = jnp.diag(jnp.where(has_scatter, form.traces, 1.0))
    newton = jnp.linalg.solve(diagonal - form.products + 1 / len(target), target - form.traces)
    return alternating, jnp.where(has_scatter, newton, 0.0)
