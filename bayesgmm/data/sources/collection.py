"""Rows of a Dask collection: chunks stay on the workers, parameters go out, sums come back."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ...numerics.wide import narrowed, wide_sum
from ..dataset import check_spread
from .base import Kernel, Source
from .blocks import Cut
from .looks import Look, look_at, require_good, rows_of_frame, summary_of
from .readers import floating
from .sending import Message, itself, sent, sums_of_chunks
from .summary import chosen_rows

# Bytes of a block of rows; memory kept for the next use (``numerics.allocator``) has room for some of them.
BLOCK_BYTES = 8 * 2**20
# A worker is not alone with the cache: with two on one machine, chunks of a third were fastest.
SHARERS = 3
# Sums of so many chunks are added up at a time, where they are.
FAN_IN = 8


@dataclass(frozen=True)
class Chunked(Source):
    """A checked table of numbers in a Dask collection.

    Attributes: beside those of ``Source``,
        parts: the rows, chunk by chunk.
        sizes: rows in each chunk.
        bundles: which chunks are added up by one task.
    """

    parts: "Parts"
    sizes: tuple[int, ...]
    bundles: list[list[int]]
    kind: ClassVar[str] = "Dask's"

    @property
    def layout(self) -> tuple[int, ...]:
        """The rows in each chunk; which worker adds up which makes no difference."""
        return self.sizes

    def reduce(self, kernel: Kernel, parameters: Any, n_features: int) -> Any:
        """Add up a kernel over chunks where they are, and the sums in a tree, as ``Source`` says."""
        import dask

        cut = Cut.of(self.sizes, self.n_columns, SHARERS * n_features, BLOCK_BYTES)
        message = Message(kernel, sent(parameters), self.affine, cut)
        of_bundle, firsts = summed_by(len(self.bundles), message), firsts_of(self.sizes)
        parts = [
            of_bundle([self.parts.chunks[i] for i in bundle], [firsts[i] for i in bundle])
            for bundle in self.bundles
        ]
        added = dask.delayed(wide_sum)
        # The last of them are added up here: each task in a row costs its milliseconds.
        while len(parts) > FAN_IN:
            parts = [added(parts[i : i + FAN_IN]) for i in range(0, len(parts), FAN_IN)]
        return narrowed(wide_sum(list(dask.compute(*parts))))

    def rows_at(self, numbers: np.ndarray) -> np.ndarray:
        """Return the rows of such numbers, as ``Source`` says; nothing else is sent."""
        each, which = np.unique(numbers[numbers < self.n_rows], return_inverse=True)
        found = self.affine.forward(picked(self.parts.chunks, self.sizes, each))
        columns = np.zeros((self.n_columns, len(numbers)))
        columns[:, numbers < self.n_rows] = found[which].T
        return columns


def summed_by(n_tasks: int, message: Message) -> Callable[..., Any]:
    """Return a delayed ``sums_of_chunks`` for so many tasks."""
    import dask

    if n_tasks <= FAN_IN:
        # Each takes the message along, which saves a task before them all.
        return dask.delayed(partial(sums_of_chunks, message))
    # As the result of a task it goes to each worker once.
    carried = dask.delayed(itself)(dask.delayed(message, traverse=False))
    return partial(dask.delayed(sums_of_chunks), carried)


def picked(chunks: list[Any], sizes: tuple[int, ...], numbers: np.ndarray) -> np.ndarray:
    """Return the rows of ascending numbers, (M, D): from each chunk its own, and nothing else."""
    import dask

    take = dask.delayed(np.take)
    of_chunks = np.split(numbers, np.searchsorted(numbers, np.cumsum(sizes)[:-1]))
    found = dask.compute(
        *(
            take(chunk, inside - first, 0)
            for chunk, inside, first in zip(chunks, of_chunks, firsts_of(sizes), strict=True)
            if len(inside)
        )
    )
    return np.concatenate(found)


def open_collection(collection: Any, seed: int = 0) -> Chunked:
    """Open a Dask array or data frame, and look at all of its rows once.

    Args:
        collection: rows (N, D).
        seed: of the sample of rows that starts are made of.

    Raises:
        ValueError: not a table; chunks with other columns; cells that are missing or infinite; no spread; a client
            without workers.
        TypeError: columns that are not numbers.
    """
    import dask

    require_workers()
    found = parts_of(collection)
    names = found.names or tuple(f"x{j}" for j in range(found.n_columns))
    look = dask.delayed(look_at)
    looks: tuple[Look, ...] = dask.compute(*(look(chunk, len(names)) for chunk in found.chunks))
    require_good(looks, names)
    sizes = tuple(one.moments.n_rows for one in looks)
    if not sum(sizes):
        raise ValueError(
            f"Expected rows, got {len(sizes)} empty chunks. Check how the collection was made."
        )
    chosen = chosen_rows(sum(sizes), seed)
    summary = summary_of(looks, picked(found.chunks, sizes, chosen), chosen)
    check_spread(np.stack([summary.lowest, summary.highest]), names)
    return Chunked(
        names,
        found.names is not None,
        found.dtype,
        summary,
        found,
        sizes,
        bundles_of(collection, found.keys, sizes),
    )


def bundles_of(collection: Any, keys: list[Any], sizes: tuple[int, ...]) -> list[list[int]]:
    """Bundle chunks that a worker holds, one bundle for each of its threads; others stay alone.

    A task costs milliseconds. What the sums are does not depend on bundles (``numerics.wide``): they are others on
    another cluster, and may be others after a restart.
    """
    filled = [index for index, size in enumerate(sizes) if size]
    client = client_or_none()
    if client is None:
        return [[index] for index in filled]
    holders = client.who_has([collection])
    of_worker: dict[str, list[int]] = {}
    for index in filled:
        those: list[str] = list(holders.get(keys[index], ()))
        worker = those[0] if those else f"nobody, {index}"
        of_worker.setdefault(worker, []).append(index)
    n_threads = client.nthreads()
    return [
        bundle.tolist()
        for worker, chunks in of_worker.items()
        for bundle in np.array_split(chunks, min(n_threads.get(worker, 1), len(chunks)))
    ]


def firsts_of(sizes: tuple[int, ...]) -> list[int]:
    """Return the number of the first row of each chunk."""
    return [int(first) for first in np.cumsum([0, *sizes[:-1]])]


def is_collection(rows: Any) -> bool:
    """Say whether rows are a Dask collection, without importing Dask."""
    return type(rows).__module__.split(".")[0] == "dask"


def client_or_none() -> Any:
    """Return the client of Dask that there is, if there is one."""
    try:
        from distributed import get_client

        return get_client()
    except (ImportError, ValueError):
        return None


def require_workers() -> None:
    """Raise if there is a client of Dask that nobody works for."""
    client = client_or_none()
    if client is not None and not client.scheduler_info(n_workers=1)["workers"]:
        raise ValueError(
            f"Expected workers, got a client without any, {client!r}: nobody would do the work. Start workers, or "
            "close the client to work in this process."
        )


class Parts(NamedTuple):
    """A Dask collection as rows.

    Attributes:
        names: column names, if there are any.
        n_columns: number of columns, D.
        keys: what chunks are called where they are persisted.
        chunks: delayed rows (n, D), one by one. Their graphs are not optimised: those that are do not hold what is
            persisted.
        dtype: floating-point type in which results are handed back.
    """

    names: tuple[str, ...] | None
    n_columns: int
    keys: list[Any]
    chunks: list[Any]
    dtype: np.dtype


def parts_of(collection: Any) -> Parts:
    """Return the parts of a Dask array or data frame.

    Raises:
        ValueError: not a table.
        TypeError: columns that are not numbers.
    """
    if hasattr(collection, "dtypes"):
        return parts_of_frame(collection)
    if getattr(collection, "ndim", 0) != 2:
        raise ValueError(
            f"Expected a Dask array of rows (N, D) or a Dask data frame, got {collection!r}. Pass a table."
        )
    dtype = floating(collection.dtype)
    whole_rows = collection if collection.numblocks[1] == 1 else collection.rechunk({1: -1})
    chunks = list(whole_rows.to_delayed(optimize_graph=False).ravel())
    return Parts(None, collection.shape[1], keys_of(chunks), chunks, dtype)


def parts_of_frame(frame: Any) -> Parts:
    """Return the parts of a Dask data frame, each as rows."""
    import dask

    others = [str(name) for name, kind in frame.dtypes.items() if kind.kind not in "iufb"]
    if others:
        raise TypeError(
            f"Expected columns of numbers, got {others} of other types. Leave them out, or convert them."
        )
    names = tuple(map(str, frame.columns))
    is_single = all(kind.kind == "f" and kind.itemsize == 4 for kind in frame.dtypes)
    dtype = np.dtype(np.float32 if is_single else np.float64)
    of_part = dask.delayed(rows_of_frame)
    parts = frame.to_delayed(optimize_graph=False)
    chunks = [of_part(part, names, dtype, index) for index, part in enumerate(parts)]
    return Parts(names, len(names), keys_of(parts), chunks, dtype)


def keys_of(delayed: list[Any]) -> list[Any]:
    """Return the keys under which workers hold delayed values: parts of a frame have others of their own."""
    tasks = [one.dask.get(one.key) for one in delayed]
    return [getattr(task, "target", one.key) for one, task in zip(delayed, tasks, strict=True)]
