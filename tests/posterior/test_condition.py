"""Marginals and conditionals against integrals of the joint density, and against textbooks."""

import itertools

import numpy as np
import pytest
from handmade import FULL, NAMES, D, every_fit, fit_of, in_data_units, made, parameters
from scipy import stats
from scipy.integrate import fixed_quad
from textbook import assert_close, assert_three_parts

import bayesgmm as bg
from bayesgmm import condition, marginal
from bayesgmm.model.mixture import Full, Mixture

# Engine units. The narrowest standard deviation is 0.447, against which the trapezoidal rule with
# this step is exact to exp(-24), and nothing of the mixtures lies beyond the ends.
AXIS = 0.4 * np.arange(-38, 39)
# Nodes of that axis, one per column.
GIVEN = {"a": -0.8, "b": 1.2, "c": 0.4}


def conditions(fit, given):
    return {name: in_data_units(fit, name, GIVEN[name]) for name in given}


def law_of(fit, given, asked):
    return condition(fit, conditions(fit, given)) if given else marginal(fit, asked)


# Integrals of the joint density ------------------------------------------------------------------


def joint(fit, axes):
    """The joint density of the fit on the product of three axes in engine units."""
    columns = [in_data_units(fit, *pair) for pair in zip(NAMES, axes, strict=True)]
    grid = np.stack(np.meshgrid(*columns, indexing="ij"), -1)
    return np.exp(bg.log_density(fit, grid.reshape(-1, D))).reshape(grid.shape[:-1])


def axes_of(given, **others):
    """The whole axis for every column but the given ones and those in ``others``."""
    return [np.atleast_1d(GIVEN[c] if c in given else others.get(c, AXIS)) for c in NAMES]


def integrated(fit, given, asked):
    """p(asked | given) on a grid, the rest summed out by the trapezoidal rule."""
    step = (AXIS[1] - AXIS[0]) * fit.model.affine.scale
    density = joint(fit, axes_of(given))
    over = tuple(j for j, name in enumerate(NAMES) if name not in asked)
    rest = density.sum(over) * step ** sum(density.shape[j] > 1 for j in over)
    grid = [in_data_units(fit, name, AXIS) for name in asked]
    rows = np.stack(np.meshgrid(*grid, indexing="ij"), -1)
    return rows, rest / (rest.sum() * step ** len(asked))


CASES = [((), ("a",)), ((), ("a", "c")), (("b",), ("a", "c")), (("a", "c"), ("b",))]
every_case = pytest.mark.parametrize(("given", "asked"), CASES, ids=str)


@every_fit
@every_case
def test_density_and_moments_are_integrals_of_the_joint_density(structure, kind, given, asked):
    fit = fit_of(structure, kind)
    law = law_of(fit, given, asked)
    rows, density = integrated(fit, given, asked)
    assert law.columns == asked
    assert_close(np.exp(law.log_density(rows)), density, rtol=1e-6, atol=1e-9 * density.max())

    rows, probability = rows.reshape(-1, len(asked)), density.ravel() / density.sum()
    mean = probability @ rows
    covariance = (probability * (rows - mean).T) @ (rows - mean)
    assert_close(law.mean(), mean, rtol=1e-6)
    assert_close(law.covariance(), covariance, rtol=1e-6, atol=1e-6)
    assert_close(law.sd() ** 2, np.diag(covariance), rtol=1e-6)


def probability_below(fit, given, column, end):
    """P(column <= end | given): Gauss-Legendre in the column, trapezoids in the others."""
    centre, scale = in_data_units(fit, column, 0), fit.model.affine.scale

    def density(x):
        axes = axes_of(given, **{column: x})
        over = tuple(j for j, name in enumerate(NAMES) if name != column)
        return joint(fit, axes).sum(over)

    below, _ = fixed_quad(density, AXIS[0], (end - centre) / scale, n=200)
    everywhere, _ = fixed_quad(density, AXIS[0], AXIS[-1], n=200)
    return below / everywhere


@every_fit
@pytest.mark.parametrize("given", [("b",), ("a", "c")], ids=str)
def test_quantiles_have_their_probability_below_them(structure, kind, given):
    fit = fit_of(structure, kind)
    levels = np.array([1e-4, 0.3, 0.95])
    law = law_of(fit, given, None)
    ends = law.quantile(levels)
    assert ends.shape == (3, len(law.columns))
    for (i, level), (j, column) in itertools.product(enumerate(levels), enumerate(law.columns)):
        assert_close(probability_below(fit, given, column, ends[i, j]), level, rtol=1e-6)


def test_quantiles_of_a_marginal_and_of_extreme_tails():
    fit = fit_of(FULL, "posterior")
    law = marginal(fit, "a")
    assert_close(probability_below(fit, (), "a", law.quantile(0.9)[0]), 0.9, rtol=1e-6)
    many = parameters(FULL, "posterior")
    levels = np.array([1e-200, 1e-12, 0.5, 1 - 1e-12, np.nextafter(1, 0)])
    ends = (law.quantile(levels)[:, 0] - in_data_units(fit, "a", 0)) / fit.model.affine.scale
    for end, level in zip(ends, levels, strict=True):
        tail = stats.norm.cdf if level <= 0.5 else stats.norm.sf
        found = [p.weights @ tail(end, p.means[:, 0], np.sqrt(p.matrices[:, 0, 0])) for p in many]
        assert_close(np.mean(found), min(level, 1 - level), rtol=1e-8, atol=0)


