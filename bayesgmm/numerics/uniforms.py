"""Uniform numbers that are a function of a key and a place alone.

The bits are those of ``jax.random.uniform(key, (N,))``, whose number i is the hash of i under the key
(Salmon, Moraes, Dror & Shaw 2011, Threefry-2x32), so that any part of the N can be had by itself.
"""

import jax
import jax.numpy as jnp
from jax import Array
from jax.extend.random import threefry2x32_p

MANTISSA_BITS = 52


def uniforms_at(keys: Array, places: Array) -> Array:
    """Return the numbers of places under each key.

    Args:
        keys: (B,).
        places: whole numbers of any shape.

    Returns:
        Uniform on [0, 1) in double precision, (B, *shape of the places).
    """
    places = places.astype(jnp.uint64)
    high, low = (places >> 32).astype(jnp.uint32), places.astype(jnp.uint32)

    def of_key(key: Array) -> Array:
        words = (jnp.broadcast_to(word, places.shape) for word in key)
        left, right = threefry2x32_p.bind(*words, high, low)
        return unit_interval((left.astype(jnp.uint64) << 32) | right.astype(jnp.uint64))

    return jax.vmap(of_key)(jax.random.key_data(keys))


def unit_interval(bits: Array) -> Array:
    """Put the leading 52 of 64 random bits behind the point of 1.xxx, and take off the one."""
    one = jax.lax.bitcast_convert_type(jnp.float64(1), jnp.uint64)
    return jax.lax.bitcast_convert_type((bits >> (64 - MANTISSA_BITS)) | one, jnp.float64) - 1
