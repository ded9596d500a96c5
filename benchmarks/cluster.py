"""EM over a Dask collection on two workers of one thread each, beside one process of one thread, and Spark.

    uv run python benchmarks/cluster.py                    # 20 minutes; --quick: 3; --only SECTION

``workers``: an iteration over the same rows, in turn on two workers and in a process that has one core.
``network``: bytes that go over the wire in an iteration, all processes together, and its seconds, over chunks of
nearly no rows: what sets of statistics and tasks cost.
``model``: iterations on up to 1,000 workers by the cost model of the documentation, on paper.
``spark``: an iteration of Spark MLlib's ``GaussianMixture`` on two cores (pyspark and Java, where they are
installed) beside ours on two workers, fewer rows.

An iteration is the difference between a long and a short run over the iterations between.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
import psutil
from distributed import Client, LocalCluster
from timing import run_sections

import bayesgmm as bg

N_COLUMNS, N_COMPONENTS = 10, 10
SHORT, LONG = 1, 11
ROWS, CHUNK = 10_000_000, 500_000
SPARK_ROWS = 4_000_000
SPEC = bg.MixtureSpec.maximum_likelihood(N_COMPONENTS)


def rows_of(number: int, n_rows: int) -> np.ndarray:
    """Return the rows of a chunk, a function of its number."""
    means = 3.0 * np.random.default_rng(0).normal(size=(N_COMPONENTS, N_COLUMNS))
    rng = np.random.default_rng([1, number])
    return means[rng.integers(0, N_COMPONENTS, n_rows)] + rng.normal(size=(n_rows, N_COLUMNS))


def collection(n_rows: int) -> Any:
    """Return the rows as a Dask array, made where they stay."""
    n_chunks = n_rows // CHUNK
    numbers = da.arange(n_chunks, chunks=1)
    shape = ((CHUNK,) * n_chunks, (N_COLUMNS,))

    def made(block: np.ndarray) -> np.ndarray:
        return rows_of(int(block[0]), CHUNK)

    return numbers.map_blocks(made, chunks=shape, new_axis=1, dtype=float).persist()


def seconds_of(rows: Any, n_updates: int) -> float:
    """Return the seconds of a fit of so many updates."""
    begun = time.perf_counter()
    bg.fit(rows, SPEC, engine=bg.EM(tol=0, max_iter=n_updates, start="random_from_data"))
    return time.perf_counter() - begun


def per_iteration(seconds: Callable[[int], float]) -> float:
    """Return the seconds of an iteration."""
    return (seconds(LONG) - seconds(SHORT)) / (LONG - SHORT)


def on_one_core(worker: int) -> None:
    """Give this process one core, before JAX counts them."""
    cores = sorted(os.sched_getaffinity(0))
    for thread in Path("/proc/self/task").iterdir():
        os.sched_setaffinity(int(thread.name), {cores[worker % len(cores)]})


def two_workers() -> Client:
    """Start two workers of one thread, each with a core of its own."""
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    client = Client(cluster)
    for number, address in enumerate(client.scheduler_info()["workers"]):
        client.run(on_one_core, number, workers=[address])
    return client


def alone() -> None:
    """Print the seconds of an iteration whenever a line comes in, in a process of one core."""
    on_one_core(0)
    n_rows = int(sys.argv[2])
    table = np.concatenate([rows_of(number, CHUNK) for number in range(n_rows // CHUNK)])
    rows = bg.Dataset.from_array(table)
    seconds_of(rows, 1)
    for _ in sys.stdin:
        print(per_iteration(partial(seconds_of, rows)), flush=True)


def print_workers(is_quick: bool) -> None:
    """Compare two workers with one process, in turn."""
    n_rows = ROWS // 10 if is_quick else ROWS
    command = [sys.executable, __file__, "--alone", str(n_rows)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    turns = []
    with two_workers(), subprocess.Popen(command, **pipes) as one:
        rows = bg.stream(collection(n_rows))
        seconds_of(rows, 1)
        for _ in range(5):
            print("go", file=one.stdin, flush=True)
            single = float(one.stdout.readline())
            with asleep([psutil.Process(one.pid)]):
                turns.append([per_iteration(partial(seconds_of, rows)), single])
        one.stdin.close()
    ours, theirs = np.array(turns).T
    low, middle, high = np.percentile(theirs / ours, [0, 50, 100])
    print(f"\n{n_rows:,} x {N_COLUMNS}, K = {N_COMPONENTS}, seconds an iteration")
    print(f"two workers {np.median(ours):.2f}, one process {np.median(theirs):.2f}, ", end="")
    print(f"ratio {low:.2f} / {middle:.2f} / {high:.2f} (required 1.5)")


def print_network(is_quick: bool) -> None:
    """Count the bytes over the loopback device in an iteration over nearly no rows, and its seconds."""
    features = 1 + N_COLUMNS + N_COLUMNS * (N_COLUMNS + 1) // 2
    model = 8 * N_COMPONENTS * features
    print(f"\nbytes an iteration; a set of statistics has 8 K F = {model:,}")
    with two_workers():
        for n_chunks in (4, 20) if is_quick else (4, 20, 100):
            short = collection(n_chunks * CHUNK).map_blocks(head, chunks=(1000, N_COLUMNS))
            for kind, found in (("persisted", short.persist()), ("made anew", short)):
                rows = bg.stream(found)
                seconds_of(rows, 1)
                sent = per_iteration(partial(bytes_of, rows))
                spent = np.median([per_iteration(partial(seconds_of, rows)) for _ in range(3)])
                print(
                    f"{n_chunks:>4} chunks, {kind}: {sent:>9,.0f} bytes, {sent / model:.1f} sets of statistics, "
                    f"{1e3 * spent:.0f} ms"
                )


# Measured by the other sections: seconds of a million rows on a core, of a task, and of a pass without rows.
MILLION_ROWS, TASK, PASS = 0.18, 0.0021, 0.026
# Assumed of a network: seconds of a message, and bytes a second.
LATENCY, BANDWIDTH = 1e-3, 1.25e8


def predicted(n_workers: int, rows_each: float, tasks_each: int) -> float:
    """Return the seconds of an iteration by the cost model of the documentation."""
    features = 1 + N_COLUMNS + N_COLUMNS * (N_COLUMNS + 1) // 2
    statistics = 8 * N_COMPONENTS * features
    n_tasks = n_workers * tasks_each * (1 + 1 / 7)
    depth = np.ceil(np.log(max(n_workers, 2)) / np.log(8))
    of_tree = depth * (LATENCY + 8 * 2 * statistics / BANDWIDTH)
    of_parameters = n_workers * statistics / BANDWIDTH
    return rows_each / 1e6 * MILLION_ROWS + n_tasks * TASK + of_tree + of_parameters + PASS


def print_model(is_quick: bool) -> None:
    """Print weak scaling by the cost model."""
    del is_quick
    print(
        "\nseconds an iteration by the model, and the share of one worker's speed that each keeps"
    )
    for rows_each, tasks_each in ((5e6, 1), (5e7, 1), (5e7, 10)):
        times = {n: predicted(n, rows_each, tasks_each) for n in (1, 10, 100, 1000)}
        shown = [f"{n}: {seconds:.2f} ({times[1] / seconds:.0%})" for n, seconds in times.items()]
        print(f"{rows_each:,.0f} rows and {tasks_each} tasks each; " + ", ".join(shown))


def head(block: np.ndarray) -> np.ndarray:
    """Return the first rows of a chunk."""
    return block[:1000]


def bytes_of(rows: Any, n_updates: int) -> float:
    """Return the bytes sent over the loopback device during a fit."""
    before = psutil.net_io_counters(pernic=True)["lo"].bytes_sent
    seconds_of(rows, n_updates)
    return float(psutil.net_io_counters(pernic=True)["lo"].bytes_sent - before)


@contextmanager
def asleep(processes: list[psutil.Process]) -> Iterator[None]:
    """Let processes rest while others are timed: those of Java collect their garbage then."""
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


def print_spark(is_quick: bool) -> None:
    """Compare with Spark MLlib on two cores."""
    try:
        from pyspark.ml.clustering import GaussianMixture
        from pyspark.ml.functions import array_to_vector
        from pyspark.sql import SparkSession
        from pyspark.sql.functions import array
    except ImportError:
        print("\npyspark is not installed")
        return
    n_rows = 2 * CHUNK if is_quick else SPARK_ROWS
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.driver.memory", "6g")
        .config("spark.ui.enabled", "false")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    path = Path("spark-rows.parquet")
    pd.DataFrame(np.concatenate([rows_of(i, CHUNK) for i in range(n_rows // CHUNK)])).rename(
        columns=str
    ).to_parquet(path)
    frame = session.read.parquet(str(path.absolute()))
    vectors = frame.select(array_to_vector(array(*frame.columns)).alias("features"))
    vectors = vectors.repartition(4).cache()
    vectors.count()

    def theirs(n_updates: int) -> float:
        model = GaussianMixture(k=N_COMPONENTS, maxIter=n_updates, tol=0.0, seed=0)
        begun = time.perf_counter()
        model.fit(vectors)
        return time.perf_counter() - begun

    java = [child for child in psutil.Process().children(recursive=True) if child.name() == "java"]
    turns = []
    with two_workers() as client:
        workers = [psutil.Process(number) for number in client.run(os.getpid).values()]
        rows = bg.stream(collection(n_rows))
        seconds_of(rows, 1)
        theirs(1)
        for _ in range(5):
            with asleep(java):
                ours = per_iteration(partial(seconds_of, rows))
            with asleep(workers):
                turns.append([ours, per_iteration(theirs)])
    session.stop()
    path.unlink()
    ours, spark = np.array(turns).T
    low, middle, high = np.percentile(spark / ours, [0, 50, 100])
    print(f"\n{n_rows:,} x {N_COLUMNS}, K = {N_COMPONENTS}, seconds an iteration")
    print(f"two workers {np.median(ours):.3f}, Spark MLlib {np.median(spark):.2f}, ", end="")
    print(f"ratio {low:.1f} / {middle:.1f} / {high:.1f} (required 10)")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--alone"]:
        alone()
    else:
        run_sections(
            __doc__,
            {
                "workers": print_workers,
                "network": print_network,
                "model": print_model,
                "spark": print_spark,
            },
        )
