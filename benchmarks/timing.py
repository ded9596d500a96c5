"""Two programs timed in turn in one process, so that a busy machine slows both alike."""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Comparison(NamedTuple):
    """Seconds per call of two programs, timed in alternation, (repeats,) each."""

    ours: np.ndarray
    theirs: np.ndarray

    @property
    def ratios(self) -> np.ndarray:
        """Their time over ours, one ratio per turn."""
        return self.theirs / self.ours

    def __str__(self) -> str:
        """Show median milliseconds and the spread of the ratio."""
        ours, theirs = 1e3 * np.median(self.ours), 1e3 * np.median(self.theirs)
        low, middle, high = np.percentile(self.ratios, [0, 50, 100])
        return f"{ours:10.3f} {theirs:10.3f} {low:9.1f} {middle:8.1f} {high:8.1f}"


def run_sections(
    description: str | None,
    sections: dict[str, Callable[[bool], None]],
    only_whole: tuple[str, ...] = (),
) -> None:
    """Run the sections of a benchmark that the command line asks for.

    Args:
        description: text for ``--help``.
        sections: by name, functions that print and take whether to be quick.
        only_whole: names of those that ``--quick`` leaves out.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="smaller sizes, fewer repeats")
    parser.add_argument("--only", choices=sections, help="one section")
    asked = parser.parse_args()
    everyday = [name for name in sections if not (asked.quick and name in only_whole)]
    for name in [asked.only] if asked.only else everyday:
        sections[name](asked.quick)


HEADER = f"{'ours/ms':>10} {'theirs/ms':>10} {'min ratio':>9} {'median':>8} {'max':>8}"


def alternate(ours: Callable[[], Any], theirs: Callable[[], Any], n_repeats: int) -> Comparison:
    """Time two programs in turn, each long enough to be measured.

    Args:
        ours: program that blocks until its result is there; called once before timing.
        theirs: likewise.
        n_repeats: turns.
    """
    loops = [n_loops(program) for program in (ours, theirs)]
    turns = [
        [seconds(program, n) for program, n in zip((ours, theirs), loops, strict=True)]
        for _ in range(n_repeats)
    ]
    return Comparison(*np.array(turns).T)


def n_loops(program: Callable[[], Any], at_least: float = 0.1) -> int:
    """Warm a program up and return how many calls take ``at_least`` seconds."""
    program()
    return max(1, int(at_least / max(seconds(program, 1), 1e-6)))


def seconds(program: Callable[[], Any], n_calls: int) -> float:
    """Return seconds per call."""
    begun = time.perf_counter()
    for _ in range(n_calls):
        program()
    return (time.perf_counter() - begun) / n_calls


def fresh_seconds(code: str) -> float:
    """Return the wall time of a fresh Python process that runs ``code``."""
    begun = time.perf_counter()
    fresh_output(code)
    return time.perf_counter() - begun


def fresh_output(code: str) -> str:
    """Return what a fresh Python process prints."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def alternate_fresh(ours: str, theirs: str, n_repeats: int) -> Comparison:
    """Time two pieces of code in fresh processes in turn, after one unmeasured run of each."""
    codes = (ours, theirs)
    turns = [[fresh_seconds(code) for code in codes] for _ in range(n_repeats + 1)]
    return Comparison(*np.array(turns[1:]).T)
