"""Time of an EM iteration on rows with missing cells against one on the same rows, complete.

    uv run python benchmarks/missing.py    # 1 minute

Rows fall into patterns of missing cells of equal size, three cells in ten missing; the ratio is that of
the iteration with missing cells to the one without.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
from timing import HEADER, alternate

import bayesgmm as bg
from bayesgmm.engines.climb import Objective, maximisation
from bayesgmm.model.families import FAMILIES
from bayesgmm.model.kernel import expectation
from bayesgmm.model.mixture import Full, Mixture
from bayesgmm.numerics.rows import Rows, chunk_length

FULL = FAMILIES["full"]
# N, D, K, patterns; required of the first: at most 5.
CASES = [(100_000, 10, 10, 50), (100_000, 10, 3, 50), (100_000, 10, 10, 1000), (20_000, 5, 5, 20)]
REPEATS = 15


@jax.jit
def iteration(mixture: Mixture, rows: Rows) -> Mixture:
    """Run an E-step and an M-step."""
    statistics = expectation(FULL, mixture, rows).statistics
    return maximisation(FULL, Objective(1e-6, 1.0, None), statistics, mixture)


def program(X: np.ndarray, mixture: Mixture) -> Callable[[], Any]:
    """Return an iteration on a table, to be timed."""
    data = bg.Dataset.from_array(X)
    width = FULL.n_features(data.n_columns) + mixture.log_weights.size
    rows = jax.device_put(data.rows(chunk_length(data.n_rows, width)))
    return partial(lambda rows: jax.block_until_ready(iteration(mixture, rows)), rows)


def main() -> None:
    """Print a table."""
    jax.config.update("jax_enable_x64", True)
    print(f"{'N, D, K, patterns':>24} {HEADER}   (ours: complete)")
    for n_rows, n_columns, n_components, n_patterns in CASES:
        rng = np.random.default_rng(0)
        X = rng.normal(size=(n_rows, n_columns)) + rng.integers(0, 4, (n_rows, 1))
        patterns = rng.random((n_patterns, n_columns)) < 0.3
        patterns[patterns.all(1), 0] = False
        means = X[rng.choice(n_rows, n_components)][None]
        chol = np.broadcast_to(np.eye(n_columns), (1, n_components, n_columns, n_columns))
        log_weights = np.full((1, n_components), -np.log(n_components))
        mixture = Mixture(log_weights, (means - X.mean(0)) / X.std(), Full(chol))
        masked = np.where(patterns[rng.integers(n_patterns, size=n_rows)], np.nan, X)
        found = alternate(program(X, mixture), program(masked, mixture), REPEATS)
        case = f"{n_rows:,}, {n_columns}, {n_components}, {n_patterns}"
        print(f"{case:>24} {found}", flush=True)


if __name__ == "__main__":
    main()
