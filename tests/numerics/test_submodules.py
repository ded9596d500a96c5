"""NumPyro works after ArviZ has left its lazy stand-in behind."""

import subprocess
import sys

PROGRAM = """
import arviz
import numpyro.distributions
import numpyro
import bayesgmm.engines.numpyro_model
from numpyro.infer.util import log_density
log_density(lambda: numpyro.factor("half", -0.5), (), {}, {})
"""


def test_numpyro_is_whole_after_arviz() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
