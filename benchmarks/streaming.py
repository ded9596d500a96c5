"""EM over rows that stay in a file beside EM over rows in memory: rows a second, and peak memory.

    uv run python benchmarks/streaming.py                  # 4 GB of disk, 10 minutes
    uv run python benchmarks/streaming.py --rows 5000000   # a minute

Each way runs in a process of its own, in turn. An iteration is the difference between a long and a short run
over the iterations between; ``peak`` is that of the whole process, Python, JAX and the rows included. The rows in
memory are the first fifth of those in the file.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import bayesgmm as bg

N_COLUMNS, N_COMPONENTS = 10, 10
SHORT, LONG = 1, 5
SHARE_IN_MEMORY = 5
WAYS = ("in memory", "streamed", "streamed, file not cached")
MEGABYTE, GIGABYTE = 2**10, 2**30


def write_rows(path: Path, n_rows: int, block: int = 1_000_000) -> None:
    """Write rows of ten clusters, block by block."""
    rng = np.random.default_rng(0)
    means = 3.0 * rng.normal(size=(N_COMPONENTS, N_COLUMNS))
    table = np.lib.format.open_memmap(path, "w+", float, (n_rows, N_COLUMNS))
    for start in range(0, n_rows, block):
        n = min(block, n_rows - start)
        noise = rng.normal(size=(n, N_COLUMNS))
        table[start : start + n] = means[rng.integers(0, N_COMPONENTS, n)] + noise
    table.flush()


def forget(path: Path) -> None:
    """Ask the system to drop the file from its cache."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def measured(way: str, path: Path) -> None:
    """Print rows a second and peak memory of one way, tab-separated."""
    spec = bg.MixtureSpec.maximum_likelihood(N_COMPONENTS)
    if way == "in memory":
        mapped = np.load(path, mmap_mode="r")
        rows = bg.Dataset.from_array(np.array(mapped[: len(mapped) // SHARE_IN_MEMORY]))
    else:
        rows = bg.stream(path)

    def seconds(n_updates: int) -> float:
        if way == "streamed, file not cached":
            forget(path)
        engine = bg.EM(tol=0, max_iter=n_updates)
        begun = time.perf_counter()
        bg.fit(rows, spec, engine=engine)
        return time.perf_counter() - begun

    seconds(SHORT)
    per_iteration = (seconds(LONG) - seconds(SHORT)) / (LONG - SHORT)
    print(rows.n_rows / per_iteration, peak() / MEGABYTE)


def peak() -> int:
    """Return the most memory of this process, in KiB; ``ru_maxrss`` would begin with the parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def main() -> None:
    """Print a table, a process per way and turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--way", choices=WAYS)
    parser.add_argument("--path", type=Path)
    asked = parser.parse_args()
    if asked.way is not None:
        measured(asked.way, asked.path)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.npy"
        write_rows(path, asked.rows)
        print(f"{asked.rows:,} rows, {path.stat().st_size / GIGABYTE:.1f} GB")
        found: dict[str, list[list[float]]] = {way: [] for way in WAYS}
        for _ in range(asked.repeats):
            for way in WAYS:
                again = [sys.executable, __file__, "--way", way, "--path", str(path)]
                said = subprocess.run(again, check=True, capture_output=True, text=True).stdout
                found[way].append([float(number) for number in said.split()])
    speeds = {way: np.array(runs)[:, 0] for way, runs in found.items()}
    print("| way | million rows a second | of those in memory, min / median / max | peak |")
    print("|---|---|---|---|")
    for way, runs in found.items():
        low, middle, high = np.percentile(speeds[way] / speeds["in memory"], [0, 50, 100])
        most = max(run[1] for run in runs)
        print(
            f"| {way} | {np.median(speeds[way]) / 1e6:.1f} | {low:.2f} / {middle:.2f} / {high:.2f} | {most:,.0f} MB |"
        )


if __name__ == "__main__":
    main()
