"""A sweep as records: one per model, those without a fit with the reason."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..data.dataset import Dataset
from ..result import Fit, Outcome
from .request import Request
from .sweep import Swept, criteria_of

LOWER_IS_BETTER = {"aic": True, "bic": True, "icl": True, "cv": False}
COLUMN = {"aic": "aic", "bic": "bic", "icl": "icl", "cv": "cv_log_likelihood"}
# Outcomes whose parameters may be compared with those of other models.
COMPARABLE = (Outcome.CONVERGED.value, Outcome.MAX_ITER.value)
MODEL_COLUMNS = ("covariance_type", "n_components", "delta")
CRITERIA_COLUMNS = ("aic", "bic", "icl", "log_likelihood")
CV_COLUMNS = ("cv_log_likelihood", "cv_error")
FIT_COLUMNS = ("n_parameters", "n_iter", "remaining_gain", "n_collapsed", "seconds")

type Record = dict[str, Any]
FAILED, NOT_RUN = "failed", "not run"


def records_of(
    request: Request,
    data: Dataset,
    all_swept: Iterable[Swept],
    validated: Mapping[tuple[str, int], tuple[float, float]],
) -> list[Record]:
    """Return the rows of the table; ``delta`` is how far a model is behind the best one."""
    swept = {one.structure: one for one in all_swept}
    rows: list[Record] = []
    for structure in request.structures:
        one = swept.get(structure)
        found = {} if one is None else criteria_of(one, data)
        for size in request.n_components:
            row: Record = dict.fromkeys((*MODEL_COLUMNS, *CRITERIA_COLUMNS), np.nan)
            row |= {"covariance_type": structure, "n_components": size} | found.get(size, {})
            if request.n_folds:
                scores = validated.get((structure, size), (np.nan, np.nan))
                row |= zip(CV_COLUMNS, scores, strict=True)
            row |= dict.fromkeys(FIT_COLUMNS, np.nan) | ending(one, size)
            rows.append(row | without_score(row, request.criterion))
    for row, delta in zip(rows, behind(rows, request.criterion), strict=True):
        row["delta"] = delta
    return rows


def without_score(row: Record, criterion: str) -> Record:
    """Say why a model that was fitted has no cross-validated log-likelihood."""
    if criterion != "cv" or row["status"] not in COMPARABLE or not np.isnan(row[COLUMN["cv"]]):
        return {}
    return {
        "reason": "Cross-validation was interrupted, or has a fold that the model does not fit."
    }


def ending(swept: Swept | None, n_components: int) -> Record:
    """Describe how the fit of a model ended."""
    if swept is None:
        return {"status": NOT_RUN, "reason": "The run was interrupted before this structure."}
    if n_components in swept.refused:
        return {"status": FAILED, "reason": swept.refused[n_components]}
    seconds = {"seconds": swept.climbed.seconds[n_components]}
    if n_components in swept.climbed.failures:
        return seconds | {"status": FAILED, "reason": swept.climbed.failures[n_components]}
    return seconds | of_fit(swept.climbed.fits[n_components])


def of_fit(fit: Fit) -> Record:
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


def behind(rows: list[Record], criterion: str) -> np.ndarray:
    """Return how far each model is behind the best, >= 0; NaN where it cannot be compared."""
    values = np.array([row[COLUMN[criterion]] for row in rows], float)
    values[[row["status"] not in COMPARABLE for row in rows]] = np.nan
    if np.isnan(values).all():
        return values
    best = np.nanmin(values) if LOWER_IS_BETTER[criterion] else np.nanmax(values)
    return np.abs(values - best)