# Textbook formulas -------------------------------------------------------------------------------


def textbook_law(many, given, rest, x):
    """Weights, means and covariances of all components of all draws given x, engine units."""
    logs, means, matrices = [], [], []
    for mixture in many:
        for w, mean, matrix in zip(*mixture, strict=True):
            if w > 0:
                to_given = matrix[np.ix_(rest, given)] @ np.linalg.inv(matrix[np.ix_(given, given)])
                density = stats.multivariate_normal(mean[given], matrix[np.ix_(given, given)])
                logs.append(np.log(w) + density.logpdf(x))
                means.append(mean[rest] + to_given @ (x - mean[given]))
                matrices.append(matrix[np.ix_(rest, rest)] - to_given @ matrix[np.ix_(given, rest)])
    logs = np.array(logs)
    return np.exp(logs - np.logaddexp.reduce(logs)), np.array(means), np.array(matrices)


@every_fit
@pytest.mark.parametrize("given", [["c"], ["c", "a"]], ids=str)
def test_many_conditions_are_the_textbooks_one_by_one(structure, kind, given):
    fit = fit_of(structure, kind)
    engine_rows = np.random.default_rng(1).normal(0, 2, (5, len(given)))
    rows = {c: in_data_units(fit, c, engine_rows[:, i]) for i, c in enumerate(given)}
    law = condition(fit, rows)
    at, rest = [NAMES.index(c) for c in given], [j for j, c in enumerate(NAMES) if c not in given]
    affine = fit.model.affine
    for m, x in enumerate(engine_rows):
        weights, means, matrices = textbook_law(parameters(structure, kind), at, rest, x)
        mean = weights @ means
        offsets = means - mean
        covariance = np.einsum("t,tuv->uv", weights, matrices)
        covariance += np.einsum("t,tu,tv->uv", weights, offsets, offsets)
        assert_close(law.mean()[m], affine.centre[rest] + affine.scale * mean)
        assert_close(law.covariance()[m], affine.scale**2 * covariance)
        y = mean + 0.3
        logs = [
            np.log(w) + stats.multivariate_normal.logpdf(y, *pair)
            for w, *pair in zip(weights, means, matrices, strict=True)
        ]
        expected = np.logaddexp.reduce(logs) - len(rest) * np.log(affine.scale)
        actual = law.log_density(affine.centre[rest] + affine.scale * y)
        assert_close(actual[m], expected)


@every_fit
def test_the_marginal_of_all_columns_is_the_joint_density(structure, kind):
    fit = fit_of(structure, kind)
    rows = fit.data.values[:20]
    assert_close(marginal(fit, NAMES).log_density(rows), bg.log_density(fit, rows))
    swapped = marginal(fit, ["c", "a", "b"])
    assert swapped.columns == ("c", "a", "b")
    assert_close(swapped.log_density(rows[:, [2, 0, 1]]), bg.log_density(fit, rows))


def test_joint_is_marginal_times_conditional():
    fit = fit_of(FULL, "posterior")
    rows = fit.data.values[:20]
    given = condition(fit, {"b": rows[:, 1]}).log_density(rows[:, [0, 2]])
    assert_close(marginal(fit, "b").log_density(rows[:, [1]]) + given, bg.log_density(fit, rows))


def test_draws_count_by_how_well_they_predict_what_is_given():
    """Of two draws far apart the one that explains the value decides; alone they count equally."""
    means = np.array([[[-3.0, -3.0, 0.0]], [[3.0, 3.0, 0.0]]])
    mixture = Mixture(np.zeros((1, 2, 1)), means[None], Full(np.full((1, 2, 1, 3, 3), np.eye(3))))
    fit = made(mixture, "full", "posterior")
    assert_close(marginal(fit, "b").mean()[0], in_data_units(fit, "b", 0.0))
    law = condition(fit, {"a": in_data_units(fit, "a", 2.0)})
    share = 1 / (1 + np.exp((1 - 25) / 2))
    assert_close(law.mean()[0], in_data_units(fit, "b", 3 * share - 3 * (1 - share)))


# Numbers that are hard ---------------------------------------------------------------------------


def test_a_nearly_perfect_correlation_leaves_its_small_spread():
    """Subtracted from the variance, what is explained would leave 1e-16 / 1e-18 digits: none."""
    chol = np.array([[[1.0, 0.0, 0.0], [1.0, 1e-9, 0.0], [0.0, 0.0, 1.0]]])
    fit = made(Mixture(np.zeros(1), np.zeros((1, 3)), Full(chol)), "full")
    for given, asked in (("a", 0), ("b", 0)):
        law = condition(fit, {given: in_data_units(fit, given, 0.5), 2: 300.0})
        assert_close(law.sd()[asked], 1e-9 * fit.model.affine.scale, rtol=1e-6, atol=0)
        assert_close(law.mean()[asked], in_data_units(fit, law.columns[asked], 0.5), rtol=1e-9)


