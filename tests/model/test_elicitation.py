"""Priors stated by the number of clusters they lead to."""

import re

import numpy as np
import numpyro.distributions as dist
import pytest
from textbook import assert_close

import bayesgmm as bg
from bayesgmm.model.spec import DEFAULT_MAX_COMPONENTS

K = 6
POISSON = dist.Poisson(3.0)


def process(low, high, **settings):
    return bg.DirichletProcess.from_expected_clusters(low, high, **settings)


def sparse(low, high, **settings):
    return bg.SparseDirichlet.from_expected_clusters(low, high, **settings)


def dirichlet(low, high, **settings):
    return bg.Dirichlet.from_expected_clusters(low, high, n_components=K, **settings)


def dynamic(low, high, **settings):
    return bg.MixtureOfFiniteMixtures.from_expected_clusters(
        low, high, n_components_minus_one=POISSON, **settings
    )


def static(low, high, **settings):
    return dynamic(low, high, dynamic=False, **settings)


FAMILIES = (process, sparse, dirichlet, dynamic, static)
every_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)


def masses(weights, low, high, n_rows):
    """Prior probabilities below, inside and above the interval, by the public function."""
    settings = {"n_components": K} if isinstance(weights, bg.Dirichlet) else {}
    law = bg.prior_of_clusters(bg.MixtureSpec(weights=weights, **settings), n_rows)
    return law.loc[: low - 1].sum(), law.loc[low:high].sum(), law.loc[high + 1 :].sum()


# Statements that can be met ----------------------------------------------------------------------


@every_family
@pytest.mark.parametrize("n_rows", [10, 150, 100_000])
@pytest.mark.parametrize("prob", [0.6, 0.99])
def test_one_cluster_at_least_leaves_one_tail(family, n_rows, prob):
    """From one cluster on there is nothing below: the mass above is what is left of prob."""
    below, inside, above = masses(family(1, 2, prob=prob, n_rows=n_rows), 1, 2, n_rows)
    assert below == 0
    assert_close(inside, prob, rtol=1e-7)
    assert_close(above, 1 - prob, rtol=1e-5)


@pytest.mark.parametrize("family", [process, sparse, dirichlet], ids=lambda one: one.__name__)
@pytest.mark.parametrize("n_rows", [20, 150, 100_000])
def test_up_to_the_bound_leaves_the_other_tail(family, n_rows):
    high = K if family is dirichlet else 20
    weights = family(3, high, prob=0.8, n_rows=n_rows)
    below, inside, above = masses(weights, 3, high, n_rows)
    assert above == 0
    assert_close(inside, 0.8, rtol=1e-7)
    assert_close(below, 0.2, rtol=1e-6)


@pytest.mark.parametrize("family", [process, sparse, dirichlet], ids=lambda one: one.__name__)
@pytest.mark.parametrize("n_rows", [10, 150, 100_000])
def test_two_tails_are_equal(family, n_rows):
    below, inside, above = masses(family(2, 5, prob=0.8, n_rows=n_rows), 2, 5, n_rows)
    assert_close(below, above, rtol=1e-6)
    assert inside >= 0.8


@every_family
@pytest.mark.parametrize("prob", [0.5, 0.7, 0.8])
def test_the_interval_has_prob_or_more(family, prob):
    _, inside, _ = masses(family(2, 5, prob=prob, n_rows=80), 2, 5, 80)
    assert inside >= prob - 1e-8


def test_a_prob_near_the_most_tips_the_tails():
    """Equal tails give less than the best concentration does; asked for more, they give way."""
    equal = masses(process(3, 6, prob=0.5, n_rows=100_000), 3, 6, 100_000)
    asked = equal[1] + 5e-4
    tipped = masses(process(3, 6, prob=asked, n_rows=100_000), 3, 6, 100_000)
    assert_close(tipped[1], asked, rtol=1e-8)
    assert abs(tipped[0] - tipped[2]) > 1e-3


