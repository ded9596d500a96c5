"""What rows may carry besides numbers: a weight, and a component that is known."""

from typing import Any

import numpy as np


def check_weights(weights: Any, n_rows: int) -> np.ndarray:
    """Return row weights (N,), float64.

    Raises:
        ValueError: another shape, numbers that are negative or not finite, or none above zero.
    """
    values = np.asarray(weights, dtype=np.float64)
    if values.shape != (n_rows,):
        raise ValueError(
            f"Expected a weight for each of the {n_rows} rows, got weights of shape {values.shape}. "
            "Pass one number >= 0 per row: sample_weight.shape == (n_samples,)."
        )
    bad = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
    if len(bad):
        raise ValueError(
            f"Expected row weights that are finite and >= 0, got {values[bad[0]]} in row {bad[0]}. "
            "A weight is how many rows a row counts as."
        )
    if not values.any():
        raise ValueError(
            "Expected some row with a weight above zero, got weights that are all zero. Leave the "
            "weights out to count every row once."
        )
    return values


def check_labels(labels: Any, n_rows: int) -> np.ndarray | None:
    """Return known labels (N,), -1 where none is known; None if none is.

    Raises:
        ValueError: another shape, or anything but whole numbers >= -1.
    """
    values = np.asarray(labels)
    if values.shape != (n_rows,):
        raise ValueError(
            f"Expected a label for each of the {n_rows} rows, got labels of shape {values.shape}. Pass "
            "one per row, -1 where it is not known."
        )
    with np.errstate(invalid="ignore"):
        whole = values.astype(np.int64) if values.dtype.kind in "biuf" else None
    if whole is None or (whole != values).any() or (whole < -1).any():
        raise ValueError(
            f"Expected labels that are whole numbers >= -1, got {values.dtype} such as "
            f"{np.unique(values)[:5].tolist()}. Number the components 0, 1, ... and pass -1 where the "
            "component of a row is not known."
        )
    return whole if (whole >= 0).any() else None
