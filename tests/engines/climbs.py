"""One small problem for each family, with and without a prior, that the tests of EM share."""

from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
import textbook as tb
from textbook import STRUCTURES, assert_close

from bayesgmm.api import fit
from bayesgmm.engines.em import EM
from bayesgmm.model.priors import NormalInverseWishart
from bayesgmm.model.spec import MixtureSpec
from bayesgmm.model.weights import Dirichlet

# One shape throughout, so that each program is compiled once.
N, D, K, N_INIT, MAX_ITER = 60, 2, 3, 3, 400
CONCENTRATION = 2.5

every_structure = pytest.mark.parametrize("structure", STRUCTURES, ids=lambda one: one.name)
every_kind = pytest.mark.parametrize("kind", ["ml", "map"])
full = STRUCTURES[0]


class Problem(NamedTuple):
    """Rows, a start and a specification, in both vocabularies."""

    x: np.ndarray
    start: tb.Parameters
    prior: tb.Prior
    spec: MixtureSpec


@cache
def problem_of(structure, kind):
    """Three clusters that overlap a little, in units of their own."""
    rng = np.random.default_rng(21)
    means = 20 + 3 * np.array([[-6.0, 0.0], [5.0, 4.0], [4.0, -6.0]])
    truth = tb.Parameters(
        np.array([0.4, 0.35, 0.25]), means, 40 * tb.random_matrices(rng, K, size=D)
    )
    x, _ = tb.random_rows(rng, truth, N)
    start = tb.random_parameters(rng, structure, K, D)
    start = start._replace(means=20 + 8 * start.means, matrices=50 * start.matrices)
    prior = tb.Prior(
        x.mean(0) + 1, 0.3, D + 2.5, structure.scale(np.array([[30.0, 5.0], [5.0, 20.0]]))
    )
    if kind == "ml":
        return Problem(x, start, prior, MixtureSpec.maximum_likelihood(K, structure.name))
    asked = NormalInverseWishart(*prior)
    spec = MixtureSpec(K, covariance=structure.name, weights=Dirichlet(CONCENTRATION), prior=asked)
    return Problem(x, start, prior, spec)


def engine(**settings):
    return EM(**{"n_init": N_INIT, "max_iter": MAX_ITER, "tol": 1e-12, "reg_covar": 0.0} | settings)


@cache
def long_run(structure, kind):
    """A fit from a given start that runs until nothing changes."""
    problem = problem_of(structure, kind)
    start = tb.mixture_of(structure, problem.start)
    return fit(problem.x, problem.spec, engine=engine(start=start))


def step(structure, kind, parameters, problem):
    if kind == "ml":
        return tb.em_step(structure, parameters, problem.x)
    return tb.map_step(structure, parameters, problem.x, problem.prior, CONCENTRATION)


def objective(structure, kind, parameters, problem):
    """What is climbed, by SciPy, in the data's units."""
    total = tb.log_likelihood(parameters, problem.x)
    if kind == "map":
        total += tb.log_prior(structure, problem.prior, parameters, CONCENTRATION)
    return total


def fitted(structure, result):
    return tb.parameters_of(structure, result.mixture)


def assert_honest(structure, result, x):
    """The reported number belongs to the returned parameters, and the history ends there."""
    parameters = fitted(structure, result)
    assert_close(result.log_likelihood, tb.log_likelihood(parameters, x), rtol=1e-9)
    assert_close(result.history["log_likelihood"][-1], result.log_likelihood, rtol=1e-12)
    best = int(result.history["best_restart"])
    assert len(result.history["log_likelihood"]) == result.history["restart_n_iter"][best] + 1
    assert np.isfinite(result.history["log_likelihood"]).all()
    assert_close(result.history["restart_log_likelihood"][best], result.log_likelihood, rtol=1e-12)
