from dataclasses import replace

import arviz as az
import numpy as np
import pytest
from diagnostics.draws import posterior_of_draws
from quick import quick_compilation
from textbook import assert_close, assert_three_parts

import bayesgmm as bg
from bayesgmm.posterior.loo import smoothed_loo

# Its fits take long to compile.
pytestmark = pytest.mark.slow

CENTRES = np.repeat([[0, 0, 0, 0], [8, 0, 0, 0], [0, 8, 0, 0]], 30, axis=0)
DATA = bg.Dataset.from_array(np.random.default_rng(2).normal(CENTRES))
COLUMNS = ["log_likelihood", "n_parameters", "aic", "bic", "icl"]


def point(n_components, data=DATA):
    spec = bg.MixtureSpec.maximum_likelihood(n_components)
    return bg.fit(data, spec, engine=bg.EM(n_init=4, progress=False), seed=1)


def posterior(n_components, data=DATA):
    engine = bg.Gibbs(n_chains=2, n_warmup=100, n_draws=100, thin=1, progress=False)
    with quick_compilation():
        return bg.fit(data, bg.MixtureSpec(n_components), engine=engine)


@pytest.fixture(scope="module")
def posteriors():
    return {"one": posterior(1), "three": posterior(3)}


def test_the_right_number_of_clusters_predicts_better(posteriors):
    table = bg.compare(posteriors)
    assert list(table.index) == ["three", "one"]
    assert list(table["rank"]) == [0, 1]
    assert table.loc["three", "weight"] > 0.95
    assert table.loc["one", "elpd_diff"] < -4 * table.loc["one", "dse"]


def test_the_table_is_that_of_arviz(posteriors):
    ours = bg.compare(posteriors)
    theirs = az.compare(
        {name: smoothed_loo(fit) for name, fit in posteriors.items()}, round_to="none"
    )
    assert list(ours.columns) == list(theirs.columns)
    numbers = theirs.select_dtypes("number").columns
    assert_close(ours[numbers], theirs[numbers], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("unit", [1e-100, 1e100])
def test_weights_do_not_depend_on_the_unit(posteriors, unit):
    """Densities of four columns are then 1e400 or 1e-400, beyond what can be exponentiated."""
    moved = bg.Dataset.from_array(DATA.values * unit)
    there = {
        name: replace(fit, data=moved, model=replace(fit.model, affine=moved.affine))
        for name, fit in posteriors.items()
    }
    ours, expected = bg.compare(there), bg.compare(posteriors)
    for column in ("weight", "elpd_diff", "dse"):
        assert_close(ours[column], expected[column], rtol=1e-6)


def test_points_are_sorted_by_bic():
    table = bg.compare({f"K={k}": point(k) for k in (1, 2, 3)})
    assert list(table.columns) == COLUMNS
    assert table.index[0] == "K=3"
    assert table["bic"].is_monotonic_increasing
    assert tuple(table.loc["K=2"]) == bg.information_criteria(point(2))
    assert table["n_parameters"].dtype == int


def drawn(rows):
    data = bg.Dataset.from_array(rows[:, :2])
    return posterior_of_draws(data, bg.MixtureSpec(3), n_chains=1, n_draws=100)


def other_value(values):
    values[40, 1] += 1e-9
    return values


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda values: values[:50], "(90, 2)"),
        (lambda values: values[::-1].copy(), "row 0"),
        (other_value, "row 40"),
    ],
    ids=["fewer", "reversed", "changed"],
)
def test_other_rows_are_refused(change, word):
    fits = {"here": drawn(DATA.values), "there": drawn(change(DATA.values.copy()))}
    with pytest.raises(ValueError, match="same rows") as refused:
        bg.compare(fits)
    assert_three_parts(str(refused.value), "'here'", "'there'", word)


def test_points_and_posteriors_do_not_mix():
    with pytest.raises(ValueError, match="one kind") as refused:
        bg.compare({"em": point(2), "gibbs": drawn(DATA.values)})
    assert_three_parts(str(refused.value), "'em': 'point'", "'gibbs': 'posterior'")


@pytest.mark.parametrize(
    ("fits", "error", "word"),
    [
        ({}, ValueError, "two"),
        ({"only": point}, TypeError, "function"),
        ({"model": bg.GaussianMixture()}, TypeError, "model.fit_"),
        ([1, 2], TypeError, "dictionary"),
    ],
    ids=["none", "function", "estimator", "list"],
)
def test_what_is_no_mapping_of_fits_is_refused(fits, error, word):
    with pytest.raises(error) as refused:
        bg.compare(fits)
    assert_three_parts(str(refused.value), word)
