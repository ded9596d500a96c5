"""Settings of all tests. JAX reads its settings from the environment when it loads, so later than this."""

import os
from pathlib import Path

import pytest

# Programs that several modules, processes, runs or checkouts need are compiled once: two thirds of the time.
CACHES = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
COMPILED = CACHES / "bayesgmm" / "compiled-for-tests"
MAPS, MOST_MAPS = Path("/proc/self/maps"), 20_000
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(COMPILED))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")


@pytest.fixture(autouse=True)
def _global_settings_untouched():
    """No test and nothing it calls may change the process-wide settings of JAX."""
    import jax

    before = dict(jax.config.values)
    yield
    assert dict(jax.config.values) == before


@pytest.fixture(autouse=True, scope="module")
def _compiled_programs_dropped():
    """A process that keeps thousands of programs runs out of memory maps, 65,530, and is killed."""
    yield
    if not MAPS.exists() or len(MAPS.read_bytes().splitlines()) > MOST_MAPS:
        import jax

        jax.clear_caches()
