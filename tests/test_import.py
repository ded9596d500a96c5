"""Importing the package is cheap and changes nothing."""

import subprocess
import sys

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


def test_every_public_name_loads() -> None:
    import bayesgmm

    for name in bayesgmm.__all__:
        assert getattr(bayesgmm, name) is not None
    assert set(bayesgmm.__all__) <= set(dir(bayesgmm))
