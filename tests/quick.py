"""Tests in little time: the rest of a table of cases in the slow suite, and quick compilation."""

import contextlib

import jax
import pytest


def slow_after(n_quick, cases, name=str):
    """Parameters of which all after the first few run in the slow suite."""
    return [
        pytest.param(case, id=name(case), marks=[pytest.mark.slow] if index >= n_quick else [])
        for index, case in enumerate(cases)
    ]


@contextlib.contextmanager
def quick_compilation():
    """Compile without optimisation, for runs that take less time than their compilation."""
    name = "jax_disable_most_optimizations"
    before = jax.config.values[name]
    jax.config.update(name, True)
    try:
        yield
    finally:
        jax.config.update(name, before)
