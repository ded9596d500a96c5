"""What both estimators answer about parts of rows: real fits of shipped data."""

import numpy as np
import pytest
from quick import quick_compilation, slow_after
from textbook import assert_close

import bayesgmm as bg

FRAME = bg.datasets.penguins().frame
GIVEN = {"body_mass_g": 4000.0, "bill_length_mm": [40.0, 48.0]}


@pytest.fixture(scope="module", params=slow_after(1, ["maximum likelihood", "posterior"]))
def model(request):
    if request.param == "posterior":
        quick = {"n_chains": 2, "n_warmup": 30, "n_draws": 20}
        with quick_compilation():
            return bg.BayesianGaussianMixture(max_components=6, random_state=0, **quick).fit(FRAME)
    return bg.GaussianMixture(3, random_state=0).fit(FRAME)


def test_methods_are_the_functions(model):
    fit = model.fit_
    assert_close(model.condition(GIVEN).mean(), bg.condition(fit, GIVEN).mean(), rtol=0, atol=0)
    asked = ["flipper_length_mm"]
    assert model.marginal(asked).columns == tuple(asked)
    assert_close(model.marginal(asked).sd(), bg.marginal(fit, asked).sd(), rtol=0, atol=0)
    holes = FRAME.mask(np.random.default_rng(0).random(FRAME.shape) < 0.2)
    result, expected = model.impute(holes, n_draws=2), bg.impute(fit, holes, 2, seed=0)
    assert result.values.equals(expected.values)
    assert (result.draws == expected.draws).all()
    assert result.values.notna().all(axis=None)


def test_conditional_times_marginal_is_the_score(model):
    frame = FRAME.head(30)
    rows = frame.to_numpy()
    given, asked = [0, 3], [1, 2]
    of_given = model.marginal(given).log_density(rows[:, given])
    of_rest = model.condition({j: rows[:, j] for j in given}).log_density(rows[:, asked])
    assert_close(of_given + of_rest, model.score_samples(frame))


def test_conditioning_tells_more_than_the_marginal_does(model):
    """Over the fitted rows the right flipper length is better foretold from the other columns."""
    column = "flipper_length_mm"
    others = FRAME.drop(columns=column)
    law = model.condition(others)
    truth = FRAME[[column]].to_numpy()
    assert law.log_density(truth).mean() > model.marginal(column).log_density(truth).mean() + 0.3
    lower, upper = law.interval(0.9)
    inside = ((lower < truth) & (truth < upper)).mean()
    # Four standard errors of a share of 342 rows.
    assert abs(inside - 0.9) < 4 * np.sqrt(0.9 * 0.1 / len(truth))
