r"""Rotating the axes of several covariance matrices to those of least cost.

The cost is a function of log prod_l (D^T S_k D)_ll. A turn has two parts:

* A sweep over all planes of two axes, in the manner of Flury & Gautschi (1986, SIAM Journal on
  Scientific and Statistical Computing 7, 169-184). Rotating axes i and j by theta makes the product
  of their two spreads

      det_k + (x_k sin 2 theta - y_k cos 2 theta)^2

  with x_k half the difference of the spreads, y_k the entry between them and det_k the determinant
  of the 2 x 2 block. The best is taken of the angles at which single components have their own
  axes, which lie in every basin, and of the minimum of a bound that is quadratic in the entries (the
  cost is concave in their squares), which never fails.
* Newton's step in all angles together, with absolute values of the Hessian's eigenvalues
  (Greenstadt 1967, Mathematics of Computation 21, 360-367), shortened where that is better. Where
  the S_k have no axes in common planes pull at each other, and sweeps alone take hundreds.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .base import finite

# A turn that gains less, in nats per row and relative to the cost, is the last.
TOLERANCE = 1e-13
MOST_TURNS = 500
LENGTHS = (0.0, 0.125, 0.25, 0.5, 1.0)
FLATTEST = 1e-10

type Cost = Callable[[Array], Array]


class Turning(NamedTuple):
    """Axes on their way.

    Attributes:
        axes: columns are axes, (D, D).
        turned: D^T S_k D, (K, D, D).
        cost: of these axes, in nats per row, ().
        gain: of the last turn, ().
        turn: number of turns, ().
    """

    axes: Array
    turned: Array
    cost: Array
    gain: Array
    turn: Array


def descend(cost: Cost, matrices: Array, axes: Array) -> Turning:
    """Take turns from axes (D, D) until nothing is gained.

    Args:
        cost: function of the log products of the spreads, (K,), in nats per row.
        matrices: S_k, (K, D, D).
        axes: where to start, (D, D).
    """
    planes = np.stack(np.triu_indices(len(axes), 1), -1)

    def turn(turning: Turning) -> Turning:
        swept, _ = jax.lax.scan(partial(turn_plane, cost), (turning.axes, turning.turned), planes)
        axes, turned = newton_turn(cost, *swept)
        value = cost(log_products(turned))
        return Turning(axes, turned, value, turning.cost - value, turning.turn + 1)

    def goes_on(turning: Turning) -> Array:
        least = TOLERANCE * (1 + jnp.abs(turning.cost))
        return (turning.gain > least) & (turning.turn < MOST_TURNS)

    turned = along(axes, matrices)
    value = cost(log_products(turned))
    unknown = jnp.full_like(value, jnp.inf if len(planes) else 0.0)
    return jax.lax.while_loop(goes_on, turn, Turning(axes, turned, value, unknown, jnp.int32(0)))


def turn_plane(
    cost: Cost, pair: tuple[Array, Array], plane: Array
) -> tuple[tuple[Array, Array], None]:
    """Rotate axes, and what was turned into them, in one plane by the best angle found."""
    axes, turned = pair
    spreads, block = diagonal(turned), turned[:, plane[:, None], plane]
    x, y = (block[:, 0, 0] - block[:, 1, 1]) / 2, block[:, 0, 1]
    determinant = jnp.maximum(block[:, 0, 0] * block[:, 1, 1] - y**2, 0.0)
    rest = log_of(spreads).sum(-1) - log_of(spreads[:, plane]).sum(-1)

    def products(angle: Array) -> Array:
        return determinant + (x * jnp.sin(2 * angle) - y * jnp.cos(2 * angle)) ** 2

    own = jnp.arctan2(2 * x * y, x**2 - y**2) / 4
    here = products(jnp.zeros((), x.dtype))
    pull = jax.grad(cost)(rest + log_of(here)) / floored(here)
    bound = jnp.arctan2(pull @ (2 * x * y), pull @ (x**2 - y**2)) / 4
    angles = jnp.stack([jnp.zeros_like(bound), bound, *own])
    costs = jax.vmap(lambda angle: cost(rest + log_of(products(angle))))(angles)
    angle = angles[jnp.argmin(finite(costs))]
    return rotated(axes, turned, plane_rotation(angle, plane, len(axes))), None


def plane_rotation(angle: Array, plane: Array, size: int) -> Array:
    """Return the rotation by an angle in a plane of two axes, (D, D)."""
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    block = jnp.stack([jnp.stack([cosine, -sine]), jnp.stack([sine, cosine])])
    return jnp.eye(size, dtype=block.dtype).at[plane[:, None], plane].set(block)


def newton_turn(cost: Cost, axes: Array, turned: Array) -> tuple[Array, Array]:
    """Take the best part of Newton's step in all angles, or none of it."""
    gradient, hessian = derivatives(cost, turned)
    values, vectors = jnp.linalg.eigh(hessian)
    step = -vectors @ (vectors.T @ gradient / jnp.maximum(jnp.abs(values), FLATTEST))
    # At the edge, where a component is flat along an axis, there are no derivatives.
    step = jnp.where(jnp.isfinite(step).all(), step, 0.0)
    steps = jnp.asarray(LENGTHS, step.dtype)[:, None] * step
    rotations = jax.vmap(partial(rotation_of, len(axes)))(steps)
    costs = jax.vmap(lambda rotation: cost(log_products(along(rotation, turned))))(rotations)
    return rotated(axes, turned, rotations[jnp.argmin(finite(costs))])