def test_a_value_far_from_everything_is_answered_by_the_widest_component():
    fit = fit_of(FULL, "point")
    far = condition(fit, {"a": 1e30})
    assert np.isfinite(far.mean()).all()
    assert np.isfinite(far.log_density(far.mean()))


def moved(fit, offset, factor):
    """The same fit of the same rows in other units."""
    return made(fit.scaled, fit.model.family.name, fit.kind, factor * fit.data.values + offset)


@pytest.mark.parametrize(("offset", "factor"), [(1e6, 1.0), (0.0, 1e-9), (-3e4, 1e3)])
def test_offsets_and_units_change_nothing_but_units(offset, factor):
    fit = fit_of(FULL, "posterior")
    other = moved(fit, offset, factor)
    given = np.array([-4.0, 0.0, 7.0])
    law = condition(fit, {"b": given})
    new = condition(other, {"b": factor * given + offset})
    digits = {"rtol": 1e-9, "atol": 1e-8 * factor}
    assert_close(new.mean(), factor * law.mean() + offset, **digits)
    assert_close(new.sd(), factor * law.sd(), **digits)
    assert_close(new.covariance(), factor**2 * law.covariance(), rtol=1e-7, atol=0)
    assert_close(new.quantile(0.9), factor * law.quantile(0.9) + offset, **digits)
    assert_close(new.sample(50, 3), factor * law.sample(50, 3) + offset, **digits)
    rows = law.mean() + 0.5
    density = law.log_density(rows) - 2 * np.log(factor)
    assert_close(new.log_density(factor * rows + offset), density, rtol=1e-7, atol=1e-7)


def test_names_and_positions_are_the_same_columns():
    fit = fit_of(FULL, "posterior")
    named, placed = condition(fit, {"c": 299.0}), condition(fit, {np.int64(2): 299.0})
    assert named.columns == placed.columns == ("a", "b")
    assert_close(named.mean(), placed.mean(), rtol=0, atol=0)
    unnamed = made(fit.scaled, "full", fit.kind, names=None)
    assert marginal(unnamed, 1).columns == ("x1",)
    assert_close(marginal(unnamed, 1).mean(), marginal(fit, "b").mean(), rtol=0, atol=0)


# Bad input ---------------------------------------------------------------------------------------

REFUSED = {
    "no column": (lambda fit: marginal(fit, []), "at least one column", "'a', 'b', 'c'"),
    "unknown name": (lambda fit: marginal(fit, "d"), "'a', 'b', 'c'", "'d'"),
    "unknown position": (lambda fit: marginal(fit, [0, 3]), "'a', 'b', 'c'", "got 3"),
    "negative position": (lambda fit: marginal(fit, -1), "got -1", "0 to 2"),
    "float position": (lambda fit: marginal(fit, [1.0]), "got 1.0"),
    "twice": (lambda fit: marginal(fit, ["a", "b", "a"]), "['a'] twice"),
    "name and position": (lambda fit: condition(fit, {"b": 1, 1: 2}), "['b'] twice"),
    "nothing given": (lambda fit: condition(fit, {}), "at least one", "bg.marginal"),
    "all given": (lambda fit: condition(fit, dict.fromkeys(NAMES, 1.0)), "of all"),
    "unknown given": (lambda fit: condition(fit, {"z": 1.0}), "'a', 'b', 'c'", "'z'"),
    "nan": (lambda fit: condition(fit, {"a": np.nan}), "finite", "nan", "'a'"),
    "infinity": (lambda fit: condition(fit, {"a": 1.0, "b": [1, -np.inf]}), "-inf", "'b'"),
    "too far": (lambda fit: condition(fit, {"a": 1e200}), "1e+200", "units"),
    "lengths": (lambda fit: condition(fit, {"a": [1, 2], "b": [1, 2, 3]}), "{'a': 2, 'b': 3}"),
    "length one": (lambda fit: condition(fit, {"a": [1, 2], "b": [1]}), "{'a': 2, 'b': 1}"),
    "no condition": (lambda fit: condition(fit, {"a": []}), "{'a': 0}"),
    "two axes": (lambda fit: condition(fit, {"a": [[1.0]]}), "shape (1, 1)"),
}


@pytest.mark.parametrize(("ask", "words"), [(a, w) for a, *w in REFUSED.values()], ids=[*REFUSED])
def test_what_cannot_be_asked_is_refused_in_a_sentence(ask, words):
    with pytest.raises(ValueError, match="Expected") as error:
        ask(fit_of(FULL, "posterior"))
    assert_three_parts(str(error.value), *words)


@pytest.mark.parametrize("values", [[1.0], None, {"a": "wide"}, {"a": [[1.0], [1.0, 2.0]]}])
def test_what_is_no_number_is_refused(values):
    with pytest.raises(TypeError) as error:
        condition(fit_of(FULL, "posterior"), values)
    assert_three_parts(str(error.value))
