"""Checks of a fit, each with a value, a threshold and a sentence of advice.

For each kind of fit there are checks of the run, whether it found what it was to find, and of the
model, whether that describes the rows; the most important first. A new check adds a line.
"""

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from ..numerics.precision import in_float64
from ..result import Fit
from .check import Check, judged
from .diagnosis import Diagnosis
from .model_checks import check_classification, check_influence, check_predictive, check_prior
from .point_checks import (
    check_empty,
    check_monotone,
    check_remaining_gain,
    check_restarts,
    check_ridge,
)
from .posterior_checks import check_agreement, check_bound, check_mixing, check_partitions
from .sampler_checks import (
    check_divergences,
    check_energy,
    check_moves,
    check_names,
    check_trees,
)
from .singularity import check_singularity


@in_float64
def diagnose(fit: Fit) -> Diagnosis:
    """Check a fit.

    Args:
        fit: any fit.

    Returns:
        A data frame with a row per check, and columns ``check``, ``value``, ``threshold``,
        ``passed``, ``advice`` and ``about`` ("run" or "model"). Its ``verdict`` sums it up in plain
        words and is printed above it. What is neither right nor wrong has threshold "none".
    """
    rows = [
        (*one, about)
        for about, checks in CHECKS[fit.kind].items()
        for check in checks
        for one in check(fit)
    ]
    table = Diagnosis(rows, columns=[*Check._fields, "about"])
    table.attrs["verdict"] = f"{conclusion(fit)} {verdict(table)}"
    return table


def conclusion(fit: Fit) -> str:
    """Say what was found."""
    if fit.is_point:
        return f"A point estimate with {of_components(int(fit.n_clusters))}."
    numbers, counts = np.unique(fit.n_clusters, return_counts=True)
    mode, share = int(numbers[counts.argmax()]), counts.max() / counts.sum()
    if not fit.model.spec.is_auto:
        return f"A posterior with {of_components(fit.model.n_components)}."
    noun = "cluster" if mode == 1 else "clusters"
    return f"Most probably {mode} {noun} (posterior probability {share:.3g})."


def of_components(n: int) -> str:
    """Return the number with its noun."""
    return f"{n} component{'' if n == 1 else 's'}"


def verdict(table: pd.DataFrame) -> str:
    """Sum a table of checks up: first whether the run can be trusted, then the model."""
    failed = table[~table["passed"]]
    if failed.empty:
        return f"The run can be trusted and the model describes the data: all {len(table)} checks passed."
    of_run = failed[failed["about"] == "run"]
    if of_run.empty:
        return f"The run can be trusted, with care: {in_words(failed, table)}"
    return f"Do not trust this run yet: {in_words(failed, table)}"


def in_words(failed: pd.DataFrame, table: pd.DataFrame) -> str:
    """Count the failures and say what to do about the first."""
    first = failed.iloc[0]
    others = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
    verb = "checks fails" if len(failed) == 1 else "checks fail"
    return f"{len(failed)} of {len(table)} {verb} ({first['check']}{others}). {first['advice']}"


def check_status(fit: Fit) -> Iterator[Check]:
    """Say how the run ended."""
    message = fit.status.message
    yield judged("status", fit.status.ok, "1", fit.status.ok, message, message)


type Checker = Callable[[Fit], Iterator[Check]]

POINT_CHECKS: dict[str, tuple[Checker, ...]] = {
    "run": (
        check_status,
        check_monotone,
        check_singularity,
        check_ridge,
        check_empty,
        check_restarts,
        check_remaining_gain,
    ),
    "model": (check_predictive, check_classification),
}
POSTERIOR_CHECKS: dict[str, tuple[Checker, ...]] = {
    "run": (
        check_agreement,
        check_status,
        check_singularity,
        check_bound,
        check_divergences,
        check_partitions,
        check_mixing,
        check_energy,
        check_trees,
        check_moves,
    ),
    "model": (
        check_predictive,
        check_prior,
        check_influence,
        check_names,
        check_classification,
    ),
}
CHECKS = {"point": POINT_CHECKS, "posterior": POSTERIOR_CHECKS}
