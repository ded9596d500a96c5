"""EM against ``sklearn.mixture.GaussianMixture``: iterations, whole fits, memory, cold start.

Both start from the same parameters with ``tol=0`` in float64 and are timed in turn in one process.
The time of an iteration is the difference of a long and a short run over the difference of their
lengths, so that checks, copies and starts cancel. The two bare products are features (F, n) by
parameters (F, K) and by responsibilities (n, K), chunk by chunk as EM takes them. Memory is the peak of
a fresh process above the peak it had reached with the data loaded. Where gmmx is installed, an
iteration of it is timed as well, in single precision, the only one it has.

    uv run python benchmarks/em.py [--quick] [--only grid|products|fits|gmmx|memory|cold]
"""

import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from timing import (
    HEADER,
    Comparison,
    alternate,
    alternate_fresh,
    fresh_output,
    n_loops,
    run_sections,
    seconds,
)

import bayesgmm as bg
from bayesgmm.model.mixture import Full
from bayesgmm.numerics.moments import weighted_sums
from bayesgmm.numerics.rows import chunk_length


class Case(NamedTuple):
    """Sizes."""

    n_rows: int
    n_columns: int
    n_components: int

    @property
    def work(self) -> float:
        """Multiplications of one product of an iteration."""
        n_features = (self.n_columns + 1) * (self.n_columns + 2) / 2
        return self.n_rows * self.n_components * n_features

    def __str__(self) -> str:
        """Show the sizes."""
        return f"{self.n_rows:8} {self.n_columns:3} {self.n_components:3}"


class Lengths(NamedTuple):
    """Iterations of a short and a long run."""

    short: int
    long: int


GRID = [
    Case(n_rows, n_columns, n_components)
    for n_rows in (1_000, 10_000, 100_000, 1_000_000)
    for n_columns in (2, 10, 32)
    for n_components in (3, 10, 30)
]
QUICK_GRID = [case for case in GRID if case.n_rows in (1_000, 10_000)]
PRODUCTS = [case for case in GRID if case.n_rows == 100_000]
WHOLE_FIT = Case(1_000, 2, 3)
# Work of a run that is long enough to be timed, in rows x components x features.
ENOUGH = 2e9

MEMORY_CASE, MOST_MEGABYTES = Case(1_000_000, 10, 20), 600
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


def lengths_of(case: Case) -> tuple[Lengths, Lengths]:
    """Return lengths of our runs and theirs: longer for less work, so that each can be timed."""
    more = int(np.clip(ENOUGH / case.work, 2, 400))
    return Lengths(2, 2 + 5 * more), Lengths(2, 2 + more)


def compare(case: Case, n_repeats: int) -> Comparison:
    """Time an iteration of both, in turn, and check that they do the same."""
    x = draw_rows(*case)
    means = starting_means(x, case.n_components)
    ours, theirs = partial(run_ours, x, means), partial(run_theirs, x, means)
    np.testing.assert_allclose(ours(4), theirs(4), rtol=1e-5, atol=1e-5)
    return iterations_in_turn(ours, theirs, case, n_repeats)


def iterations_in_turn(
    ours: Callable[[int], Any], theirs: Callable[[int], Any], case: Case, n_repeats: int
) -> Comparison:
    """Time an iteration of two programs that run so many, in turn, compiled beforehand."""
    programs = list(zip((ours, theirs), lengths_of(case), strict=True))
    for program, lengths in programs:
        for n_iter in lengths:
            program(n_iter)
    turns = [
        [seconds_per_iteration(program, lengths) for program, lengths in programs]
        for _ in range(n_repeats)
    ]
    return Comparison(*np.array(turns).T)


