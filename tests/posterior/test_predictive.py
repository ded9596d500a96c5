"""What a predictive distribution answers: numbers, shapes, types, blocks and samples."""

import tracemalloc

import jax
import numpy as np
import pytest
from handmade import FULL, every_fit, fit_of, in_data_units, made
from scipy import stats
from textbook import assert_close, assert_mean, assert_three_parts

from bayesgmm import condition, marginal
from bayesgmm.model.mixture import Full, Mixture
from bayesgmm.posterior import conditionals, predictive


def test_quantiles_of_one_gaussian_are_the_normal_ones():
    mixture = Mixture(np.zeros(1), np.array([[0.5, 0.0, 0.0]]), Full(np.eye(3)[None] * 0.1))
    fit = made(mixture, "full")
    levels = np.array([0.025, 0.5, 0.8])
    expected = in_data_units(fit, "a", stats.norm.ppf(levels, 0.5, 0.1))
    assert_close(marginal(fit, "a").quantile(levels)[:, 0], expected, rtol=1e-13)


# Blocks -------------------------------------------------------------------------------------------


def test_results_do_not_depend_on_blocks(monkeypatch):
    fit = fit_of(FULL, "posterior")
    law = condition(fit, {"a": np.linspace(8, 12, 7)})
    rows = np.random.default_rng(2).normal((0, 300), 1, (7, 3, 2))

    def answers():
        asked = law.mean(), law.covariance(), law.quantile([0.1, 0.6]), law.sample(4, seed=5)
        return [*asked, law.log_density(rows), law.log_density(rows[:1])]

    at_once = answers()
    # Two conditions at a time, and one row of each.
    for module in (conditionals, predictive):
        monkeypatch.setattr(module, "BLOCK_BYTES", 8 * 11 * 4 * 2)
    for one, other in zip(at_once, answers(), strict=True):
        assert_close(one, other, rtol=1e-12)


