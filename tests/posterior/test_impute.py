"""Missing cells against the conditional distribution of each row by itself."""

import itertools

import numpy as np
import pandas as pd
import polars as pl
import pytest
from handmade import FULL, NAMES, D, every_fit, fit_of, made
from textbook import assert_close, assert_mean, assert_three_parts

import bayesgmm as bg
from bayesgmm import impute


def rows_with_holes(fit):
    """Two rows of each pattern of missing cells, mixed up."""
    patterns = list(itertools.product([False, True], repeat=D)) * 2
    order = np.random.default_rng(3).permutation(len(patterns))
    missing = np.array(patterns)[order]
    rows = fit.data.values[: len(patterns)].copy()
    rows[missing] = np.nan
    return rows, missing


def law_of(fit, row):
    """The distribution of the missing cells of one row, by the public door."""
    given = {j: value for j, value in enumerate(row) if not np.isnan(value)}
    asked = [j for j in range(D) if j not in given]
    return bg.condition(fit, given) if given else bg.marginal(fit, asked)


@every_fit
def test_imputing_is_conditioning_row_by_row(structure, kind):
    fit = fit_of(structure, kind)
    rows, missing = rows_with_holes(fit)
    result = impute(fit, rows)
    assert result.draws is None
    for row, holes, value, sd in zip(rows, missing, result.values, result.sd, strict=True):
        np.testing.assert_array_equal(value[~holes], row[~holes])
        np.testing.assert_array_equal(sd[~holes], 0)
        if holes.any():
            law = law_of(fit, row)
            assert_close(value[holes], law.mean())
            assert_close(sd[holes], law.sd())


@pytest.mark.parametrize("n_draws", [0, 3])
def test_complete_rows_come_back_unchanged(n_draws):
    fit = fit_of(FULL, "posterior")
    result = impute(fit, fit.data.values, n_draws)
    np.testing.assert_array_equal(result.values, fit.data.values)
    np.testing.assert_array_equal(result.sd, 0)
    if n_draws:
        np.testing.assert_array_equal(result.draws, np.stack([fit.data.values] * n_draws))


def test_multiple_imputations_have_the_law_of_the_missing_cells():
    fit = fit_of(FULL, "posterior")
    rows, missing = rows_with_holes(fit)
    draws = impute(fit, rows, n_draws=10_000, seed=2).draws
    assert draws.shape == (10_000, *rows.shape)
    for m, (row, holes) in enumerate(zip(rows, missing, strict=True)):
        np.testing.assert_array_equal(draws[:, m, ~holes], np.tile(row[~holes], (10_000, 1)))
        if holes.any():
            law = law_of(fit, row)
            offsets = draws[:, m, holes] - law.mean()
            assert_mean(offsets, np.zeros(holes.sum()))
            assert_mean(offsets[:, :, None] * offsets[:, None], law.covariance())


def test_a_seed_gives_the_same_imputations():
    fit = fit_of(FULL, "posterior")
    rows, missing = rows_with_holes(fit)
    one, again, other = (impute(fit, rows, 2, seed).draws for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, again)
    assert (one != other)[:, missing].all()


def frames():
    fit = fit_of(FULL, "point")
    rows, _ = rows_with_holes(fit)
    index = pd.Index(np.arange(len(rows)) * 10, name="bird")
    return {
        "pandas": pd.DataFrame(rows, columns=list(NAMES), index=index),
        "pandas nullable": pd.DataFrame(rows, columns=list(NAMES)).convert_dtypes(),
        "pandas without names": pd.DataFrame(rows),
        "polars": pl.DataFrame(rows, schema=list(NAMES)).fill_nan(None),
    }


@pytest.mark.parametrize("name", frames())
def test_a_frame_comes_back_as_a_frame(name):
    fit = fit_of(FULL, "point")
    expected = impute(fit, rows_with_holes(fit)[0], 1)
    frame = frames()[name]
    result = impute(fit, frame, 1)
    for part in ("values", "sd"):
        found = getattr(result, part)
        assert type(found) is type(frame)
        assert list(found.columns) == list(frame.columns)
        assert_close(found.to_numpy(), getattr(expected, part))
    if isinstance(frame, pd.DataFrame):
        pd.testing.assert_index_equal(result.values.index, frame.index)
    assert isinstance(result.draws, np.ndarray)


def test_nested_lists_and_single_precision():
    fit = fit_of(FULL, "point")
    result = impute(fit, [[10.0, None, 300.0], [np.nan, -5.0, 299.0]])
    assert_close(result.values[0, 1], bg.condition(fit, {"a": 10.0, "c": 300.0}).mean()[0])
    single = made(fit.scaled, "full", rows=fit.data.values.astype(np.float32))
    rows = rows_with_holes(single)[0]
    answers = impute(single, rows, 2)
    assert all(answer.dtype == np.float32 for answer in answers)
    assert_close(answers.values, impute(fit, rows).values, rtol=1e-5)


REFUSED = {
    "other number": (lambda fit: impute(fit, [[1.0, np.nan]]), "2 features", "expecting 3"),
    "other names": (
        lambda fit: impute(fit, pd.DataFrame({"a": [1.0], "c": [np.nan], "b": [1.0]})),
        "['a', 'c', 'b']",
    ),
    "infinity": (
        lambda fit: impute(fit, [[1, np.nan, np.inf]]),
        "infinity",
        "row 0, column 2",
        "Correct such cells",
    ),
    "too far": (lambda fit: impute(fit, [[1e200, np.nan, 1]]), "1e+200", "'a'"),
    "draws": (lambda fit: impute(fit, [[1, 2, np.nan]], -1), "n_draws >= 0", "got -1"),
}


@pytest.mark.parametrize(("ask", "words"), [(a, w) for a, *w in REFUSED.values()], ids=[*REFUSED])
def test_bad_rows_are_refused_in_a_sentence(ask, words):
    with pytest.raises(ValueError, match=r"[Ee]xpect") as error:
        ask(fit_of(FULL, "point"))
    message = str(error.value)
    if message.startswith("Expected"):
        assert_three_parts(message)
    assert all(word in message for word in words), message
