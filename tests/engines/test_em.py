"""EM against the textbook's two steps, and what must be true of any hill climb."""

import jax
import numpy as np
import pytest
import textbook as tb
from climbs import (
    CONCENTRATION,
    D,
    K,
    N,
    assert_honest,
    engine,
    every_kind,
    every_structure,
    fitted,
    full,
    long_run,
    objective,
    problem_of,
    step,
)
from scipy.special import logsumexp
from textbook import STRUCTURES, assert_close

from bayesgmm.api import fit
from bayesgmm.engines.em import EM, RegularisationWarning
from bayesgmm.model.mixture import Mixture
from bayesgmm.model.spec import MixtureSpec
from bayesgmm.model.weights import Dirichlet
from bayesgmm.result import Outcome

# The two steps -----------------------------------------------------------------------------------


@every_structure
@every_kind
def test_each_turn_is_the_textbooks(structure, kind):
    problem, result = problem_of(structure, kind), long_run(structure, kind)
    parameters, history = problem.start, result.history["log_likelihood"]
    for value in history[:25]:
        assert_close(value, tb.log_likelihood(parameters, problem.x), rtol=1e-9)
        parameters = step(structure, kind, parameters, problem)


@every_structure
@every_kind
def test_the_objective_never_falls(structure, kind):
    """The log-likelihoods of the path are the textbook's (above); so is the objective on it."""
    problem, result = problem_of(structure, kind), long_run(structure, kind)
    if kind == "ml":
        gains = np.diff(result.history["log_likelihood"])
    else:
        path = [problem.start]
        for _ in range(25):
            path.append(step(structure, kind, path[-1], problem))
        path.append(fitted(structure, result))
        gains = np.diff([objective(structure, kind, point, problem) for point in path])
    assert (gains > -1e-9).all(), gains.min()
    assert gains.sum() > 1


@every_structure
@every_kind
def test_the_end_does_not_move_and_no_neighbour_is_better(structure, kind):
    problem, result = problem_of(structure, kind), long_run(structure, kind)
    assert result.status.outcome is Outcome.CONVERGED, result.status
    end = fitted(structure, result)
    jax.tree.map(
        lambda a, b: assert_close(a, b, rtol=1e-4), step(structure, kind, end, problem), end
    )
    best = objective(structure, kind, end, problem)
    rng = np.random.default_rng(0)
    for size in (1e-2, 1e-1):
        for _ in range(15):
            nearby = perturbed(rng, structure, end, size)
            assert objective(structure, kind, nearby, problem) < best


def perturbed(rng, structure, parameters, size):
    weights = parameters.weights * np.exp(size * rng.normal(size=K))
    noise = size * rng.normal(size=(K, D, D))
    factors = np.linalg.cholesky(parameters.matrices) @ (np.eye(D) + np.tril(noise))
    return tb.Parameters(
        weights / weights.sum(),
        parameters.means + 5 * size * rng.normal(size=(K, D)),
        structure.constrain(factors @ np.swapaxes(factors, -1, -2)),
    )


@every_structure
@every_kind
def test_the_reported_numbers_belong_to_the_returned_parameters(structure, kind):
    problem, result = problem_of(structure, kind), long_run(structure, kind)
    assert_honest(structure, result, problem.x)
    if kind == "ml":
        assert result.log_prior is None
        return
    scale = np.sqrt(problem.x.var(0).mean())
    n_lengths = K * D + 2 * structure.n_parameters(K, D)
    expected = tb.log_prior(structure, problem.prior, fitted(structure, result), CONCENTRATION)
    # log_prior is a density of parameters in engine units.
    assert_close(result.log_prior, expected + n_lengths * np.log(scale), rtol=1e-9)


@every_structure
def test_the_ridge_is_added_in_squared_units_of_the_data(structure):
    problem = problem_of(structure, "ml")
    start = tb.mixture_of(structure, problem.start)
    result = fit(problem.x, problem.spec, engine=engine(start=start, reg_covar=2.0))
    parameters = problem.start
    for value in result.history["log_likelihood"][:4]:
        assert_close(value, tb.log_likelihood(parameters, problem.x), rtol=1e-9)
        parameters = tb.em_step(structure, parameters, problem.x, ridge=2.0)


