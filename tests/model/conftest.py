import jax
import pytest


@pytest.fixture(autouse=True)
def _double_precision():
    """Engines call these floors with 64-bit types; so do their tests, without the global switch."""
    with jax.enable_x64(True):
        yield
