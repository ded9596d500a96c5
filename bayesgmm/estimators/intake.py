"""What estimators take: tables in memory as scikit-learn does, and rows that stay where they are."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from ..api import dataset_of
from ..data.sources import Source
from ..data.tabular import Table


def taken_in(estimator: BaseEstimator, X: Any, y: Any, sample_weight: Any) -> Table:
    """Check the rows that an estimator is fitted to, and let it remember their columns.

    Memory maps are arrays here, as scikit-learn and joblib hand them around; ``bg.stream`` leaves them in their file.

    Args:
        estimator: whose ``n_features_in_`` and ``feature_names_in_`` are set.
        X: rows (N, D), in memory or elsewhere.
        y: what may be known of their components, see ``partly_known``.
        sample_weight: how many rows each row counts as, (N,).

    Raises:
        ValueError: rows that cannot be used.
        TypeError: no numbers.
    """
    rows = np.asarray(X) if isinstance(X, np.memmap) else X
    data = dataset_of(rows, sample_weight, partly_known(y))
    validate_data(estimator, shown_rows(X, data), skip_check_array=True)
    return data


def shown_rows(X: Any, data: Table) -> Any:
    """Return rows by which scikit-learn sees how many columns there are, and their names."""
    if not isinstance(data, Source):
        return X if is_frame(X) else data.values
    first = data.sample.values[:1]
    return pd.DataFrame(first, columns=list(data.names)) if data.named else first


def partly_known(y: Any) -> np.ndarray | None:
    """Return labels that mark some rows as unknown by -1, others as 0; None for any other y."""
    if y is None:
        return None
    labels = np.asarray(y)
    marks = labels.dtype.kind == "i" and labels.ndim == 1 and {-1, 0} <= set(labels.tolist())
    return labels if marks else None


def is_frame(X: Any) -> bool:
    """Say whether scikit-learn finds the column names itself."""
    return hasattr(X, "shape") and hasattr(X, "columns")
