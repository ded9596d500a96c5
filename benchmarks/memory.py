"""Peak memory of predictions and pointwise likelihoods on very many rows, over 4,000 draws.

    uv run python benchmarks/memory.py             # an hour on two cores
    uv run python benchmarks/memory.py --rows 20000

Every use runs in a process of its own, on the same posterior of a thousand rows: its peak is that of
the whole process, Python, JAX and the rows included.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

import bayesgmm as bg
from bayesgmm.result import Fit

N_FITTED, N_COMPONENTS, N_COLUMNS = 1_000, 5, 2
USES = ("score_samples", "predict_proba", "predict_proba, interval", "waic", "loo")
MEGABYTE = 2**10


def rows(n_rows: int) -> np.ndarray:
    """Return rows of three clusters, (N, D)."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(n_rows, N_COLUMNS)) + 4.0 * rng.integers(0, 3, (n_rows, 1))


def save_posterior(path: Path) -> None:
    """Sample 4 chains of 1,000 draws and save them."""
    spec = bg.MixtureSpec(max_components=N_COMPONENTS)
    bg.save(bg.fit(rows(N_FITTED), spec, engine=bg.Gibbs(progress=False)), path)


def measured(use: str, fit: Fit, X: np.ndarray) -> None:
    """Print what the rows take up, and time and peak of a use."""
    of_many = replace(fit, data=bg.Dataset.from_array(X))
    clusters = bg.partition(fit)
    calls: dict[str, Callable[[], object]] = {
        "score_samples": lambda: bg.log_density(fit, X),
        "predict_proba": lambda: bg.membership(fit, clusters, X),
        "predict_proba, interval": lambda: bg.membership(fit, clusters, X, 0.9),
        "waic": lambda: bg.waic(of_many),
        "loo": lambda: bg.loo(of_many),
    }
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTE
    begun = time.perf_counter()
    calls[use]()
    seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTE
    print(f"| {use} | {len(X):,} | {seconds:.0f} s | {before:.0f} MB | {peak:.0f} MB |", flush=True)


def main() -> None:
    """Print a table, a process per use."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--use", choices=USES)
    parser.add_argument("--fit", type=Path)
    asked = parser.parse_args()
    if asked.use is not None:
        measured(asked.use, bg.load(asked.fit), rows(asked.rows))
        return
    print("| use | rows | time | before | peak |\n|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fit.nc"
        save_posterior(path)
        for use in USES:
            again = ["--rows", str(asked.rows), "--use", use, "--fit", str(path)]
            subprocess.run([sys.executable, __file__, *again], check=True)


if __name__ == "__main__":
    main()
