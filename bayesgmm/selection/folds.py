"""Cross-validated log-likelihood: rows left out are rows of weight zero, so nothing is compiled again.

Smyth (2000), Statistics and Computing 10, 63-72.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from ..data.dataset import Dataset
from ..numerics.rows import Rows, chunk_patterns, chunk_rows
from ..result import Outcome
from .request import Request
from .sweep import Swept, sweep

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
    masks = fold_masks(np.flatnonzero(weights), data.n_rows, request.n_folds, request.seed)
    for left_out in masks:
        kept = replace(data, weights=np.where(left_out, 0.0, weights))
        tested = np.where(left_out, weights, 0.0)
        if float(kept.affine.scale) == 0:
            continue
        try:
            for swept in sweep(request, kept, bar):
                if swept.climbed.interrupted:
                    return {}
                for size, value in left_out_values(swept, kept, tested).items():
                    found.setdefault((swept.structure, size), []).append(value)
        except KeyboardInterrupt:
            return {}
        except ValueError:
            # What a fold keeps can be too little for any of the models, which then have no value.
            continue
    shares = [float(weights[mask].sum() / weights.sum()) for mask in masks]
    return {key: summed(parts, shares) for key, parts in found.items()}


def left_out_values(swept: Swept, kept: Dataset, tested: np.ndarray) -> dict[int, float]:
    """Return the log-likelihood of the rows left out, by K, of models that have a regular fit."""
    rows = rows_to_test(kept, tested, swept.starts.grid.rows.values.shape[-1])
    unit = float(tested @ (~np.isnan(kept.values)).sum(1)) * np.log(kept.affine.scale)
    return {
        size: float(sums[0] - unit)
        for size, sums in swept.climbed.row_sums(rows).items()
        if size not in swept.refused
        and swept.climbed.fits[size].status.outcome is not Outcome.COLLAPSED
    }


def fold_masks(counted: np.ndarray, n_rows: int, n_folds: int, seed: int) -> list[np.ndarray]:
    """Return for each fold which of the rows that count (M,) it leaves out, (N,)."""
    order = np.random.RandomState(seed).permutation(counted)
    return [np.isin(np.arange(n_rows), part) for part in np.array_split(order, n_folds)]


def rows_to_test(kept: Dataset, tested: np.ndarray, length: int) -> Rows:
    """Return the rows with other weights, in the units and chunks of the fit."""
    scaled = kept.affine.forward(kept.values)
    rest = tested == 0
    scaled[rest] = np.where(np.isnan(scaled[rest]), np.nan, 0.0)
    cut = chunk_patterns if kept.has_missing else chunk_rows
    return cut(scaled, length, tested)


def summed(parts: list[float], shares: list[float]) -> tuple[float, float]:
    """Return the sum over folds, which hold such shares of the rows, and its standard error."""
    if len(parts) < len(shares):
        return np.nan, np.nan
    whole = np.array(parts) / shares
    return float(np.sum(parts)), float(np.std(whole, ddof=1) / np.sqrt(len(parts)))