def test_one_component_is_the_sample_mean_and_covariance():
    x = problem_of(full, "ml").x
    result = fit(x, MixtureSpec.maximum_likelihood(1), engine=EM(max_iter=3))
    only = fitted(full, result)
    assert_close(only.weights, [1.0])
    assert_close(only.means[0], x.mean(0))
    assert_close(only.matrices[0], np.cov(x.T, bias=True) + 1e-6 * np.eye(D))


def test_one_component_with_a_prior_is_the_mode_of_its_posterior():
    problem = problem_of(full, "map")
    spec = MixtureSpec(1, weights=Dirichlet(CONCENTRATION), prior=problem.spec.prior)
    result = fit(problem.x, spec, engine=EM(max_iter=3))
    one = tb.Parameters(np.ones(1), problem.x[:1], np.eye(D)[None])
    expected = tb.map_step(full, one, problem.x, problem.prior, CONCENTRATION)
    jax.tree.map(assert_close, fitted(full, result), expected)
    assert_honest(full, result, problem.x)


# Units -------------------------------------------------------------------------------------------


@every_structure
def test_an_offset_of_1e8_and_another_unit_change_nothing_else(structure):
    """Rows on a grid of 2^-16, so that adding 2^27 and multiplying by 2^10 are exact."""
    problem = problem_of(structure, "ml")
    x = np.round(problem.x * 2**16) / 2**16
    offset, factor = 2.0**27, 2.0**10
    mixture = tb.mixture_of(structure, problem.start)
    moved = Mixture(
        mixture.log_weights,
        factor * mixture.means + offset,
        structure.family.scale_by(mixture.covariance, factor),
    )
    here = fit(x, problem.spec, engine=engine(start=mixture))
    there = fit(factor * x + offset, problem.spec, engine=engine(start=moved))
    before, after = fitted(structure, here), fitted(structure, there)
    assert_close(after.weights, before.weights, rtol=1e-6)
    assert_close((after.means - offset) / factor, before.means, rtol=1e-6)
    assert_close(after.matrices / factor**2, before.matrices, rtol=1e-5)
    assert_close(there.log_likelihood + N * D * np.log(factor), here.log_likelihood, rtol=1e-9)


def test_a_ridge_larger_than_the_data_is_replaced_and_said():
    x = 1e-5 * problem_of(full, "ml").x
    spec = MixtureSpec.maximum_likelihood(K)
    with pytest.warns(RegularisationWarning, match="reg_covar"):
        result = fit(x, spec, engine=engine(reg_covar=1e-6, tol=1e-3))
    assert_honest(full, result, x)


def test_results_are_numpy_in_the_type_of_the_data():
    x = problem_of(full, "ml").x.astype(np.float32)
    result = fit(x, MixtureSpec.maximum_likelihood(K), engine=engine(tol=1e-3))
    for leaf in jax.tree.leaves(result.mixture):
        assert isinstance(leaf, np.ndarray)
        assert leaf.dtype == np.float32
    for leaf in jax.tree.leaves(result.scaled):
        assert isinstance(leaf, np.ndarray)
        assert leaf.dtype == np.float64
    assert result.provenance.dtype == "float64"


@pytest.mark.parametrize(
    "structure", [one for one in STRUCTURES if not one.is_shared], ids=lambda one: one.name
)
def test_a_cluster_a_millionth_as_wide_as_the_data_is_climbed_to_the_last_digits(structure):
    problem = problem_of(structure, "ml")
    shrink = np.array([1e-12, 1.0, 1.0])[:, None, None]
    start = problem.start._replace(matrices=shrink * problem.start.matrices)
    x = problem.x.copy()
    noise = np.random.default_rng(9).normal(size=(20, D))
    x[:20] = start.means[0] + noise @ np.linalg.cholesky(start.matrices[0]).T
    result = fit(x, problem.spec, engine=engine(start=tb.mixture_of(structure, start)))
    parameters = start
    for value in result.history["log_likelihood"][:10]:
        assert_close(value, tb.log_likelihood(parameters, x), rtol=1e-8)
        parameters = tb.em_step(structure, parameters, x)
    expected = structure.estimate(np.array([20.0]), tb.moments(np.ones((20, 1)), x[:20]).scatter)
    error = np.abs(fitted(structure, result).matrices[0] - expected[0]).max()
    # x itself is rounded to 4e-15 against a width of 1e-5.
    assert error < 1e-8 * np.abs(expected).max()


def test_weights_of_a_fit_are_normalised():
    result = long_run(full, "ml")
    assert_close(logsumexp(result.mixture.log_weights), 0)
