"""Where EM starts, and which restart it returns."""

import numpy as np
import pytest
import textbook as tb
from climbs import (
    N_INIT,
    D,
    K,
    N,
    assert_honest,
    engine,
    every_kind,
    every_structure,
    full,
    problem_of,
    step,
)
from textbook import STRUCTURES, assert_close, assert_three_parts

from bayesgmm.api import fit
from bayesgmm.engines.climb import FINISHED, Climb
from bayesgmm.engines.em import best_restart

# Starts and restarts -----------------------------------------------------------------------------

RESPONSIBILITIES = np.random.default_rng(5).dirichlet(np.ones(K), size=N)
STARTS = {
    "kmeans": "kmeans",
    "k-means++": "k-means++",
    "random": "random",
    "random_from_data": "random_from_data",
    "hierarchical": "hierarchical",
    "annealed": "annealed",
    "responsibilities": RESPONSIBILITIES,
    "lists": RESPONSIBILITIES.tolist(),
    "mixture": tb.mixture_of(full, problem_of(full, "ml").start),
}


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
@every_kind
def test_every_start_climbs(start, kind):
    problem = problem_of(full, kind)
    settings = engine(start=start, reg_covar=0.1, tol=1e-6)
    result = fit(problem.x, problem.spec, engine=settings, seed=3)
    assert result.status.ok, result.status
    assert_honest(full, result, problem.x)
    if kind == "ml":
        assert (np.diff(result.history["log_likelihood"]) > -0.01).all()
    again = fit(problem.x, problem.spec, engine=settings, seed=3)
    assert again.log_likelihood == result.log_likelihood


# Random responsibilities put all components into one place, from where EM leaves slowly.
@pytest.mark.filterwarnings("ignore::bayesgmm.EarlyStopWarning")
@every_structure
@every_kind
def test_given_responsibilities_are_followed_by_an_m_step(structure, kind, monkeypatch):
    problem = problem_of(structure, kind)
    monkeypatch.setattr(tb, "responsibilities", lambda parameters, x: RESPONSIBILITIES)
    first = step(structure, kind, problem.start, problem)
    monkeypatch.undo()
    result = fit(problem.x, problem.spec, engine=engine(start=RESPONSIBILITIES, tol=1e-3))
    expected = tb.log_likelihood(first, problem.x)
    assert_close(result.history["log_likelihood"][0], expected, rtol=1e-9)


@every_kind
def test_the_best_restart_is_returned(kind):
    problem = problem_of(full, kind)
    result = fit(problem.x, problem.spec, engine=engine(start="k-means++", reg_covar=1.0), seed=1)
    restarts, best = result.history["restart_log_likelihood"], int(result.history["best_restart"])
    assert restarts.shape == (N_INIT,)
    assert np.unique(result.history["restart_n_iter"]).size > 1  # they start apart
    if kind == "ml":
        assert best == restarts.argmax()
    assert_honest(full, result, problem.x)


def climb_of(log_likelihood, collapsed, n_iter=(3, 3, 3), log_prior=(0.0, 0.0, 0.0)):
    """The end of a run with three restarts, in the fields that choose among them."""
    names = dict.fromkeys(Climb._fields)
    names |= {
        "log_likelihood": np.array(log_likelihood),
        "log_prior": np.array(log_prior),
        "collapsed": np.array(collapsed),
        "n_iter": np.array(n_iter),
        "phase": np.full(3, FINISHED),
    }
    return Climb(**names)


def test_a_collapsed_restart_never_beats_a_regular_one():
    assert best_restart(climb_of([5.0, 9.0, 7.0], [-1, -1, -1])) == 1
    assert best_restart(climb_of([5.0, 9.0, 7.0], [-1, 2, -1])) == 2
    assert best_restart(climb_of([5.0, 9.0, 7.0], [0, 2, 1])) == 1
    assert best_restart(climb_of([5.0, 9.0, 7.0], [-1] * 3, log_prior=(8.0, 0.0, 1.0))) == 0


def test_a_restart_that_began_singular_never_beats_one_that_did_not():
    began = climb_of([-np.inf, 4.0, -np.inf], [0, 1, 0], n_iter=(0, 5, 0))
    assert best_restart(began) == 1


def start_with(**changes):
    return tb.mixture_of(full, problem_of(full, "ml").start)._replace(**changes)


BAD_STARTS = {
    "table too short": RESPONSIBILITIES[:-1],
    "table too narrow": RESPONSIBILITIES[:, :-1],
    "rows that do not sum to one": 2 * RESPONSIBILITIES,
    "negative": np.where(np.arange(K) == 0, -1.0, 1.0) * np.ones((N, 1)),
    "nan": np.full((N, K), np.nan),
    "number": 3,
    "nothing": None,
    "means of another size": start_with(means=np.zeros((K, D + 1))),
    "weights of another size": start_with(log_weights=np.zeros(K + 1)),
    "means nan": start_with(means=np.full((K, D), np.nan)),
    "weights that do not sum to one": start_with(log_weights=np.zeros(K)),
    "weights nan": start_with(log_weights=np.full(K, np.nan)),
    "another covariance": start_with(covariance=STRUCTURES[1].record(np.eye(D)[None])),
    "covariance of another size": start_with(covariance=full.record(np.eye(D)[None])),
}


@pytest.mark.parametrize("start", BAD_STARTS.values(), ids=BAD_STARTS)
def test_bad_starts_are_refused(start):
    problem = problem_of(full, "ml")
    with pytest.raises(ValueError, match="Expected") as caught:
        fit(problem.x, problem.spec, engine=engine(start=start))
    assert_three_parts(str(caught.value))
