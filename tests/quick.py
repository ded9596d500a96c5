"""Compiling fast for runs of a few rows, which take less time than their compilation."""

import contextlib

import jax


@contextlib.contextmanager
def quick_compilation():
    """Compile without optimisation."""
    name = "jax_disable_most_optimizations"
    before = jax.config.values[name]
    jax.config.update(name, True)
    try:
        yield
    finally:
        jax.config.update(name, before)
