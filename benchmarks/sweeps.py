"""``select`` against the loop over ``sklearn.mixture.GaussianMixture``, and against R's mclust.

* The textbook sweep: 1,250 rows in three stretched blobs (Geron, Hands-On Machine Learning, chapter 9), K
  = 1, ..., 10 with ten restarts of each, warm in one process and as whole fresh processes.
* K = 1, ..., 20 on 100,000 rows in five columns, one restart of each.
* All fourteen structures on shipped data beside ``mclustBIC``, where R and mclust are installed, and beside
  pymclustR, a port of it to NumPy, where that is.

Both stop at the same tolerance; a second row has the default of ``select``, whose best restarts climb on
until the criteria can be compared.

    uv run python benchmarks/sweeps.py [--quick] [--only textbook|cold|large|mclust|pymclustr]
"""

import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from timing import HEADER, Comparison, alternate, alternate_fresh, run_sections, seconds

import bayesgmm as bg

NUMBERS, N_INIT, TOL = range(1, 11), 10, 1e-3
LARGE_NUMBERS, LARGE_ROWS, LARGE_COLUMNS, LARGE_CLUSTERS = range(1, 21), 100_000, 5, 12
# What a fresh process does with rows from a file.
LOAD = 'import numpy as np\nx = np.load("{rows}")\n'
COLD_OURS = LOAD + (
    "import bayesgmm as bg\n"
    "found = bg.select(x, range(1, 11), n_init=10, tol=1e-3, progress=False)\n"
    "found.fits[found.best]"
)
# The winner as an estimator of scikit-learn's kind, which is imported for it.
COLD_ESTIMATOR = COLD_OURS + "\nfound.best_"
# JAX keeps compiled programs in a folder when it is told to.
CACHED = """
import os
os.environ["JAX_COMPILATION_CACHE_DIR"] = "{folder}"
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
"""
COLD_THEIRS = LOAD + (
    "from sklearn.mixture import GaussianMixture\n"
    "fits = [GaussianMixture(k, n_init=10, random_state=0).fit(x) for k in range(1, 11)]\n"
    "min(fits, key=lambda fit: fit.bic(x))"
)
MCLUST = """
library(mclust)
x <- as.matrix(read.csv("{path}"))
mclust.options(hcUse = "VARS")
mclustBIC(x, G = 1:9, verbose = FALSE)
t <- Sys.time()
b <- mclustBIC(x, G = 1:9, verbose = FALSE)
cat(as.numeric(difftime(Sys.time(), t, units = "secs")), max(b, na.rm = TRUE), sum(is.na(b)))
"""


def stretched_blobs() -> np.ndarray:
    """Return 1,250 rows in three clusters."""
    one, _ = make_blobs(n_samples=1000, centers=((4, -4), (0, 0)), random_state=42)
    two, _ = make_blobs(n_samples=250, centers=1, random_state=42)
    return np.r_[one @ np.array([[0.374, 0.95], [0.732, 0.598]]), two + np.array([6, -8])]


def large_rows() -> np.ndarray:
    """Return 100,000 rows in overlapping clusters of different shapes."""
    rng = np.random.default_rng(1)
    centres = rng.normal(0, 3, (LARGE_CLUSTERS, LARGE_COLUMNS))
    roots = rng.normal(0, 0.6, (LARGE_CLUSTERS, LARGE_COLUMNS, LARGE_COLUMNS))
    labels = rng.integers(LARGE_CLUSTERS, size=LARGE_ROWS)
    noise = rng.normal(size=(LARGE_ROWS, LARGE_COLUMNS))
    return centres[labels] + np.einsum("nij,nj->ni", roots[labels], noise)


def ours(x: np.ndarray, numbers: range, n_init: int, tol: float | None) -> int:
    """Return the K of least BIC."""
    settings = {} if tol is None else {"tol": tol}
    found = bg.select(x, numbers, n_init=n_init, progress=False, **settings)
    return found.best[1]


def theirs(x: np.ndarray, numbers: range, n_init: int) -> int:
    """Return the K of least BIC."""
    fits = [GaussianMixture(k, n_init=n_init, tol=TOL, random_state=0).fit(x) for k in numbers]
    return int(numbers[int(np.argmin([fit.bic(x) for fit in fits]))])


def row(name: str, one: Callable[[], int], other: Callable[[], int], n_repeats: int) -> None:
    """Print a comparison and both winners."""
    winners = one(), other()
    print(
        f"{name:>22} {alternate(one, other, n_repeats)}   K = {winners[0]}, {winners[1]}",
        flush=True,
    )


