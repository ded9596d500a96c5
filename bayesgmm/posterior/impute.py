"""Missing cells of new rows, from the distribution given the cells that are there."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..data.table import match_columns
from ..result import Fit
from .condition import predictive
from .predictive import Predictive


class Imputation(NamedTuple):
    """Rows with their missing cells filled in, and how sure that is.

    Attributes:
        values: the rows with posterior means in place of missing cells, (N, D); a data frame like
            the one that came, or an array.
        sd: standard deviation of each missing cell, zero where a cell was observed, likewise.
        draws: multiple imputations, missing cells of a row drawn jointly, (n_draws, N, D); None if
            none were asked for.
    """

    values: Any
    sd: Any
    draws: np.ndarray | None


def impute(fit: Fit, X: Any, n_draws: int = 0, seed: Any = 0) -> Imputation:
    """Fill in the missing cells of rows from their distribution given the observed cells.

    Rows are grouped by their pattern of missing cells and each group is conditioned at once, as
    ``condition`` does; a row without any cell has the marginal distribution. Cells are taken to be
    missing at random: that a cell is missing says nothing about its value but through the cells
    observed.

    Args:
        fit: any fit; for a posterior its draws are averaged over.
        X: rows (N, D) with the columns of the fit, missing cells NaN (null in a data frame).
        n_draws: number of multiple imputations.
        seed: of these, a whole number or a NumPy random generator.

    Returns:
        Rows, standard deviations and draws, in the data's units and the type of the fitted data.

    Raises:
        ValueError: another number of columns, other names, infinite cells, or n_draws < 0.

    Reference:
        D. B. Rubin (1987), Multiple Imputation for Nonresponse in Surveys, Wiley.
    """
    if n_draws < 0:
        raise ValueError(
            f"Expected n_draws >= 0, got {n_draws!r}. Pass 0 for means and standard deviations only."
        )
    model, random = fit.model, np.random.default_rng(seed)
    rows = match_columns(X, model.names, model.named, np.dtype(float), missing=True)
    values, sd = rows.astype(model.dtype), np.zeros(rows.shape, model.dtype)
    draws = np.repeat(values[None], n_draws, 0)
    for cells, law in by_pattern(fit, rows):
        values[cells], sd[cells] = law.mean_and_sd()
        if n_draws:
            draws[:, *cells] = law.sample(n_draws, random).swapaxes(0, 1)
    return Imputation(like(X, values), like(X, sd), draws if n_draws else None)


def by_pattern(fit: Fit, rows: np.ndarray) -> Iterator[tuple[Any, Predictive]]:
    """Yield each pattern's missing cells, an index of (n, U), and their distribution."""
    patterns, pattern_of = np.unique(np.isnan(rows), axis=0, return_inverse=True)
    for index, missing in enumerate(patterns):
        asked, given = np.flatnonzero(missing).tolist(), np.flatnonzero(~missing).tolist()
        if asked:
            chosen = np.flatnonzero(pattern_of.ravel() == index)
            law = predictive(fit, given, asked, rows[np.ix_(chosen, given)], len(chosen))
            yield np.ix_(chosen, asked), law


def like(X: Any, values: np.ndarray) -> Any:
    """Return values as a data frame like X, with its columns and index, if X is one."""
    if not hasattr(X, "collect_schema") and not hasattr(X, "columns"):
        return values
    if hasattr(X, "index"):
        return type(X)(values, index=X.index, columns=X.columns)
    import narwhals as nw

    schema = nw.from_native(X).collect_schema().names()
    return nw.from_numpy(values, schema, backend=nw.get_native_namespace(X)).to_native()
