"""The loop outside compiled code: advance a state in slices, show progress, survive Ctrl-C.

A compiled program runs a slice of the work and returns to Python, where a progress bar moves and an
interruption is noticed. What was finished before the interruption is kept.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from ..numerics.progress import tqdm

SLICE_SECONDS = 0.4


class Drive(NamedTuple):
    """Where a driven run stopped.

    Attributes:
        state: the last complete state.
        outputs: what each slice returned beside its state.
        n_done: units of work finished.
        interrupted: whether the user stopped the run.
    """

    state: Any
    outputs: list[Any]
    n_done: int
    interrupted: bool


def drive(
    advance: Callable[[Any, int], tuple[Any, Any, int]],
    state: Any,
    n_total: int,
    *,
    first: int,
    longest: int,
    describe: Callable[[Any], str] | None = None,
    progress: bool = False,
    label: str = "",
) -> Drive:
    """Advance ``state`` by slices of work until ``n_total`` units are done.

    Args:
        advance: (state, n) -> (state, output, units done); fewer than n units means finished.
        state: where to start.
        n_total: units of work.
        first: units in the first slice; later ones aim at a fixed time.
        longest: most units in one slice.
        describe: text for the progress bar from an output.
        progress: whether to show a bar.
        label: name of the run on the bar.

    Returns:
        The last state and all outputs.
    """
    outputs: list[Any] = []
    n_done, size = 0, first
    with tqdm(total=n_total, desc=label, disable=not progress, leave=False) as bar:
        try:
            while n_done < n_total:
                asked = min(size, n_total - n_done)
                begun = time.perf_counter()
                new_state, output, n_units = advance(state, asked)
                jax.block_until_ready(new_state)
                state, n_done = new_state, n_done + int(n_units)
                outputs.append(output)
                bar.update(int(n_units))
                if progress and describe is not None:
                    bar.set_postfix_str(describe(output))
                if n_units < asked:
                    break
                size = next_size(asked, time.perf_counter() - begun, longest)
        except KeyboardInterrupt:
            return Drive(state, outputs, n_done, interrupted=True)
    return Drive(state, outputs, n_done, interrupted=False)


def next_size(size: int, seconds: float, longest: int) -> int:
    """Return the size of a slice that takes about ``SLICE_SECONDS``, at most doubled."""
    wanted = int(size * SLICE_SECONDS / max(seconds, 1e-6))
    return max(1, min(wanted, 2 * size, longest))
