"""A repair for packages that were loaded twice.

ArviZ leaves a lazy stand-in for NumPyro in ``sys.modules``. A later ``import numpyro.distributions``
then runs that package twice, and the second copy lacks as attributes the submodules that the first
one loaded, among them one that NumPyro's own ``factor`` reaches for.
"""

import sys


def bind_submodules(package: str) -> None:
    """Give a loaded package those of its loaded submodules that it lacks as attributes."""
    for name, module in list(sys.modules.items()):
        parent, _, child = name.rpartition(".")
        if parent == package and not hasattr(sys.modules[package], child):
            setattr(sys.modules[package], child, module)
