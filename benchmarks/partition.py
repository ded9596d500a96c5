"""Time of the search for a partition, and what it gains over the best of the draws.

    uv run python benchmarks/partition.py    # 2 minutes

Draws of rows in eight clusters of which each draw sends a share of the rows elsewhere at random, a
different share for each row: some rows have a clear cluster, others none.
"""

import time

import numpy as np

from bayesgmm.posterior.losses import Loss, losses
from bayesgmm.posterior.salso import best_of, search

SIZES = [(500, 1000), (5_000, 1000), (20_000, 1000)]
N_CLUSTERS, N_LABELS = 8, 12


def noisy_draws(n_rows: int, n_draws: int) -> np.ndarray:
    """Return labels of posterior-like draws, (S, N)."""
    rng = np.random.default_rng(0)
    centre = rng.integers(0, N_CLUSTERS, n_rows)
    share = rng.beta(0.5, 1.5, n_rows)
    noise = rng.integers(0, N_LABELS, (n_draws, n_rows))
    return np.where(rng.random(noise.shape) < share, noise, centre).astype(np.int16)


def main() -> None:
    """Print a table."""
    print("N, S, loss: seconds cold, warm; expected loss of the best draw, of the partition")
    for n_rows, n_draws in SIZES:
        draws = noisy_draws(n_rows, n_draws)
        for loss in (Loss(), Loss("binder")):
            seconds = []
            for _ in range(2):
                begun = time.perf_counter()
                found = search(loss, draws)
                seconds.append(time.perf_counter() - begun)
            pair = np.stack([best_of(loss, draws), found.labels])
            best, ours = losses(loss, pair, draws).mean(1)
            print(
                f"{n_rows:,}, {n_draws:,}, {loss.name}: {seconds[0]:.1f} s, {seconds[1]:.1f} s; "
                f"{best:.4f}, {ours:.4f}"
            )


if __name__ == "__main__":
    main()
