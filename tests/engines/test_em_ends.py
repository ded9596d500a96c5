"""How a run of EM ends, and what EM refuses."""

import jax
import numpy as np
import numpyro.distributions as dist
import pytest
import textbook as tb
from climbs import (
    K,
    assert_honest,
    engine,
    every_kind,
    fitted,
    full,
    long_run,
    problem_of,
    step,
)
from textbook import STRUCTURES, assert_close, assert_three_parts

from bayesgmm.api import fit
from bayesgmm.data.dataset import Dataset
from bayesgmm.engines import em
from bayesgmm.engines.em import EM, CollapsedError
from bayesgmm.model.resolved import resolve
from bayesgmm.model.spec import MixtureSpec
from bayesgmm.model.weights import Dirichlet, DirichletProcess, SparseDirichlet
from bayesgmm.result import Outcome

# How a run ends ----------------------------------------------------------------------------------


def test_max_iter_is_reported_and_the_numbers_are_honest():
    problem = problem_of(full, "ml")
    start = tb.mixture_of(full, problem.start)
    result = fit(problem.x, problem.spec, engine=EM(start=start, max_iter=3, tol=0.0, reg_covar=0))
    assert result.status.outcome is Outcome.MAX_ITER
    assert not result.status.ok
    assert "max_iter=3" in result.status.message
    assert result.history["restart_n_iter"].tolist() == [3]
    expected = problem.start
    for _ in range(3):
        expected = tb.em_step(full, expected, problem.x)
    jax.tree.map(lambda a, b: assert_close(a, b, rtol=1e-9), fitted(full, result), expected)
    assert_honest(full, result, problem.x)


@every_kind
def test_no_updates_evaluate_the_start(kind):
    problem = problem_of(full, kind)
    start = tb.mixture_of(full, problem.start)
    result = fit(problem.x, problem.spec, engine=engine(start=start, max_iter=0))
    assert result.status.outcome is Outcome.MAX_ITER
    jax.tree.map(assert_close, fitted(full, result), problem.start)
    assert_honest(full, result, problem.x)


@pytest.mark.parametrize(
    "structure", [one for one in STRUCTURES if not one.is_shared], ids=lambda one: one.name
)
def test_a_collapse_is_reported_and_the_last_regular_parameters_returned(structure):
    """Two equal rows far from the others take a component to themselves."""
    x = problem_of(structure, "ml").x.copy()
    x[:2] = [400.0, 400.0]
    start = problem_of(structure, "ml").start
    means = np.array([start.means[0], [300.0, 300.0], start.means[2]])
    start = start._replace(means=means, matrices=100 * start.matrices)
    spec = MixtureSpec.maximum_likelihood(K, structure.name)
    result = fit(x, spec, engine=engine(start=tb.mixture_of(structure, start)))
    assert result.status.outcome is Outcome.COLLAPSED
    assert not result.status.ok
    assert "Component 1" in result.status.message
    assert "reg_covar" in result.status.message
    assert (result.history["restart_collapsed"] == 1).all()
    assert (np.linalg.eigvalsh(fitted(structure, result).matrices) > 0).all()
    assert_honest(structure, result, x)
    mended = fit(x, spec, engine=engine(start=tb.mixture_of(structure, start), reg_covar=1e-3))
    assert mended.status.ok


def test_restarts_that_all_begin_singular_raise():
    problem = problem_of(full, "ml")
    with pytest.raises(CollapsedError, match="expected a positive-definite") as caught:
        fit(problem.x, problem.spec, engine=engine(start="random_from_data"))
    assert "reg_covar" in str(caught.value)


def interrupt_at(monkeypatch, call):
    """Make Ctrl-C arrive during the given call of the compiled loop."""
    calls = []
    whole = em.climb

    def climb(*args):
        calls.append(args)
        if len(calls) == call:
            raise KeyboardInterrupt
        return whole(*args)

    monkeypatch.setattr(em, "climb", climb)


