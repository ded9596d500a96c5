"""EM against ``sklearn.mixture.GaussianMixture``: time per iteration, memory, cold start.

Both start from the same parameters with ``tol=0`` in float64 and are timed in turn in one process.
The time of an iteration is the difference of a long and a short run over the difference of their
lengths, so that checks, copies and starts cancel. Memory is the peak of a fresh process above the
peak it had reached with the data loaded.

    uv run python benchmarks/em.py [--quick]
"""

import argparse
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from timing import HEADER, Comparison, alternate_fresh, fresh_output, seconds

import bayesgmm as bg
from bayesgmm.model.mixture import Full


class Case(NamedTuple):
    """Sizes, and the least ratio aimed at."""

    n_rows: int
    n_columns: int
    n_components: int
    target: float


class Lengths(NamedTuple):
    """Iterations of a short and a long run."""

    short: int
    long: int


CASES = (Case(100_000, 10, 10, 15), Case(1_000_000, 3, 8, 15), Case(100_000, 32, 16, 4))
QUICK_CASES = (Case(20_000, 10, 10, 15), Case(100_000, 3, 8, 15))
OURS, THEIRS = Lengths(2, 22), Lengths(2, 6)

MEMORY_CASE = Case(1_000_000, 10, 20, 600)
MEMORY = """
import sys, numpy as np, bayesgmm as bg
def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
fit, engine = bg.fit, bg.EM(start={start!r}, max_iter=5, tol=0)
spec = bg.MixtureSpec.maximum_likelihood({n_components})
x = np.load({path!r})
before = peak()
fit(x, spec, engine=engine)
print((peak() - before) / 1024)
"""

COLD = """
import numpy as np
x = np.random.default_rng(0).normal(size=(150, 4)) + np.repeat(np.eye(4)[:3] * 6, 50, axis=0)
"""
COLD_OURS = COLD + "import bayesgmm as bg; bg.GaussianMixture(3, random_state=0).fit(x)"
COLD_THEIRS = COLD + (
    "from sklearn.mixture import GaussianMixture; GaussianMixture(3, random_state=0).fit(x)"
)


def draw_rows(n_rows: int, n_columns: int, n_components: int) -> np.ndarray:
    """Draw overlapping clusters."""
    rng = np.random.default_rng(1)
    centres = rng.normal(0, 2, (n_components, n_columns))
    x = rng.normal(size=(n_rows, n_columns))
    x += centres[rng.integers(n_components, size=n_rows)]
    return x


def starting_means(x: np.ndarray, n_components: int) -> np.ndarray:
    """Pick rows at random."""
    return x[np.random.default_rng(2).choice(len(x), n_components, replace=False)]


def run_ours(x: np.ndarray, means: np.ndarray, n_iter: int) -> np.ndarray:
    """Run our EM from unit covariances; return the means."""
    n_components, n_columns = means.shape
    chol = np.tile(np.eye(n_columns), (n_components, 1, 1))
    start = bg.Mixture(np.full(n_components, -np.log(n_components)), means, Full(chol))
    engine = bg.EM(start=start, max_iter=n_iter, tol=0)
    fit = bg.fit(x, bg.MixtureSpec.maximum_likelihood(n_components), engine=engine)
    return np.asarray(fit.mixture.means)


def run_theirs(x: np.ndarray, means: np.ndarray, n_iter: int) -> np.ndarray:
    """Run scikit-learn's EM from the same parameters; return the means."""
    n_components, n_columns = means.shape
    model = GaussianMixture(
        n_components,
        weights_init=np.full(n_components, 1 / n_components),
        means_init=means,
        precisions_init=np.tile(np.eye(n_columns), (n_components, 1, 1)),
        max_iter=n_iter,
        tol=0,
    )
    return model.fit(x).means_


def seconds_per_iteration(run: Callable[[int], Any], lengths: Lengths) -> float:
    """Return the time a longer run needs more, per iteration more."""
    short, long = (seconds(partial(run, n_iter), 1) for n_iter in lengths)
    return (long - short) / (lengths.long - lengths.short)


def compare(case: Case, n_repeats: int) -> Comparison:
    """Time an iteration of both, in turn, and check that they do the same."""
    x = draw_rows(*case[:3])
    means = starting_means(x, case.n_components)
    ours, theirs = partial(run_ours, x, means), partial(run_theirs, x, means)
    np.testing.assert_allclose(ours(THEIRS.long), theirs(THEIRS.long), rtol=1e-6, atol=1e-6)
    for n_iter in OURS:
        ours(n_iter)
    turns = [
        [seconds_per_iteration(ours, OURS), seconds_per_iteration(theirs, THEIRS)]
        for _ in range(n_repeats)
    ]
    return Comparison(*np.array(turns).T)


def extra_megabytes(case: Case, start: str) -> float:
    """Return the peak memory of a fit above the data, in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "x.npy")
        np.save(path, draw_rows(*case[:3]))
        code = MEMORY.format(start=start, n_components=case.n_components, path=path)
        return float(fresh_output(code))


def print_iterations(cases: tuple[Case, ...], n_repeats: int) -> None:
    """Print a row per size."""
    print(f"time per iteration\n{'N':>8} {'D':>3} {'K':>3} {HEADER}  target")
    for case in cases:
        sizes = f"{case.n_rows:8} {case.n_columns:3} {case.n_components:3}"
        print(f"{sizes} {compare(case, n_repeats)}  {case.target:g}", flush=True)


def print_memory(case: Case) -> None:
    """Print a row per start."""
    shape = (case.n_rows, case.n_columns, case.n_components)
    print(f"\npeak memory over the data at {shape}, target < {case.target:g} MB")
    for start in ("random_from_data", "kmeans"):
        print(f"{start:>18} {extra_megabytes(case, start):8.0f} MB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, few repeats, no memory")
    is_quick = parser.parse_args().quick
    warnings.simplefilter("ignore", ConvergenceWarning)
    print_iterations(QUICK_CASES if is_quick else CASES, 3 if is_quick else 7)
    if not is_quick:
        print_memory(MEMORY_CASE)
    cold = alternate_fresh(COLD_OURS, COLD_THEIRS, 2 if is_quick else 5)
    print(f"\ncold process, 150 rows, 4 columns, 3 components\n{HEADER}\n{cold}")


if __name__ == "__main__":
    main()
