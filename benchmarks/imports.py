"""What ``import bayesgmm`` costs beside ``import jax``, and what it loads.

Fresh processes in turn, each timed as a whole, interpreter start included.

    uv run python benchmarks/imports.py [--quick]
"""

import argparse
import json

import numpy as np
from timing import HEADER, alternate_fresh, fresh_output

HEAVY = ("numpyro", "arviz", "matplotlib", "sklearn", "pandas", "xarray", "scipy", "tqdm")
TARGET = 1.2

LOADED = "import json, sys; import {module}; print(json.dumps(sorted(sys.modules)))"


def modules_after(module: str) -> set[str]:
    """Return the modules present after importing one."""
    return set(json.loads(fresh_output(LOADED.format(module=module))))


def heavy_modules() -> dict[str, int]:
    """Count the modules of heavy packages that our import adds to those of JAX, by package."""
    added = modules_after("bayesgmm") - modules_after("jax")
    roots = [name.partition(".")[0] for name in added]
    return {root: roots.count(root) for root in HEAVY if root in roots}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="3 repeats instead of 9")
    n_repeats = 3 if parser.parse_args().quick else 9
    times = alternate_fresh("import bayesgmm", "import jax", n_repeats)
    ratio = np.median(times.ours) / np.median(times.theirs)
    print(f"theirs: import jax\n{HEADER}\n{times}")
    print(f"ratio of medians, ours over theirs: {ratio:.2f}, target <= {TARGET}")
    print(f"heavy modules beyond those of jax: {heavy_modules() or 'none'}")


if __name__ == "__main__":
    main()
