import jax
import pytest


@pytest.fixture(autouse=True)
def _global_settings_untouched():
    """No test and nothing it calls may change the process-wide settings of JAX."""
    before = dict(jax.config.values)
    yield
    assert dict(jax.config.values) == before


@pytest.fixture(autouse=True, scope="module")
def _compiled_programs_dropped():
    """A process that keeps thousands of programs runs out of memory maps and is killed."""
    yield
    jax.clear_caches()
