r"""Random streams for long compiled loops: JAX's threefry numbers, computed in one kernel.

On a CPU ``jax.random`` rolls the 20 rounds of Threefry-2x32 into a loop of some thirty kernel
calls, which is most of the time of a sweep over a hundred rows. Here the rounds are spelled out, in
one kernel; barriers keep XLA from repeating them wherever the numbers are used. The numbers are
those of ``jax.random.key(seed)``. (Salmon, Moraes, Dror & Shaw 2011, Parallel random numbers: as easy
as 1, 2, 3.)
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.extend.random import define_prng_impl

barrier = jax.lax.optimization_barrier

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = np.uint32(0x1BD11BDA)


def threefry(key: Array, high: Array, low: Array) -> tuple[Array, Array]:
    """Encrypt counters (two 32-bit words each) with a key (2,): 20 rounds."""
    keys = (key[0], key[1], key[0] ^ key[1] ^ PARITY)
    one, other = high + keys[0], low + keys[1]
    for group in range(5):
        for shift in ROTATIONS[group % 2]:
            one = one + other
            other = one ^ ((other << np.uint32(shift)) | (other >> np.uint32(32 - shift)))
        one = one + keys[(group + 1) % 3]
        other = other + keys[(group + 2) % 3] + np.uint32(group + 1)
    return one, other


def counters(shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Return 0, 1, 2, ... as high and low words."""
    size = math.prod(shape)
    if size > np.iinfo(np.uint32).max:
        raise ValueError(
            f"Expected fewer than 2^32 numbers at once, got {size}. Draw them in parts."
        )
    low = jax.lax.iota(jnp.uint32, size).reshape(shape)
    return jnp.zeros_like(low), low


def seed(value: Array) -> Array:
    """Turn an integer into a key."""
    value = jnp.asarray(value)
    if value.dtype.itemsize < 8:
        return jnp.stack([jnp.zeros((), jnp.uint32), value.astype(jnp.uint32)])
    low = value.astype(jnp.uint32)
    return jnp.stack([(value >> 32).astype(jnp.uint32), low])


def split(key: Array, shape: tuple[int, ...]) -> Array:
    """Return independent keys, (*shape, 2)."""
    return barrier(jnp.stack(threefry(key, *counters(shape)), axis=-1))


def fold_in(key: Array, data: Any) -> Array:
    """Return the key of a number."""
    high, low = seed(jnp.asarray(data).astype(jnp.uint32))
    return barrier(jnp.stack(threefry(key, high, low)))


def random_bits(key: Array, bit_width: int, shape: tuple[int, ...]) -> Array:
    """Return random bits as unsigned integers."""
    high, low = threefry(key, *counters(shape))
    if bit_width == 64:
        return barrier((high.astype(jnp.uint64) << np.uint64(32)) | low.astype(jnp.uint64))
    kind = {8: jnp.uint8, 16: jnp.uint16, 32: jnp.uint32}[bit_width]
    return barrier((high ^ low).astype(kind))


UNROLLED = define_prng_impl(
    key_shape=(2,),
    seed=seed,
    split=split,
    random_bits=random_bits,
    fold_in=fold_in,
    name="threefry2x32_unrolled",
    tag="tfu",
)


def unrolled(key: Array) -> Array:
    """Return a threefry key, or an array of them, that draws the same numbers in unrolled code."""
    return jax.random.wrap_key_data(jax.random.key_data(key), impl=UNROLLED)
