"""The loop outside compiled code, on programs of a few lines."""

import os
import signal
import threading

import pytest

from bayesgmm.engines.driver import SLICE_SECONDS, drive, next_size


def counting(sizes, limit=None, interrupt_at=None):
    """A program whose state counts its units; it finishes at ``limit`` and is stopped in a slice."""

    def advance(state, n_units):
        if len(sizes) == interrupt_at:
            raise KeyboardInterrupt
        done = n_units if limit is None else min(n_units, limit - state)
        sizes.append(n_units)
        return state + done, (state, done), done

    return advance


def test_all_units_are_done_in_slices_no_longer_than_allowed():
    sizes = []
    run = drive(counting(sizes), 0, 100, first=3, longest=8)
    assert (run.state, run.n_done, run.interrupted) == (100, 100, False)
    assert sum(sizes) == 100
    assert sizes[0] == 3
    assert max(sizes) <= 8
    assert [start for start, _ in run.outputs] == [sum(sizes[:k]) for k in range(len(sizes))]


def test_program_that_finishes_early_is_not_called_again():
    sizes = []
    run = drive(counting(sizes, limit=10), 0, 100, first=4, longest=4)
    assert (run.state, run.n_done, run.interrupted) == (10, 10, False)
    assert sizes == [4, 4, 4]


def test_interruption_keeps_what_was_finished():
    sizes = []
    run = drive(counting(sizes, interrupt_at=2), 0, 100, first=5, longest=5)
    assert (run.state, run.n_done, run.interrupted) == (10, 10, True)
    assert run.outputs == [(0, 5), (5, 5)]


def test_interruption_in_the_first_slice_leaves_the_start():
    run = drive(counting([], interrupt_at=0), 7, 100, first=5, longest=5)
    assert (run.state, run.outputs, run.n_done, run.interrupted) == (7, [], 0, True)


def terminated_at(slice_):
    """A program that is sent SIGTERM in one of its slices."""
    sizes = []

    def advance(state, n_units):
        if len(sizes) == slice_:
            os.kill(os.getpid(), signal.SIGTERM)
        sizes.append(n_units)
        return state + n_units, None, n_units

    return advance


def test_sigterm_interrupts_as_ctrl_c_does():
    run = drive(terminated_at(2), 0, 100, first=5, longest=5)
    assert (run.state, run.n_done, run.interrupted) == (10, 10, True)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_handler_of_the_user_is_left_alone():
    called = []
    before = signal.signal(signal.SIGTERM, lambda *given: called.append(given))
    try:
        run = drive(terminated_at(2), 0, 100, first=5, longest=5)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not run.interrupted
    assert len(called) == 1


def test_a_run_in_another_thread_leaves_signals_alone():
    runs = []
    thread = threading.Thread(
        target=lambda: runs.append(drive(counting([]), 0, 9, first=3, longest=3))
    )
    thread.start()
    thread.join()
    assert runs[0].n_done == 9


def test_other_errors_are_not_swallowed():
    def broken(state, n_units):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        drive(broken, 0, 10, first=1, longest=1)


def test_progress_bar_shows_name_count_and_description(capsys):
    drive(
        counting([]),
        0,
        6,
        first=3,
        longest=3,
        describe=lambda output: f"slice from {output[0]}",
        progress=True,
        label="walk",
    )
    shown = capsys.readouterr().err
    assert "walk" in shown
    assert "6/6" in shown
    assert "slice from 3" in shown


def test_without_progress_nothing_is_shown(capsys):
    drive(counting([]), 0, 6, first=3, longest=3)
    shown = capsys.readouterr()
    assert not shown.err
    assert not shown.out


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (SLICE_SECONDS, 10),
        (SLICE_SECONDS / 1.5, 15),
        (SLICE_SECONDS / 100, 20),
        (SLICE_SECONDS * 2, 5),
        (SLICE_SECONDS * 1e6, 1),
        (0.0, 20),
    ],
)
def test_slices_aim_at_one_time_and_at_most_double(seconds, expected):
    assert next_size(10, seconds, longest=1000) == expected


def test_slices_stay_below_the_longest():
    assert next_size(10, 0.0, longest=12) == 12
