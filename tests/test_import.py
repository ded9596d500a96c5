"""Importing the package is cheap and changes nothing."""

import subprocess
import sys

import pytest

HEAVY = ("arviz", "matplotlib", "numpyro", "pandas", "sklearn", "xarray", "scipy.stats")
PROGRAM = f"""
import sys
import bayesgmm
loaded = [name for name in {HEAVY!r} if name in sys.modules]
assert not loaded, loaded
import jax
bayesgmm.EM, bayesgmm.GaussianMixture
assert "numpyro" not in sys.modules
assert not jax.config.jax_enable_x64
"""


def test_import_loads_nothing_heavy_and_em_needs_no_numpyro() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


@pytest.mark.slow
def test_a_sweep_does_not_wait_for_scikit_learn() -> None:
    program = """
import sys
import bayesgmm as bg
rows = [[x, x * x % 7] for x in range(20)]
assert bg.select(rows, (1, 2), progress=False).best[1] in (1, 2)
assert "sklearn" not in sys.modules
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True)


def test_every_public_name_loads() -> None:
    import bayesgmm

    for name in bayesgmm.__all__:
        assert getattr(bayesgmm, name) is not None
    assert set(bayesgmm.__all__) <= set(dir(bayesgmm))
