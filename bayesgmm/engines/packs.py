"""Work on many mixtures of different K by one compiled program, as much of it as there is left.

Lanes, each a mixture, are packed into loads of one shape: at most so many lanes, and so many
components on the flat axis of ``model.lanes``. A program advances a load by a few turns; lanes that
are finished leave, and the rest is packed anew. The shape stays, so nothing is compiled again.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, cast

import jax
import numpy as np
from jax import Array

from ..model.lanes import Lanes
from ..numerics.progress import tqdm

# Components on the flat axis: so many that features, computed once for each load, cost little beside
# what is done with them, but few enough that the last lanes do not work in an empty load.
PER_FEATURE = 4
WIDEST = 256
LOADS = 16


class Shape(NamedTuple):
    """The shape of a load.

    Attributes:
        n_lanes: most lanes.
        n_components: components that lanes are padded to.
        width: most components on the flat axis.
    """

    n_lanes: int
    n_components: int
    width: int


class Worked(NamedTuple):
    """What came of the lanes.

    Attributes:
        state: record of NumPy arrays with a leading axis of lanes.
        seconds: time spent on each lane, (L,).
        interrupted: whether the user stopped the work.
    """

    state: Any
    seconds: np.ndarray
    interrupted: bool


def load_shape(sizes: np.ndarray, n_features: int) -> Shape:
    """Return the shape of the loads for lanes with so many components, (L,), and features."""
    most, total = int(sizes.max()), int(sizes.sum())
    width = max(most, min(WIDEST, total, max(-(-total // LOADS), PER_FEATURE * n_features)))
    return Shape(min(len(sizes), -(-width * len(sizes) // total)), most, width)


def loads(sizes: np.ndarray, left: np.ndarray, shape: Shape) -> Iterator[np.ndarray]:
    """Pack the lanes that are left (M,): first fit, the largest first; lanes of each load."""
    found: list[list[int]] = []
    free: list[int] = []
    for lane in left[np.argsort(-sizes[left], kind="stable")]:
        size = int(sizes[lane])
        fits = (
            index
            for index, members in enumerate(found)
            if free[index] >= size and len(members) < shape.n_lanes
        )
        index = next(fits, len(found))
        if index == len(found):
            found.append([])
            free.append(shape.width)
        found[index].append(int(lane))
        free[index] -= size
    yield from map(np.array, found)


def lanes_of(sizes: np.ndarray, shape: Shape) -> Lanes:
    """Lay out the lanes of one load with so many components, (at most n_lanes,)."""
    total, empty = int(sizes.sum()), shape.n_lanes - len(sizes)
    lane = np.full(shape.width, shape.n_lanes, np.int32)
    component = np.zeros(shape.width, np.int32)
    lane[:total] = np.repeat(np.arange(len(sizes)), sizes)
    component[:total] = np.arange(total) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    parts = (lane, component, np.pad(sizes, (0, empty)).astype(np.int32))
    return Lanes(*(cast(Array, part) for part in parts))


def work_off(
    advance: Callable[[Any, Lanes], Any],
    state: Any,
    sizes: np.ndarray,
    shape: Shape,
    is_left: Callable[[Any], np.ndarray],
    bar: "tqdm[Any] | None" = None,
) -> Worked:
    """Advance lanes in loads until none is left.

    Args:
        advance: takes the lanes of one load, (n_lanes, ...), and their layout some turns further. Lanes
            beyond those of the load repeat its first and are thrown away.
        state: record of NumPy arrays with a leading axis of lanes, (L, ...); changed in place.
        sizes: components of each lane, (L,).
        shape: shape of the loads.
        is_left: which lanes of a state are not finished, (L,).
        bar: a progress bar that counts finished lanes.

    Returns:
        The lanes, up to the last complete load where the user interrupted.
    """
    seconds = np.zeros(len(sizes))
    left = np.flatnonzero(is_left(state))
    try:
        while len(left):
            for members in loads(sizes, left, shape):
                begun = time.perf_counter()
                put(
                    state,
                    members,
                    advance(take(state, members, shape), lanes_of(sizes[members], shape)),
                )
                spent = time.perf_counter() - begun
                seconds[members] += spent * sizes[members] / sizes[members].sum()
            still = np.flatnonzero(is_left(state))
            if bar is not None:
                bar.update(len(left) - len(still))
            left = still
    except KeyboardInterrupt:
        return Worked(state, seconds, interrupted=True)
    return Worked(state, seconds, interrupted=False)


def take(state: Any, members: np.ndarray, shape: Shape) -> Any:
    """Return the lanes of a load, the first repeated up to n_lanes."""
    padded = np.concatenate([members, np.full(shape.n_lanes - len(members), members[0])])
    return jax.tree.map(lambda leaf: leaf[padded], state)


def put(state: Any, members: np.ndarray, new: Any) -> None:
    """Write the lanes of a load back."""
    parts = jax.tree.map(lambda part: np.asarray(part)[: len(members)], new)

    def write(leaf: np.ndarray, part: np.ndarray) -> None:
        leaf[members] = part

    jax.tree.map(write, state, parts)
