"""Marginal and conditional distributions of new rows, averaged over the posterior.

A row's predictive density is p(x) = sum_s p(x | theta_s) / S, so that given some of its columns

    p(y | x) = sum_s p(y, x | theta_s) / sum_s p(x | theta_s):

a draw counts by how well it predicted what is given. A point fit has a single draw.
"""

import operator
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..data.affine import Affine
from ..model.resolved import Model
from ..result import Fit
from .conditionals import FARTHEST, regressions
from .predictive import Predictive


def marginal(fit: Fit, columns: Any) -> Predictive:
    """Return the predictive distribution of some columns of a new row.

    Args:
        fit: any fit; for a posterior its draws are averaged over.
        columns: names or positions of the columns, or a single one; the order is kept.

    Returns:
        The distribution, a Gaussian mixture.

    Raises:
        ValueError: no column, one that the fit does not have, or one twice.
    """
    single = isinstance(columns, str) or not isinstance(columns, Iterable)
    asked = positions(fit.model, [columns] if single else columns)
    if not asked:
        raise ValueError(
            f"Expected at least one column, got none. Name some of {list(fit.model.names)}."
        )
    return predictive(fit, [], asked, np.empty((1, 0)), None)


def condition(fit: Fit, values: Mapping[Any, Any]) -> Predictive:
    """Return the predictive distribution of the other columns of a row, given some.

    Each draw of a posterior counts by how well it predicts the given values: p(y | x) is the
    average of p(y | x, draw) with weights proportional to p(x | draw).

    Args:
        fit: any fit; for a posterior its draws are averaged over.
        values: a number per given column, in the data's units, by name or position; arrays (M,)
            make M conditions, numbers among them hold in all. A pandas data frame will do.

    Returns:
        The distribution of the columns not given, in the order of the fit.

    Raises:
        ValueError: no column, every column, one that the fit does not have, or one twice; values
            that are not finite, or arrays of unequal length.
        TypeError: values that are no mapping, or not numbers.
    """
    if not hasattr(values, "items"):
        raise TypeError(
            f"Expected a mapping from columns to values, got {type(values).__name__}. "
            "Pass for instance {'length': 4.0}."
        )
    table = dict(values.items())
    given = positions(fit.model, table)
    asked = [j for j in range(fit.model.n_columns) if j not in given]
    check_some_given(fit.model, given, asked)
    rows, n_conditions = rows_of(fit.model, given, list(table.values()))
    return predictive(fit, given, asked, rows, n_conditions)


def predictive(
    fit: Fit, given: list[int], asked: list[int], rows: np.ndarray, n_conditions: int | None
) -> Predictive:
    """Build the distribution of asked columns given others: rows (M, G) in the data's units."""
    centre, scale = fit.model.affine
    scaled = Affine(centre[given], scale).forward(rows)
    check_reach(fit.model, given, rows, scaled)
    return Predictive(
        columns=tuple(fit.model.names[j] for j in asked),
        n_conditions=n_conditions,
        components=regressions(fit, given, asked),
        given=scaled,
        affine=Affine(centre[asked], scale),
        dtype=fit.model.dtype,
    )


def positions(model: Model, columns: Iterable[Any]) -> list[int]:
    """Return the positions of columns, each known and none twice."""
    found = [position(model, column) for column in columns]
    twice = [model.names[j] for j in dict.fromkeys(found) if found.count(j) > 1]
    if twice:
        raise ValueError(f"Expected each column once, got {twice} twice. Pass every column once.")
    return found


def position(model: Model, column: Any) -> int:
    """Return the position of a column given by name or position."""
    if isinstance(column, str) and column in model.names:
        return model.names.index(column)
    if hasattr(column, "__index__") and 0 <= operator.index(column) < model.n_columns:
        return operator.index(column)
    raise ValueError(
        f"Expected columns among {list(model.names)}, got {column!r}. Pass names, or positions from "
        f"0 to {model.n_columns - 1}."
    )


def rows_of(model: Model, given: list[int], values: list[Any]) -> tuple[np.ndarray, int | None]:
    """Return conditions (M, G) and M; one condition and None where no value is an array."""
    arrays = [as_numbers(model.names[j], value) for j, value in zip(given, values, strict=True)]
    lengths = {model.names[j]: len(a) for j, a in zip(given, arrays, strict=True) if a.ndim}
    if len(set(lengths.values())) > 1 or 0 in lengths.values():
        raise ValueError(
            f"Expected numbers, or arrays of one length, got lengths {lengths}. Pass a value per "
            "condition in each."
        )
    rows = np.stack(np.broadcast_arrays(*arrays), -1).reshape(-1, len(given))
    return rows, len(rows) if lengths else None


def as_numbers(name: str, value: Any) -> np.ndarray:
    """Return a number or an array (M,) as floats."""
    try:
        array = np.asarray(value, float)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"Expected numbers for column {name!r}, got {value!r}. Pass a number or an array (M,)."
        ) from error
    if array.ndim > 1:
        raise ValueError(
            f"Expected a number or an array (M,) for column {name!r}, got shape {array.shape}. "
            "Pass one axis of conditions."
        )
    return array


def check_some_given(model: Model, given: list[int], asked: list[int]) -> None:
    """Raise unless some columns are given and some are not."""
    if not given:
        raise ValueError(
            "Expected the value of at least one column, got none. Pass one, or use "
            "bg.marginal(fit, columns), which needs none."
        )
    if not asked:
        raise ValueError(
            f"Expected at least one column without a value, got values of all: {list(model.names)}. "
            "Leave out the columns you ask for."
        )


def check_reach(model: Model, given: list[int], rows: np.ndarray, scaled: np.ndarray) -> None:
    """Raise unless all values are finite and near enough for a density."""
    bad = np.argwhere(~(np.abs(scaled) < FARTHEST))
    if len(bad):
        row, column = bad[0]
        raise ValueError(
            f"Expected finite values within {FARTHEST:.0e} standard deviations of the data, got "
            f"{rows[row, column]} for column {model.names[given[column]]!r}. Leave out what is not "
            "known, or check the units."
        )
