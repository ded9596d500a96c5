"""Double precision as a local matter.

JAX computes in single precision unless a process-wide setting says otherwise. That setting
belongs to the user; here it is raised inside one thread and one call only, and every array is
handed back as NumPy so that no double-precision JAX array outlives the block.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import jax
import numpy as np


def in_float64[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Run ``function`` with 64-bit JAX types in the calling thread only."""

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with jax.enable_x64(True):
            return function(*args, **kwargs)

    return wrapped


def to_numpy(tree: Any) -> Any:
    """Return the same tree with every array copied out of JAX."""
    return jax.tree.map(np.asarray, tree)
