"""Rows that were elsewhere when their fit was saved or sent: their sample is all that came along."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..dataset import Dataset
from .streamed import Streamed
from .summary import Summary


@dataclass(frozen=True)
class LeftBehind:
    """The place of such rows."""

    n_rows: int
    n_columns: int
    names: tuple[str, ...] | None
    dtype: np.dtype

    def blocks(self, length: int) -> Iterator[np.ndarray]:
        """Refuse: there are no rows here."""
        raise ValueError(
            "Expected rows, got a loaded fit, which has a sample of its streamed rows only. Open them again by "
            "bg.stream, and use fit.sampled for pictures and reports."
        )


def left_behind(sample: Dataset, n_rows: int) -> Streamed:
    """Return streamed rows of which a saved fit has kept the sample only."""
    reader = LeftBehind(n_rows, sample.n_columns, sample.names, sample.dtype)
    chosen = np.arange(sample.n_rows) if sample.places is None else sample.places
    summary = Summary(n_rows, *sample.ends(), sample.affine, sample.values, chosen)
    return Streamed(sample.names, sample.named, sample.dtype, summary, reader)
