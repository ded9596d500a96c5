"""Gamma variates, all at once.

``jax.random.loggamma`` runs one rejection loop after the other on a CPU; here one loop serves the
whole array, which is several times faster for the few hundred variates of a sweep.
(Marsaglia & Tsang 2000, ACM Transactions on Mathematical Software 26, 363-372.)
"""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

# Candidates per round: one is accepted with probability above 0.95, so that with two a round
# mostly serves the whole array.
CANDIDATES = 2


def draw_log_gamma(key: Array, shape_parameter: ArrayLike) -> Array:
    """Draw logarithms of standard gamma variates, in the shape of their parameters (> 0).

    Parameters that are not finite give NaN.
    """
    a = jnp.asarray(shape_parameter)
    smallest = jnp.finfo(a.dtype).tiny
    # Below one: a gamma(a + 1) variate times U^(1/a), added in logarithms so that it never underflows.
    raised = jnp.where(a < 1, a + 1, a)
    d = raised - 1 / 3
    c = 1 / jnp.sqrt(9 * d)

    def uniforms(attempt: Array, n: int) -> Array:
        stream = jax.random.fold_in(key, attempt)
        return jax.random.uniform(stream, (n, *a.shape), a.dtype, minval=smallest)

    def unfinished(carry: tuple[Array, Array, Array]) -> Array:
        return ~carry[2].all()

    def attempt(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        number, value, done = carry
        drawn = uniforms(number, 2 * CANDIDATES)
        normals = jnp.sqrt(2.0) * jax.lax.erf_inv(2 * drawn[:CANDIDATES] - 1)
        cubed = (1 + c * normals) ** 3
        log_cubed = jnp.log(jnp.where(cubed > 0, cubed, 1.0))
        bound = normals**2 / 2 + d * (1 - cubed + log_cubed)
        accepted = (cubed > 0) & (jnp.log(drawn[CANDIDATES:]) < bound)
        for i in range(CANDIDATES):
            value = jnp.where(done, value, jnp.log(d) + log_cubed[i])
            done = done | accepted[i]
        return number + 1, value, done

    # No candidate is ever accepted for a parameter that is not a number.
    hopeless = ~(a < jnp.inf)
    start = (jnp.int32(1), jnp.where(hopeless, jnp.nan, 0.0).astype(a.dtype), hopeless)
    value = jax.lax.while_loop(unfinished, attempt, start)[1]
    return value + jnp.where(a < 1, jnp.log(uniforms(jnp.int32(0), 1)[0]) / a, 0.0)