def bare_products(case: Case) -> Callable[[], Any]:
    """Return a program that runs only the two products of an iteration, on features in the cache."""
    n_features = (case.n_columns + 1) * (case.n_columns + 2) // 2
    length = chunk_length(case.n_rows, n_features + case.n_components)
    n_chunks = -(-case.n_rows // length)
    with jax.enable_x64(True):
        features = jnp.ones((n_features, length))
        parameters = jnp.ones((n_chunks, case.n_components, n_features))

    @jax.jit
    def run(features: Any, parameters: Any) -> Any:
        def chunk(total: Any, part: Any) -> tuple[Any, None]:
            return total + weighted_sums(features, part @ features), None

        return jax.lax.scan(chunk, jnp.zeros(parameters[0].T.shape), parameters)[0]

    def program() -> None:
        with jax.enable_x64(True):
            jax.block_until_ready(run(features, parameters))

    return program


def products_against_iteration(case: Case, n_repeats: int) -> Comparison:
    """Time the two bare products, as "ours", and an iteration, as "theirs", in turn."""
    x = draw_rows(*case)
    ours = partial(run_ours, x, starting_means(x, case.n_components))
    lengths, _ = lengths_of(case)
    program = bare_products(case)
    n_calls = n_loops(program)
    for n_iter in lengths:
        ours(n_iter)
    turns = [
        [seconds(program, n_calls), seconds_per_iteration(ours, lengths)] for _ in range(n_repeats)
    ]
    return Comparison(*np.array(turns).T)


def whole_fits(case: Case, n_repeats: int) -> Comparison:
    """Time whole fits from k-means, starts included, with warm programs."""
    x = draw_rows(*case)
    classes = (bg.GaussianMixture, GaussianMixture)
    programs = [partial(fit_one, one, case.n_components, x) for one in classes]
    return alternate(*programs, n_repeats)


def fit_one(estimator: Any, n_components: int, x: np.ndarray) -> None:
    """Fit an estimator."""
    estimator(n_components, random_state=0).fit(x)


def gmmx_iteration(case: Case, n_repeats: int) -> Comparison | None:
    """Time an iteration of ours and of gmmx, in turn; None where it is not installed."""
    try:
        from gmmx import EMFitter, GaussianMixtureModelJax
    except ImportError:
        return None
    x = draw_rows(*case)
    means = starting_means(x, case.n_components)
    ours = partial(run_ours, x, means)

    covariances = np.tile(np.eye(case.n_columns), (case.n_components, 1, 1))
    weights = np.full(case.n_components, 1 / case.n_components)
    single = [jnp.asarray(part, np.float32) for part in (means, covariances, weights)]
    rows, start = jnp.asarray(x, np.float32), GaussianMixtureModelJax.from_squeezed(*single)

    def theirs(n_iter: int) -> None:
        found = EMFitter(tol=0.0, max_iter=n_iter).fit(x=rows, gmm=start)
        jax.block_until_ready(found.gmm.means)

    return iterations_in_turn(ours, theirs, case, n_repeats)


def extra_megabytes(case: Case, start: str) -> float:
    """Return the peak memory of a fit above the data, in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "x.npy")
        np.save(path, draw_rows(*case))
        code = MEMORY.format(start=start, n_components=case.n_components, path=path)
        return float(fresh_output(code))


def print_grid(is_quick: bool) -> None:
    """Print a row per size, and the geometric mean of the ratios."""
    print(f"time per iteration, ours and scikit-learn's\n{'N':>8} {'D':>3} {'K':>3} {HEADER}")
    ratios = []
    for case in QUICK_GRID if is_quick else GRID:
        found = compare(case, 3 if case.work > ENOUGH / 4 else 5)
        ratios.append(np.median(found.ratios))
        print(f"{case} {found}", flush=True)
    mean = np.exp(np.mean(np.log(ratios)))
    print(f"geometric mean of the ratios {mean:.1f}, lowest {np.min(ratios):.1f}")


def print_products(is_quick: bool) -> None:
    """Print a row per size."""
    print("\ntwo bare products and an iteration; required at most 2.5")
    print(
        f"{'N':>8} {'D':>3} {'K':>3} {HEADER}".replace("ours", "bare").replace("theirs", "  ours")
    )
    for case in PRODUCTS:
        print(f"{case} {products_against_iteration(case, 3 if is_quick else 7)}", flush=True)


def print_fits(is_quick: bool) -> None:
    """Print whole fits with warm programs."""
    print(f"\nwhole fits at {tuple(WHOLE_FIT)}, warm; required 3\n{HEADER}")
    print(whole_fits(WHOLE_FIT, 5 if is_quick else 15), flush=True)


def print_gmmx(is_quick: bool) -> None:
    """Print a row per size at N = 100,000."""
    print(f"\ntime per iteration, ours and gmmx's\n{'N':>8} {'D':>3} {'K':>3} {HEADER}")
    for case in PRODUCTS[:2] if is_quick else PRODUCTS:
        found = gmmx_iteration(case, 3)
        if found is None:
            print("gmmx is not installed")
            return
        print(f"{case} {found}", flush=True)


def print_memory(is_quick: bool) -> None:
    """Print a row per start."""
    del is_quick
    shape = tuple(MEMORY_CASE)
    print(f"\npeak memory over the data at {shape}, target < {MOST_MEGABYTES} MB")
    for start in ("random_from_data", "kmeans"):
        print(f"{start:>18} {extra_megabytes(MEMORY_CASE, start):8.0f} MB", flush=True)


def print_cold(is_quick: bool) -> None:
    """Print fresh processes."""
    cold = alternate_fresh(COLD_OURS, COLD_THEIRS, 2 if is_quick else 5)
    print(f"\ncold process, 150 rows, 4 columns, 3 components; required 0.4\n{HEADER}\n{cold}")


SECTIONS = {
    "grid": print_grid,
    "products": print_products,
    "fits": print_fits,
    "gmmx": print_gmmx,
    "memory": print_memory,
    "cold": print_cold,
}


def main() -> None:
    warnings.simplefilter("ignore", ConvergenceWarning)
    run_sections(__doc__, SECTIONS, only_whole=("memory",))


if __name__ == "__main__":
    main()