def print_textbook(is_quick: bool) -> None:
    """Print the textbook sweep with warm programs."""
    x = stretched_blobs()
    print(f"1,250 x 2, K = 1..10, n_init=10, warm; required 10\n{'':>22} {HEADER}")
    other = partial(theirs, x, NUMBERS, N_INIT)
    for name, tol in (("the same tolerance", TOL), ("default", None)):
        row(name, partial(ours, x, NUMBERS, N_INIT, tol), other, 3 if is_quick else 7)


def print_cold(is_quick: bool) -> None:
    """Print the textbook sweep in fresh processes."""
    n_turns = 2 if is_quick else 5
    print(f"\nthe same, whole fresh process; required 1\n{'':>22} {HEADER}")
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.npy"
        np.save(rows, stretched_blobs())
        ours, estimator, theirs = (
            code.format(rows=rows) for code in (COLD_OURS, COLD_ESTIMATOR, COLD_THEIRS)
        )
        cached = CACHED.format(folder=folder) + ours
        subprocess.run([sys.executable, "-c", cached], check=True)
        codes = {"": ours, "as an estimator": estimator, "with JAX's cache": cached}
        for name, code in codes.items():
            print(f"{name:>22} {alternate_fresh(code, theirs, n_turns)}", flush=True)


def print_large(is_quick: bool) -> None:
    """Print the large sweep."""
    x = large_rows()[: 10_000 if is_quick else None]
    print(f"\n{len(x):,} x 5, K = 1..20, one restart; required 20\n{'':>22} {HEADER}")
    other = partial(theirs, x, LARGE_NUMBERS, 1)
    for name, tol in (("the same tolerance", TOL), ("default", None)):
        one = partial(ours, x, LARGE_NUMBERS, 1, tol)
        winners = one(), None
        turns = np.array(
            [[seconds(one, 1), seconds(other, 1)] for _ in range(1 if is_quick else 3)]
        )
        print(f"{name:>22} {Comparison(*turns.T)}   K = {winners[0]}", flush=True)


def print_mclust(is_quick: bool) -> None:
    """Print all fourteen structures, K = 1, ..., 9, beside mclust, both warm."""
    if shutil.which("Rscript") is None:
        print("\nR is not installed")
        return
    print(f"\nfourteen structures, K = 1..9, one start; ours against mclust's\n{'':>22} {HEADER}")
    for name in ("iris",) if is_quick else ("iris", "faithful", "thyroid"):
        x = bg.datasets.load(name).frame.select_dtypes("number")
        program = partial(all_structures, x)
        # Programs of two data sets are as many as the package keeps: it would drop them within a turn.
        jax.clear_caches()
        program()
        turns, best = [], ""
        for _ in range(2 if is_quick else 5):
            mclust_seconds, best = mclust(x)
            turns.append([seconds(program, 1), mclust_seconds])
        print(
            f"{name:>22} {Comparison(*np.array(turns).T)}   BIC {program():.1f}, {best}", flush=True
        )


def all_structures(x: Any) -> float:
    """Return the best BIC in mclust's sign."""
    found = bg.select(
        x, range(1, 10), "all", init_params="hierarchical", reg_covar=0, tol=1e-5, progress=False
    )
    return -float(found.table["bic"][found.table["delta"].notna()].min())


def mclust(x: Any) -> tuple[float, str]:
    """Return the seconds that mclustBIC takes in a warm R, and its best BIC."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.csv"
        x.to_csv(path, index=False)
        command = ["Rscript", "-e", MCLUST.format(path=path)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    taken, best, missing = output.split()[-3:]
    return float(taken), f"{float(best):.1f} ({missing} models without)"


def print_pymclustr(is_quick: bool) -> None:
    """Print the same beside pymclustR."""
    try:
        from mclust_py import Mclust
    except ImportError:
        print("\npymclustR is not installed")
        return
    print(f"\nfourteen structures, K = 1..9; ours against pymclustR's\n{'':>22} {HEADER}")
    for name in ("iris",) if is_quick else ("iris", "faithful"):
        x = bg.datasets.load(name).frame.select_dtypes("number")
        program, other = partial(all_structures, x), partial(Mclust, x.to_numpy(), G=range(1, 10))
        best = program(), other().bic
        found = alternate(program, other, 2 if is_quick else 5)
        print(f"{name:>22} {found}   BIC {best[0]:.1f}, {best[1]:.1f}", flush=True)


SECTIONS = {
    "textbook": print_textbook,
    "cold": print_cold,
    "large": print_large,
    "mclust": print_mclust,
    "pymclustr": print_pymclustr,
}


def main() -> None:
    warnings.simplefilter("ignore", ConvergenceWarning)
    warnings.simplefilter("ignore", bg.SelectionWarning)
    run_sections(__doc__, SECTIONS)


if __name__ == "__main__":
    main()