def derivatives(cost: Cost, turned: Array) -> tuple[Array, Array]:
    """Return gradient (P,) and Hessian (P, P) of the cost in the angles of the P planes, at zero.

    Axes times exp(A), A skew, have spreads t_l + 2 (T A)_ll + (A^T T A + T A A)_ll to second order.
    """
    first, second = np.triu_indices(turned.shape[-1], 1)
    spreads, logs = floored(diagonal(turned)), log_products(turned)
    pull, bend = jax.grad(cost)(logs), jax.hessian(cost)(logs)
    ratios = turned / spreads[:, None, :]
    slopes = 2 * (ratios[:, first, second] - ratios[:, second, first])
    same = jnp.einsum("k,kac,kb->acb", pull, turned, 1 / spreads)
    same -= 2 * jnp.einsum("k,kab,kcb->acb", pull, ratios, ratios)
    mixed = jnp.tensordot(pull, ratios, 1)

    def entries(a: Any, b: Any, c: Any, d: Any) -> Array:
        """Coefficients of A_ab A_cd."""
        return (b == d) * same[a, c, b] + (b == c) * mixed[a, d]

    i, j = first[:, None], second[:, None]
    forward = entries(i, j, first, second) - entries(i, j, second, first)
    backward = entries(j, i, second, first) - entries(j, i, first, second)
    half = forward + backward
    return pull @ slopes, half + half.T + slopes.T @ bend @ slopes


def rotation_of(size: int, angles: Array) -> Array:
    """Return a rotation that agrees with exp(A) to third order, A skew with these entries, (D, D)."""
    upper = jnp.zeros((size, size), angles.dtype).at[np.triu_indices(size, 1)].set(angles)
    skew = upper - upper.T
    return jnp.linalg.qr(jnp.eye(size, dtype=angles.dtype) + skew + skew @ skew / 2)[0]


def rotated(axes: Array, turned: Array, rotation: Array) -> tuple[Array, Array]:
    """Rotate axes and what was turned into them."""
    return axes @ rotation, along(rotation, turned)


def along(axes: Array, matrices: Array) -> Array:
    """Return D^T S D for axes (..., D, D) and matrices (..., D, D)."""
    return jnp.swapaxes(axes, -1, -2) @ matrices @ axes


def diagonal(matrices: Array) -> Array:
    """Return the diagonals of (..., D, D), (..., D)."""
    return jnp.diagonal(matrices, axis1=-2, axis2=-1)


def log_products(matrices: Array) -> Array:
    """Return the log products of the diagonals of (..., D, D), (...)."""
    return log_of(diagonal(matrices)).sum(-1)


def log_of(values: Array) -> Array:
    """Return logarithms with a floor, which keeps the search going where a component is flat."""
    return jnp.log(floored(values))


def floored(values: Array) -> Array:
    """Keep values away from zero."""
    return jnp.maximum(values, jnp.finfo(values.dtype).tiny)
