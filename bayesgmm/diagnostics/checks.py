"""Checks of a fit, each with a value, a threshold and a sentence of advice.

One table of checks per kind of fit, the most important first; a new check adds a line.
"""

from collections.abc import Callable, Iterator

import pandas as pd

from ..numerics.precision import in_float64
from ..result import Fit
from .check import Check, judged
from .point_checks import (
    check_empty,
    check_monotone,
    check_remaining_gain,
    check_restarts,
    check_ridge,
    check_singularity,
)
from .posterior_checks import (
    check_bound,
    check_divergences,
    check_energy,
    check_mixing,
    check_trees,
)


@in_float64
def diagnose(fit: Fit) -> pd.DataFrame:
    """Check a fit.

    Args:
        fit: any fit.

    Returns:
        A row per check with columns check, value, threshold, passed and advice; the verdict in one
        sentence is in ``attrs["verdict"]``.
    """
    checks = [one for check in CHECKS[fit.kind] for one in check(fit)]
    table = pd.DataFrame(checks, columns=list(Check._fields))
    table.attrs["verdict"] = verdict(table)
    return table


def verdict(table: pd.DataFrame) -> str:
    """Sum a table of checks up in a sentence."""
    failed = table[~table["passed"]]
    if failed.empty:
        return f"All {len(table)} checks passed."
    first = failed.iloc[0]
    others = f", {len(failed) - 1} more" if len(failed) > 1 else ""
    return (
        f"{len(failed)} of {len(table)} checks failed ({first['check']}{others}). {first['advice']}"
    )


def check_status(fit: Fit) -> Iterator[Check]:
    """Say how the run ended."""
    message = fit.status.message
    yield judged("status", fit.status.ok, "1", fit.status.ok, message, message)


type Checker = Callable[[Fit], Iterator[Check]]

POINT_CHECKS: tuple[Checker, ...] = (
    check_status,
    check_monotone,
    check_singularity,
    check_ridge,
    check_empty,
    check_restarts,
    check_remaining_gain,
)
POSTERIOR_CHECKS: tuple[Checker, ...] = (
    check_status,
    check_bound,
    check_divergences,
    check_mixing,
    check_energy,
    check_trees,
)
CHECKS = {"point": POINT_CHECKS, "posterior": POSTERIOR_CHECKS}
