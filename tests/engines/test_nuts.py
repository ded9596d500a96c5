"""NUTS against the same posterior written by hand, and what surrounds the sampling."""

import contextlib
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
import textbook as tb
from numpyro.diagnostics import effective_sample_size
from numpyro.infer import MCMC
from numpyro.infer import NUTS as PLAIN_NUTS
from quick import slow_after
from textbook import STRUCTURES, assert_close, assert_three_parts

from bayesgmm.api import fit
from bayesgmm.engines import nuts
from bayesgmm.engines.nuts import NUTS
from bayesgmm.model.priors import NormalInverseWishart
from bayesgmm.model.spec import MixtureSpec
from bayesgmm.model.weights import Dirichlet, DirichletProcess, SparseDirichlet
from bayesgmm.numerics.precision import to_numpy
from bayesgmm.result import Outcome

# One shape throughout, so that each program is compiled once.
N, K, MAX_COMPONENTS = 60, 2, 4
CONCENTRATION = 3.0
SCALE = 20.0
ENGINE = NUTS(n_chains=2, n_warmup=200, n_draws=400, progress=False)
MOST_COMPILATIONS = 20

full = STRUCTURES[0]


def draw_rows(seed, n_columns=1):
    """Two clusters, well separated, in units of their own."""
    rng = np.random.default_rng(seed)
    centres = np.repeat([-3.0, 3.0], [N // 3, N - N // 3])
    return 20 + 5 * (centres[:, None] + rng.normal(size=(N, n_columns)))


def spec_of(structure):
    weights, prior = Dirichlet(CONCENTRATION), NormalInverseWishart(scale=SCALE)
    return MixtureSpec(K, covariance=structure.name, weights=weights, prior=prior)


@contextlib.contextmanager
def compilations():
    """Collect the names of the programs that are compiled."""
    names = []

    def listen(event, seconds, **details):
        if "backend_compile" in event:
            names.append(details.get("fun_name"))

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield names
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


class Run(NamedTuple):
    """Rows, their posterior, and what had to be compiled for it."""

    x: np.ndarray
    fit: object
    compiled: list


@pytest.fixture(scope="module")
def run():
    """The first fit of this shape."""
    x = draw_rows(1)
    with compilations() as compiled:
        result = fit(x, spec_of(full), engine=ENGINE, seed=3)
    return Run(x, result, list(compiled))


# The posterior -----------------------------------------------------------------------------------


def by_hand(structure, prior, x):
    """The same prior on weights, means and covariances, as a user of NumPyro would write it."""
    n_columns = x.shape[1]
    weights = numpyro.sample("w", dist.Dirichlet(jnp.full(K, CONCENTRATION)))
    chol = covariance_by_hand(structure, prior, n_columns)
    spread = dist.MultivariateNormal(
        prior["mean"], scale_tril=chol / np.sqrt(prior["mean_precision"])
    )
    means = numpyro.sample("mu", spread.to_event(1))
    numpyro.deterministic("matrices", chol @ jnp.swapaxes(chol, -1, -2))
    components = dist.MultivariateNormal(means, scale_tril=chol)
    mixture = dist.MixtureSameFamily(dist.Categorical(weights), components)
    numpyro.sample("x", mixture, obs=x)


def covariance_by_hand(structure, prior, n_columns):
    """Factors (K, D, D) under the inverse-Wishart or inverse-gamma prior."""
    nu, scale = prior["degrees_of_freedom"], prior["scale"]
    if structure.name in ("full", "tied"):
        size = K if structure.name == "full" else 1
        law = dist.InverseWishartCholesky(nu, scale_tril=np.linalg.cholesky(scale))
        chol = numpyro.sample("chol", law.expand([size]).to_event(1))
        return jnp.broadcast_to(chol, (K, n_columns, n_columns))
    shape = (K, n_columns) if structure.name == "diag" else (K, 1)
    law = dist.InverseGamma(nu / 2, scale / 2).expand(shape).to_event(2)
    return jnp.sqrt(numpyro.sample("variances", law))[..., None] * jnp.eye(n_columns)


def sample_by_hand(structure, prior, x, n_warmup, n_draws):
    """Weights, means and matrices with axes (C, S)."""
    kernel = PLAIN_NUTS(by_hand, init_strategy=numpyro.infer.init_to_median)
    with jax.enable_x64(True):
        mcmc = MCMC(
            kernel,
            num_warmup=n_warmup,
            num_samples=n_draws,
            num_chains=2,
            chain_method="vectorized",
            progress_bar=False,
        )
        mcmc.run(jax.random.key(4), structure, prior, x)
        draws = to_numpy(mcmc.get_samples(group_by_chain=True))
    return tb.Parameters(draws["w"], draws["mu"], draws["matrices"])


def parameters_of(structure, result):
    with jax.enable_x64(True):
        matrices = np.asarray(structure.family.matrices(result.mixture))
    return tb.Parameters(np.exp(result.mixture.log_weights), result.mixture.means, matrices)


def functionals(parameters, x):
    """Scalars per draw that do not depend on the numbering of components, (C, S) each."""
    points = x[[0, N // 2, N - 1]]
    at_rows = log_density(parameters, x)
    entropy = -(parameters.weights * np.log(parameters.weights)).sum(-1)
    overall = (parameters.weights[..., None] * parameters.means).sum(-2)
    return {
        "log_likelihood": at_rows.sum(-1),
        "largest weight": parameters.weights.max(-1),
        "entropy of weights": entropy,
        "mean": overall.mean(-1),
        "log determinants": np.linalg.slogdet(parameters.matrices)[1].sum(-1),
        **{f"density at {k}": np.exp(log_density(parameters, points)[..., k]) for k in range(3)},
    }


def log_density(parameters, x):
    """log p(x_n) for every draw, (C, S, N), in plain NumPy."""
    offsets = x - parameters.means[..., None, :]
    solved = np.linalg.solve(parameters.matrices, np.swapaxes(offsets, -1, -2))
    quadratic = (np.swapaxes(solved, -1, -2) * offsets).sum(-1)
    constant = np.linalg.slogdet(2 * np.pi * parameters.matrices)[1][..., None]
    joint = np.log(parameters.weights)[..., None] - (quadratic + constant) / 2
    return np.logaddexp.reduce(joint, axis=-2)


def assert_same_posterior(ours, theirs, n_standard_errors=4):
    """The means of all functionals agree within Monte Carlo error."""
    for name in ours:
        errors = [
            draws.std() / np.sqrt(effective_sample_size(draws))
            for draws in (ours[name], theirs[name])
        ]
        distance = abs(ours[name].mean() - theirs[name].mean())
        assert distance <= n_standard_errors * np.hypot(*errors), (name, distance, errors)


@pytest.mark.slow
def test_posterior_is_that_of_the_model_by_hand(run):
    prior = run.fit.model.prior_in_data_units
    theirs = sample_by_hand(full, prior, run.x, 300, 1000)
    ours = functionals(parameters_of(full, run.fit), run.x)
    assert_same_posterior(ours, functionals(theirs, run.x))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("structure", "chain_method"),
    [*((one, "threads") for one in STRUCTURES), (full, "vectorized")],
    ids=lambda one: getattr(one, "name", one),
)
def test_posterior_in_two_columns_is_that_of_the_model_by_hand(structure, chain_method):
    x = draw_rows(5, n_columns=2)
    engine = NUTS(n_chains=2, n_warmup=500, n_draws=2000, chain_method=chain_method, progress=False)
    result = fit(x, spec_of(structure), engine=engine, seed=1)
    theirs = sample_by_hand(structure, result.model.prior_in_data_units, x, 500, 2000)
    ours = functionals(parameters_of(structure, result), x)
    assert_same_posterior(ours, functionals(theirs, x))


def test_log_likelihood_is_scipys_in_the_units_of_the_data(run):
    parameters = parameters_of(full, run.fit)
    for chain, draw in ((0, 0), (1, 17), (1, ENGINE.n_draws - 1)):
        one = tb.Parameters(*(leaf[chain, draw] for leaf in parameters))
        assert_close(run.fit.log_likelihood[chain, draw], tb.log_likelihood(one, run.x), rtol=1e-9)


def test_labels_are_counted_and_drawn_again(run):
    labels = run.fit.allocations()
    assert labels.shape == (2, ENGINE.n_draws, N)
    assert (run.fit.counts.sum(-1) == N).all()
    np.testing.assert_array_equal(run.fit.counts, np.eye(K, dtype=int)[labels].sum(-2))
    np.testing.assert_array_equal(labels, run.fit.allocations())


def test_labels_follow_the_responsibilities_of_their_draw(run):
    """Averaged over draws, a row's label probability is its responsibility."""
    parameters, labels = parameters_of(full, run.fit), run.fit.allocations()
    order = parameters.means[..., 0].argsort(-1)
    lower = np.take_along_axis(order, np.zeros((*order.shape[:-1], 1), int), -1)
    draws = [
        tb.responsibilities(tb.Parameters(*(leaf[c, s] for leaf in parameters)), run.x)[
            :, lower[c, s, 0]
        ]
        for c in range(2)
        for s in range(ENGINE.n_draws)
    ]
    p = np.array(draws)
    difference = (labels == lower).reshape(-1, N) - p
    standard_error = np.sqrt((p * (1 - p)).sum(0)) / len(p)
    assert (np.abs(difference.mean(0)) <= 5 * standard_error + 1e-9).all()


def test_sample_stats_have_arviz_names_and_shapes(run):
    names = {"lp", "energy", "diverging", "n_steps", "tree_depth", "acceptance_rate", "step_size"}
    assert set(run.fit.sample_stats) == names
    for leaf in run.fit.sample_stats.values():
        assert leaf.shape == (2, ENGINE.n_draws)
    assert (run.fit.sample_stats["n_steps"] < 2 ** run.fit.sample_stats["tree_depth"]).all()
    assert (run.fit.sample_stats["tree_depth"] <= ENGINE.max_tree_depth).all()


def test_complete_run_says_so_and_holds_numpy(run):
    assert run.fit.kind == "posterior"
    assert run.fit.status.outcome is Outcome.COMPLETE
    assert str(ENGINE.n_draws) in run.fit.status.message
    for leaf in jax.tree.leaves((run.fit.scaled, dict(run.fit.sample_stats))):
        assert isinstance(leaf, np.ndarray)
    assert run.fit.mixture.means.dtype == np.float64


@pytest.fixture(scope="module", params=slow_after(0, ["sparse", "process"]))
def unknown_k(request):
    """Posteriors with the number of clusters unknown."""
    weights = {"sparse": SparseDirichlet(), "process": DirichletProcess()}[request.param]
    prior = NormalInverseWishart(scale=SCALE)
    spec = MixtureSpec(max_components=MAX_COMPONENTS, weights=weights, prior=prior)
    return fit(draw_rows(1), spec, engine=ENGINE, seed=6)


def test_number_of_clusters_has_a_posterior(unknown_k):
    n_clusters = unknown_k.n_clusters
    assert n_clusters.shape == (2, ENGINE.n_draws)
    assert n_clusters.min() >= 1
    assert n_clusters.max() <= MAX_COMPONENTS
    assert np.bincount(n_clusters.ravel()).argmax() == 2
    assert (unknown_k.counts.sum(-1) == N).all()


def test_random_concentration_is_kept(unknown_k):
    assert unknown_k.concentration.shape == (2, ENGINE.n_draws)
    assert (unknown_k.concentration > 0).all()
    assert unknown_k.concentration.std() > 0


# Randomness, compilation, settings ---------------------------------------------------------------


def test_same_seed_same_draws_and_another_seed_others(run):
    again, other = (fit(run.x, spec_of(full), engine=ENGINE, seed=seed) for seed in (3, 4))
    for one, two in zip(
        jax.tree.leaves(run.fit.scaled), jax.tree.leaves(again.scaled), strict=True
    ):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(run.fit.counts, again.counts)
    assert not np.array_equal(run.fit.scaled.means, other.scaled.means)


def test_first_fit_compiles_a_handful_of_programs_and_the_next_nothing(run):
    assert len(run.compiled) <= MOST_COMPILATIONS, run.compiled
    with compilations() as compiled:
        fit(draw_rows(2), spec_of(full), engine=ENGINE, seed=9)
    assert compiled == []


def test_precision_of_the_user_is_left_alone(run):
    assert not jax.config.jax_enable_x64
    assert jnp.asarray(1.0).dtype == np.float32
    assert run.fit.scaled.means.dtype == np.float64


# Interruption ------------------------------------------------------------------------------------


def interrupt_after(monkeypatch, n_steps):
    """Press Ctrl-C once so many steps are done."""
    step, done = nuts.step_apart, [0]

    def interrupted(pool, static, problem, state, n):
        if done[0] >= n_steps:
            raise KeyboardInterrupt
        done[0] += int(n)
        return step(pool, static, problem, state, n)

    monkeypatch.setattr(nuts, "step_apart", interrupted)
    return done


def test_interruption_keeps_the_finished_draws(run, monkeypatch):
    done = interrupt_after(monkeypatch, ENGINE.n_warmup + 60)
    part = fit(run.x, spec_of(full), engine=ENGINE, seed=3)
    n_kept = done[0] - ENGINE.n_warmup
    assert part.status.outcome is Outcome.INTERRUPTED
    assert not part.status.ok
    assert f"{n_kept} of {ENGINE.n_draws}" in part.status.message
    assert part.log_likelihood.shape == (2, n_kept)
    np.testing.assert_array_equal(part.scaled.means, run.fit.scaled.means[:, :n_kept])
    np.testing.assert_array_equal(part.log_likelihood, run.fit.log_likelihood[:, :n_kept])


def test_interruption_in_warm_up_is_passed_on(run, monkeypatch):
    done = interrupt_after(monkeypatch, 60)
    with pytest.raises(KeyboardInterrupt, match="no draw is finished") as error:
        fit(run.x, spec_of(full), engine=ENGINE, seed=3)
    assert f"{done[0]} of {ENGINE.n_warmup}" in str(error.value)


# Refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"n_chains": 0},
        {"n_chains": 2.0},
        {"n_draws": 0},
        {"n_draws": True},
        {"n_warmup": -1},
        {"max_tree_depth": 0},
        {"target_accept": 0.0},
        {"target_accept": 1.0},
        {"chain_method": "parallel"},
    ],
    ids=str,
)
def test_settings_outside_their_domain_are_refused(settings):
    with pytest.raises(ValueError, match="Expected") as error:
        NUTS(**settings)
    assert_three_parts(str(error.value), *settings)


def test_model_without_priors_is_refused_before_any_work():
    with pytest.raises(ValueError, match="maximum likelihood") as error:
        fit(draw_rows(1), MixtureSpec.maximum_likelihood(K), engine=NUTS())
    assert_three_parts(str(error.value), "bg.EM()")
