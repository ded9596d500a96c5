"""A sweep as a table: a row per model, those without a fit with the reason."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..data.dataset import Dataset
from ..result import Fit, Outcome
from .request import Request
from .sweep import Swept, criteria_of

LOWER_IS_BETTER = {"aic": True, "bic": True, "icl": True, "cv": False}
COLUMN = {"aic": "aic", "bic": "bic", "icl": "icl", "cv": "cv_log_likelihood"}
# Outcomes whose parameters may be compared with those of other models.
COMPARABLE = (Outcome.CONVERGED.value, Outcome.MAX_ITER.value)
CRITERIA_COLUMNS = ("aic", "bic", "icl", "log_likelihood")
FIT_COLUMNS = ("n_parameters", "n_iter", "remaining_gain", "n_collapsed")
FAILED, NOT_RUN = "failed", "not run"


def table_of(
    request: Request,
    data: Dataset,
    all_swept: Iterable[Swept],
    validated: Mapping[tuple[str, int], tuple[float, float]],
) -> pd.DataFrame:
    """Return the table of a sweep; ``delta`` is how far a model is behind the best one."""
    swept = {one.structure: one for one in all_swept}
    rows: list[dict[str, Any]] = []
    for structure in request.structures:
        one = swept.get(structure)
        found = {} if one is None else criteria_of(one, data)
        for size in request.n_components:
            row: dict[str, Any] = {"covariance_type": structure, "n_components": size}
            row |= found.get(size, {})
            if request.n_folds:
                names = ("cv_log_likelihood", "cv_error")
                row |= zip(names, validated.get((structure, size), (np.nan, np.nan)), strict=True)
            rows.append(row | ending(one, size))
    table = pd.DataFrame(rows)
    for column in (*CRITERIA_COLUMNS, *FIT_COLUMNS):
        if column not in table:
            table[column] = np.nan
    table.insert(2, "delta", behind(table, request.criterion))
    return table


def ending(swept: Swept | None, n_components: int) -> dict[str, Any]:
    """Describe how the fit of a model ended."""
    if swept is None:
        return {"status": NOT_RUN, "reason": "The run was interrupted before this structure."}
    if n_components in swept.refused:
        return {"status": FAILED, "reason": swept.refused[n_components]}
    seconds = {"seconds": swept.climbed.seconds[n_components]}
    if n_components in swept.climbed.failures:
        return seconds | {"status": FAILED, "reason": swept.climbed.failures[n_components]}
    return seconds | of_fit(swept.climbed.fits[n_components])


def of_fit(fit: Fit) -> dict[str, Any]:
    """Describe a fit and its restarts."""
    regular = np.asarray(fit.history["restart_collapsed"]) < 0
    return {
        "n_parameters": fit.n_parameters,
        "n_iter": len(fit.history["log_likelihood"]) - 1,
        "remaining_gain": float(fit.history.get("remaining_gain", np.nan)),
        "n_collapsed": int((~regular).sum()),
        "status": fit.status.outcome.value,
        "reason": "" if fit.status.ok else fit.status.message,
    }


def behind(table: pd.DataFrame, criterion: str) -> pd.Series:
    """Return how far each model is behind the best, >= 0; NaN where it cannot be compared."""
    if COLUMN[criterion] not in table:
        return pd.Series(np.nan, table.index)
    values = table[COLUMN[criterion]].where(table["status"].isin(COMPARABLE))
    return values - values.min() if LOWER_IS_BETTER[criterion] else values.max() - values