@every_kind
@pytest.mark.parametrize("call", [1, 2])
def test_an_interruption_returns_what_was_reached(monkeypatch, call, kind):
    problem = problem_of(full, kind)
    start = tb.mixture_of(full, problem.start)
    interrupt_at(monkeypatch, call)
    result = fit(problem.x, problem.spec, engine=engine(start=start, tol=0.0))
    assert result.status.outcome is Outcome.INTERRUPTED
    assert not result.status.ok
    n_iter = int(result.history["restart_n_iter"][0])
    assert (n_iter > 0) == (call > 1)
    assert f"after {n_iter} updates" in result.status.message
    expected = problem.start
    for _ in range(n_iter):
        expected = step(full, kind, expected, problem)
    jax.tree.map(lambda a, b: assert_close(a, b, rtol=1e-8), fitted(full, result), expected)
    assert_honest(full, result, problem.x)


def test_an_interrupted_fit_can_be_continued(monkeypatch):
    problem = problem_of(full, "ml")
    start = tb.mixture_of(full, problem.start)
    with monkeypatch.context() as patch:
        interrupt_at(patch, 2)
        part = fit(problem.x, problem.spec, engine=engine(start=start))
    rest = fit(problem.x, problem.spec, engine=engine(start=part.mixture))
    whole = long_run(full, "ml")
    jax.tree.map(
        lambda a, b: assert_close(a, b, rtol=1e-5), fitted(full, rest), fitted(full, whole)
    )


def test_progress_changes_nothing():
    problem = problem_of(full, "ml")
    start = tb.mixture_of(full, problem.start)
    shown = fit(problem.x, problem.spec, engine=engine(start=start, progress=True))
    assert shown.log_likelihood == long_run(full, "ml").log_likelihood


# Refusals ----------------------------------------------------------------------------------------

UNSUITABLE = {
    "auto": MixtureSpec(),
    "sparse": MixtureSpec(K, weights=SparseDirichlet(0.1)),
    "process": MixtureSpec(K, weights=DirichletProcess(1.0)),
    "hyperprior": MixtureSpec(K, weights=Dirichlet(dist.Gamma(2, 1))),
    "below one": MixtureSpec(K, weights=Dirichlet(0.9)),
}


@pytest.mark.parametrize("spec", UNSUITABLE.values(), ids=UNSUITABLE)
def test_a_model_em_cannot_serve_is_refused_before_any_work(spec):
    model = resolve(spec, Dataset.from_array(problem_of(full, "ml").x))
    with pytest.raises(ValueError, match="Gibbs") as caught:
        EM().run(jax.random.key(0), model, data=None)
    assert_three_parts(str(caught.value))


BAD_SETTINGS = {
    "no restarts": {"n_init": 0},
    "half a restart": {"n_init": 1.5},
    "less than no updates": {"max_iter": -1},
    "half an update": {"max_iter": 10.5},
    "negative tolerance": {"tol": -1e-3},
    "tolerance nan": {"tol": np.nan},
    "negative ridge": {"reg_covar": -1e-6},
    "ridge nan": {"reg_covar": np.nan},
    "unknown start": {"start": "kmean"},
}


@pytest.mark.parametrize("settings", BAD_SETTINGS.values(), ids=BAD_SETTINGS)
def test_bad_settings_are_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))) as caught:
        EM(**settings)
    assert_three_parts(str(caught.value))


def test_too_few_rows_are_said_how_many():
    x = np.random.default_rng(0).normal(size=(7, 3))
    spec = MixtureSpec.maximum_likelihood(2, "VVV")
    with pytest.raises(ValueError, match="at least 8 rows") as caught:
        fit(x, spec, engine=EM(reg_covar=0))
    assert_three_parts(str(caught.value), "got 7", "reg_covar")
    assert fit(x, spec, engine=EM()).n_parameters == 19
