"""The loop outside compiled code: advance a state in slices, show progress, survive Ctrl-C.

A compiled program runs a slice of the work and returns to Python, where a progress bar moves, a
checkpoint is written and an interruption is noticed. What was finished before the interruption is kept.
"""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax

from ..numerics.progress import tqdm
from .checkpoint import Checkpoint
from .checkpoint_file import Progress

SLICE_SECONDS = 0.4
NOWHERE = Checkpoint()


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
    checkpoint: Checkpoint = NOWHERE,
) -> Drive:
    """Advance ``state`` by slices of work until ``n_total`` units are done.

    Args:
        advance: (state, n) -> (state, output, units done); fewer than n units means finished.
        state: where to start, unless the checkpoint is further.
        n_total: units of work.
        first: units in the first slice; later ones aim at a fixed time.
        longest: most units in one slice.
        describe: text for the progress bar from an output.
        progress: whether to show a bar.
        label: name of the run on the bar.
        checkpoint: where the run is kept. Outputs are then records of arrays to be laid end to end, and
            those of slices that a file holds come back as one.

    Returns:
        The last state and all outputs.
    """
    at, size, interrupted = checkpoint.start(state), first, False
    with (
        terminable(),
        tqdm(
            total=n_total, initial=at.n_done, desc=label, disable=not progress, leave=False
        ) as bar,
    ):
        try:
            while at.n_done < n_total and not at.finished:
                asked = min(size, n_total - at.n_done)
                begun = time.perf_counter()
                new_state, output, n_units = advance(at.state, asked)
                jax.block_until_ready(new_state)
                n_done = at.n_done + int(n_units)
                is_last = n_units < asked or n_done == n_total
                at = Progress(new_state, [*at.outputs, output], n_done, is_last)
                size = next_size(asked, time.perf_counter() - begun, longest)
                checkpoint.note(at)
                bar.update(int(n_units))
                if progress and describe is not None:
                    bar.set_postfix_str(describe(output))
        except KeyboardInterrupt:
            interrupted = True
        finally:
            checkpoint.write()
    return Drive(at.state, at.outputs, at.n_done, interrupted)


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM interrupt a run as Ctrl-C does, where it would end the process."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def next_size(size: int, seconds: float, longest: int) -> int:
    """Return the size of a slice that takes about ``SLICE_SECONDS``, at most doubled."""
    wanted = int(size * SLICE_SECONDS / max(seconds, 1e-6))
    return max(1, min(wanted, 2 * size, longest))