def test_memory_is_bounded_whatever_the_number_of_conditions():
    n_draws, n_conditions = 1000, 1500
    mixture = jax.tree.map(
        lambda leaf: np.repeat(leaf.reshape(1, 4, *leaf.shape[2:]), n_draws // 4, axis=1),
        fit_of(FULL, "posterior").scaled,
    )
    fit = made(mixture, "full", "posterior")
    law = condition(fit, {"a": np.linspace(8, 12, n_conditions)})
    few = condition(fit, {"a": np.linspace(8, 12, 50)})
    tracemalloc.start()
    try:
        for answer in (
            law.mean,
            law.covariance,
            lambda: law.sample(2, 0),
            lambda: few.quantile(0.5),
        ):
            tracemalloc.reset_peak()
            answer()
            assert tracemalloc.get_traced_memory()[1] < 6 * predictive.BLOCK_BYTES
    finally:
        tracemalloc.stop()
    # The same draws over and over: the answer of four.
    assert_close(
        few.mean(), condition(fit_of(FULL, "posterior"), {"a": np.linspace(8, 12, 50)}).mean()
    )


# Shapes and types --------------------------------------------------------------------------------


def shapes(law, rows):
    answers = {
        "mean": law.mean(),
        "sd": law.sd(),
        "covariance": law.covariance(),
        "quantile": law.quantile(0.5),
        "quantiles": law.quantile([0.1, 0.9]),
        "lower": law.interval()[0],
        "sample": law.sample(6, 0),
        "density": law.log_density(rows),
    }
    return {name: np.shape(value) for name, value in answers.items()}


def test_shapes_lead_with_the_conditions_where_there_are_many():
    fit = fit_of(FULL, "posterior")
    single = {
        "mean": (2,),
        "sd": (2,),
        "covariance": (2, 2),
        "quantile": (2,),
        "quantiles": (2, 2),
        "lower": (2,),
        "sample": (6, 2),
        "density": (5,),
    }
    rows = np.zeros((5, 2))
    assert shapes(condition(fit, {"a": 10.0}), rows) == single
    assert shapes(marginal(fit, [0, 2]), rows) == single
    many = condition(fit, {"a": [9.0, 10.0, 11.0]})
    assert many.n_conditions == 3
    assert shapes(many, rows[None]) == {name: (3, *shape) for name, shape in single.items()}
    assert many.log_density(np.zeros((3, 2))).shape == (3,)
    assert many.log_density(np.zeros((3, 5, 4, 2))).shape == (3, 5, 4)
    assert condition(fit, {"a": [9.0]}).mean().shape == (1, 2)
    assert condition(fit, {"a": [9.0, 10.0], "b": -5.0}).mean().shape == (2, 1)
    assert np.ndim(marginal(fit, "a").log_density([10.0])) == 0
    assert marginal(fit, "a").log_density(np.empty((0, 1))).shape == (0,)


def test_the_same_rows_under_all_conditions_are_those_of_each():
    law = condition(fit_of(FULL, "posterior"), {"a": [9.0, 11.0]})
    rows = np.random.default_rng(2).normal((-5, 300), 1, (4, 2))
    assert_close(law.log_density(rows[None]), law.log_density(np.stack([rows, rows])))
    assert_close(law.log_density(rows[0]), law.log_density(rows[None])[:, 0])


def test_an_interval_is_two_quantiles():
    law = marginal(fit_of(FULL, "posterior"), ["a", "b"])
    lower, upper = law.interval(0.8)
    assert_close([lower, upper], law.quantile([0.1, 0.9]))


def test_single_precision_data_have_single_precision_answers():
    fit = fit_of(FULL, "posterior")
    single = made(fit.scaled, "full", fit.kind, fit.data.values.astype(np.float32))
    law, other = (condition(one, {"a": [9.5, 10.0]}) for one in (single, fit))
    for name in ("mean", "sd", "covariance"):
        answer = getattr(law, name)()
        assert answer.dtype == np.float32
        assert_close(answer, getattr(other, name)(), rtol=1e-5)
    assert law.sample(3, 0).dtype == law.quantile(0.1).dtype == np.float32
    assert law.log_density(np.zeros((2, 2))).dtype == np.float32


# Samples -----------------------------------------------------------------------------------------


@every_fit
def test_sampled_rows_have_the_moments_of_the_law(structure, kind):
    fit = fit_of(structure, kind)
    law = condition(fit, {"b": in_data_units(fit, "b", [-1.0, 1.5])})
    rows = law.sample(20_000, seed=7)
    mean, covariance = law.mean(), law.covariance()
    for m in range(2):
        assert_mean(rows[m], mean[m])
        offsets = rows[m] - mean[m]
        assert_mean(offsets[:, :, None] * offsets[:, None], covariance[m])
        lower, upper = (end[m] for end in law.interval(0.9))
        assert_mean(((rows[m] > lower) & (rows[m] < upper)).astype(float), np.full(2, 0.9))
    np.testing.assert_array_equal(rows, law.sample(20_000, seed=7))
    assert (rows != law.sample(20_000, seed=8)).all()


# Bad input ----------------------------------------------------------------------------------------


REFUSED = {
    "probability": (lambda fit: marginal(fit, "a").quantile(1.0), "(0, 1)", "got 1.0"),
    "probabilities": (lambda fit: marginal(fit, "a").quantile([0.5, 0]), "(0, 1)"),
    "nan probability": (lambda fit: marginal(fit, "a").quantile(np.nan), "got nan"),
    "interval": (lambda fit: marginal(fit, "a").interval(0), "(0, 1)", "got 0"),
    "intervals": (lambda fit: marginal(fit, "a").interval([0.5, 0.9]), "a number in (0, 1)"),
    "rows of others": (lambda fit: marginal(fit, "a").log_density([[1, 2]]), "shape (1, 2)"),
    "flat rows": (lambda fit: marginal(fit, "a").log_density(np.ones(4)), "Y[:, None]"),
    "rows of other conditions": (
        lambda fit: condition(fit, {"a": [1, 2]}).log_density(np.ones((3, 2))),
        "each of 2 conditions",
        "(3, 2)",
    ),
    "nan rows": (lambda fit: marginal(fit, "a").log_density([np.nan]), "finite", "got nan"),
    "far rows": (lambda fit: marginal(fit, "a").log_density([[-1e200]]), "-1e+200", "units"),
    "no sample": (lambda fit: marginal(fit, "a").sample(0, 0), "n >= 1", "got 0"),
}


@pytest.mark.parametrize(("ask", "words"), [(a, w) for a, *w in REFUSED.values()], ids=[*REFUSED])
def test_what_cannot_be_asked_is_refused_in_a_sentence(ask, words):
    with pytest.raises(ValueError, match="Expected") as error:
        ask(fit_of(FULL, "posterior"))
    assert_three_parts(str(error.value), *words)
