"""Kernels and parameters on their way to another process, as plain numbers, and the work done there."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ...numerics.allocator import kept_memory
from ...numerics.precision import in_float64, to_numpy
from ...numerics.streams import UNROLLED, unrolled
from ...numerics.trees import is_random_key
from ...numerics.wide import Wide, wide_sum, widened
from ..affine import Affine
from .base import Kernel
from .blocks import Cut, sum_blocks


class SentKeys(NamedTuple):
    """Random keys as numbers, and whether their code is unrolled."""

    numbers: np.ndarray
    is_unrolled: bool


class Message(NamedTuple):
    """What a worker is told about a pass.

    Attributes:
        kernel: what is added up.
        parameters: its parameters as NumPy arrays, keys as ``SentKeys``.
        affine: map to engine units.
        cut: how blocks are cut.
    """

    kernel: Kernel
    parameters: Any
    affine: Affine
    cut: Cut


def sent(parameters: Any) -> Any:
    """Return parameters as NumPy arrays."""
    return jax.tree.map(plain, parameters)


def plain(leaf: Any) -> Any:
    """Return an array as one of NumPy, keys as numbers."""
    if not is_random_key(leaf):
        return np.asarray(leaf)
    return SentKeys(to_numpy(jax.random.key_data(leaf)), jax.random.key_impl(leaf) == UNROLLED)


def received(parameters: Any) -> Any:
    """Invert ``sent``."""

    def back(leaf: Any) -> Any:
        if not isinstance(leaf, SentKeys):
            return leaf
        keys = jax.random.wrap_key_data(jnp.asarray(leaf.numbers))
        return unrolled(keys) if leaf.is_unrolled else keys

    return jax.tree.map(back, parameters, is_leaf=lambda leaf: isinstance(leaf, SentKeys))


@in_float64
def sums_of_chunks(message: Message, chunks: list[np.ndarray], firsts: list[int]) -> Wide:
    """Add up a kernel over chunks of rows, (n, D) each; NumPy arrays that do not tell how chunks were bundled.

    Args:
        message: what is asked.
        chunks: the rows.
        firsts: number of the first row of each chunk.
    """
    parameters = jax.device_put(received(message.parameters))
    with kept_memory():
        parts = [
            widened(sums_of_chunk(message, parameters, rows, first))
            for rows, first in zip(chunks, firsts, strict=True)
        ]
    return wide_sum(parts)


def sums_of_chunk(message: Message, parameters: Any, rows: np.ndarray, first: int) -> Any:
    """Add up a kernel over rows (n, D), the first of them number ``first``; NumPy arrays."""

    def read(size: int) -> Any:
        return (rows[start : start + size] for start in range(0, len(rows), size))

    sums = sum_blocks(message.kernel, parameters, message.affine, read, message.cut, first)
    return to_numpy(sums)


def itself(message: Message) -> Message:
    """Return the message."""
    return message