def test_two_rows_have_a_closed_form():
    """Two rows share a table with probability 1 / (1 + alpha)."""
    assert_close(process(1, 1, prob=0.9, n_rows=2).concentration, 1 / 9, rtol=1e-8)
    assert_close(process(2, 2, prob=0.9, n_rows=2).concentration, 9.0, rtol=1e-8)


@pytest.mark.parametrize("family", [process, sparse], ids=lambda one: one.__name__)
def test_more_clusters_need_more_concentration_and_more_rows_less(family):
    by_interval = [family(low, low + 6, n_rows=150, prob=0.7).concentration for low in (2, 4, 6)]
    assert (np.diff(by_interval) > 0).all()
    by_rows = [family(2, 8, n_rows=n_rows).concentration for n_rows in (20, 200, 20_000)]
    assert (np.diff(by_rows) < 0).all()


def test_other_settings_stay():
    weights = static(2, 8, n_rows=80)
    assert isinstance(weights, bg.MixtureOfFiniteMixtures)
    assert weights.n_components_minus_one is POISSON
    assert not weights.dynamic
    assert isinstance(weights.concentration, float)


def test_the_bound_counts_and_is_by_default_that_of_a_specification():
    default, same, tight = (
        process(2, 5, n_rows=50, prob=0.7, max_components=bound)
        for bound in (None, DEFAULT_MAX_COMPONENTS, 6)
    )
    assert default == same
    assert tight.concentration > default.concentration


def test_it_goes_into_a_specification():
    spec = bg.MixtureSpec(weights=process(2, 8, n_rows=82))
    assert bg.prior_of_clusters(spec, 82).loc[2:8].sum() >= 0.9


# Refusals ----------------------------------------------------------------------------------------


@every_family
def test_a_prob_out_of_reach_is_refused_with_the_best(family):
    with pytest.raises(
        ValueError, match=r"Expected prob <= 0\.\d+, .* Lower prob, widen"
    ) as refused:
        family(2, 2, prob=0.95, n_rows=100)
    best = float(re.search(r"<= (0\.\d+)", str(refused.value))[1])
    _, inside, _ = masses(family(2, 2, prob=best, n_rows=100), 2, 2, 100)
    assert inside >= best - 1e-8


@every_family
def test_a_statement_that_says_nothing_is_refused(family):
    with pytest.raises(ValueError, match="Expected a statement that depends on the concentration"):
        family(1, K, n_rows=K)


@pytest.mark.parametrize(
    ("low", "high", "n_rows"),
    [(0, 3, 50), (4, 3, 50), (2, 21, 50), (2, 8, 7), (2.0, 5, 50), (2, "5", 50), (True, 3, 50)],
)
def test_an_interval_is_one_of_possible_numbers(low, high, n_rows):
    with pytest.raises(ValueError, match="Expected whole numbers 1 <= low <= high <="):
        process(low, high, n_rows=n_rows)


@pytest.mark.parametrize("prob", [0, 1, -0.1, 1.5, "0.9", None, True, np.nan, [0.9]])
def test_prob_is_between_0_and_1(prob):
    with pytest.raises(ValueError, match="Expected prob to be a number between 0 and 1"):
        process(2, 8, prob=prob, n_rows=50)


@pytest.mark.parametrize("n_rows", [0, 10.0, "10"])
def test_a_number_of_rows_is_whole(n_rows):
    with pytest.raises(ValueError, match="Expected n_rows to be a whole number >= 1"):
        process(1, 1, n_rows=n_rows)


@pytest.mark.parametrize("bound", [0, 2.5, "auto"])
def test_a_bound_is_whole(bound):
    with pytest.raises(ValueError, match="Expected the number of components"):
        process(1, 1, n_rows=50, max_components=bound)


def test_a_concentration_cannot_be_given_too():
    with pytest.raises(TypeError, match="concentration"):
        process(2, 8, n_rows=50, concentration=1.0)
