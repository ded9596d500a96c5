"""Cross-validated log-likelihood: rows left out are rows of weight zero, so nothing is compiled again.

Smyth (2000), Statistics and Computing 10, 63-72.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from ..data.dataset import Dataset
from ..numerics.rows import Rows, chunk_patterns, chunk_rows
from .request import Request
from .sweep import sweep

type Key = tuple[str, int]


def cross_validated(
    request: Request, data: Dataset, bar: Any = None
) -> dict[Key, tuple[float, float]]:
    """Return the log-likelihood of left-out rows and its standard error, by structure and K.

    Each fold is fitted anew, starts included, and predicts the rows it has not seen. The error is
    that of a sum over folds that vary as they do; NaN for models that some fold could not fit.
    Nothing where the user interrupts.
    """
    weights = np.ones(data.n_rows) if data.weights is None else data.weights
    found: dict[Key, list[float]] = {}
    for left_out in fold_masks(data.n_rows, request.n_folds, request.seed):
        kept = replace(data, weights=np.where(left_out, 0.0, weights))
        tested = np.where(left_out, weights, 0.0)
        for swept in sweep(request, kept, bar):
            if swept.climbed.interrupted:
                return {}
            length = swept.starts.grid.rows.values.shape[-1]
            rows = rows_to_test(kept, tested, length)
            cells = float(tested @ (~np.isnan(data.values)).sum(1))
            unit = cells * np.log(kept.affine.scale)
            for size, sums in swept.climbed.row_sums(rows).items():
                found.setdefault((swept.structure, size), []).append(float(sums[0] - unit))
    return {key: summed(parts, request.n_folds) for key, parts in found.items()}


def fold_masks(n_rows: int, n_folds: int, seed: int) -> list[np.ndarray]:
    """Return for each fold which rows it leaves out, (N,)."""
    order = np.random.RandomState(seed).permutation(n_rows)
    return [np.isin(np.arange(n_rows), part) for part in np.array_split(order, n_folds)]


def rows_to_test(kept: Dataset, tested: np.ndarray, length: int) -> Rows:
    """Return the rows with other weights, in the units and chunks of the fit."""
    scaled = kept.affine.forward(kept.values)
    rest = tested == 0
    scaled[rest] = np.where(np.isnan(scaled[rest]), np.nan, 0.0)
    cut = chunk_patterns if kept.has_missing else chunk_rows
    return cut(scaled, length, tested)


def summed(parts: list[float], n_folds: int) -> tuple[float, float]:
    """Return the sum over folds and its standard error."""
    if len(parts) < n_folds:
        return np.nan, np.nan
    return float(np.sum(parts)), float(np.sqrt(n_folds) * np.std(parts, ddof=1))
