"""Tempered updates: responsibilities to a power, by hand, and what they climb."""

import jax
import numpy as np
import pytest
import textbook as tb
from climbs import D, K, every_structure, full, problem_of
from quick import quick_compilation
from scipy.special import logsumexp, softmax
from textbook import assert_close

from bayesgmm.engines.annealing import annealed, tempered
from bayesgmm.engines.climb import Objective
from bayesgmm.numerics.rows import chunk_rows


@pytest.fixture(autouse=True)
def _quick():
    with quick_compilation(), jax.enable_x64(True):
        yield


def stacked(structure, parameters):
    return jax.tree.map(lambda leaf: leaf[None], tb.mixture_of(structure, parameters))


def after(betas):
    """The parameters of a problem after tempered updates, and its rows."""
    problem = problem_of(full, "ml")
    rows = chunk_rows(problem.x, len(problem.x))
    start = stacked(full, problem.start)
    end = annealed(full.family, Objective(0.0, 1.0, None), start, rows, np.asarray(betas))
    return tb.parameters_of(full, jax.tree.map(lambda leaf: leaf[0], end)), problem.x


@every_structure
@pytest.mark.parametrize("beta", [0.4, 1.0, 1.5])
def test_it_is_the_mixture_with_the_tempered_responsibilities(structure, beta):
    parameters = tb.random_parameters(np.random.default_rng(1), structure, K, D)
    x = np.random.default_rng(2).normal(size=(20, D))
    wide = tempered(structure.family, tb.mixture_of(structure, parameters), beta)
    other = tb.parameters_of(structure, wide)
    assert_close(other.matrices, parameters.matrices / beta)
    found = softmax(tb.log_joint(other, x), axis=1)
    assert_close(found, softmax(beta * tb.log_joint(parameters, x), axis=1))


def test_updates_are_those_of_a_textbook_with_tempered_responsibilities(monkeypatch):
    betas = [0.3, 0.8, 1.0]
    found, x = after(betas)
    parameters = problem_of(full, "ml").start
    for beta in betas:
        r = softmax(beta * tb.log_joint(parameters, x), axis=1)
        monkeypatch.setattr(tb, "responsibilities", lambda parameters, x, r=r: r)
        parameters = tb.em_step(full, parameters, x)
    assert_close(found.weights, parameters.weights, rtol=1e-9)
    assert_close(found.means, parameters.means, rtol=1e-9)
    assert_close(found.matrices, parameters.matrices, rtol=1e-8)


def test_at_one_temperature_the_free_energy_climbs():
    """log sum_k (w_k N)^beta / beta is to tempered EM what the log-likelihood is to EM."""
    beta, reached = 0.6, []
    for n_updates in range(1, 4):
        parameters, x = after(np.full(n_updates, beta))
        reached.append(logsumexp(beta * tb.log_joint(parameters, x), axis=1).sum() / beta)
    assert (np.diff(reached) > 1e-6).all()


def test_an_update_that_would_be_singular_is_not_made():
    start = stacked(full, problem_of(full, "ml").start)
    rows = chunk_rows(np.zeros((9, D)), 9)
    end = annealed(full.family, Objective(0.0, 1.0, None), start, rows, np.ones(3))
    assert_close(end.means, start.means)
