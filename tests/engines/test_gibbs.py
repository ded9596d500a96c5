"""What surrounds the partition sampler: refusals, interruption, units, and NUTS beside it.

That its draws follow the posterior is shown in ``test_gibbs_exact``.
"""

import contextlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.diagnostics import effective_sample_size
from quick import quick_compilation
from textbook import assert_three_parts

import bayesgmm as bg
from bayesgmm.engines import gibbs
from bayesgmm.engines.memory import require_memory
from bayesgmm.engines.schedule import FEW, MOST_MOVES
from bayesgmm.engines.sweep import SLICE
from bayesgmm.model.resolved import resolve

# One shape throughout, so that each program is compiled once.
N, MAX_COMPONENTS = 60, 4
ENGINE = bg.Gibbs(n_chains=2, n_warmup=100, n_draws=300, thin=1, progress=False)
SPEC = bg.MixtureSpec(max_components=MAX_COMPONENTS)
TRUTH = np.repeat([0, 1], [N // 3, N - N // 3])
# Most of them single operations in the prior of K.
MOST_COMPILATIONS = 60


def draw_rows(seed, n_columns=2):
    """Two clusters, well separated, in units of their own."""
    rng = np.random.default_rng(seed)
    centres = np.where(TRUTH == 0, -3.0, 3.0)
    return 20 + 5 * (centres[:, None] + rng.normal(size=(N, n_columns)))


def sample(x, spec=SPEC, engine=ENGINE, seed=3):
    with quick_compilation():
        return bg.fit(x, spec, engine=engine, seed=seed)


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


@pytest.fixture(scope="module")
def first():
    """The first fit of this shape, and the programs compiled for it."""
    with compilations() as compiled:
        fit = sample(draw_rows(1))
    return fit, list(compiled)


@pytest.fixture(scope="module")
def run(first):
    return first[0]


# What comes out ----------------------------------------------------------------------------------


def test_complete_run_says_so_and_holds_numpy(run):
    assert run.kind == "posterior"
    assert run.status.outcome is bg.Outcome.COMPLETE
    assert str(ENGINE.n_draws) in run.status.message
    assert run.log_likelihood.shape == run.n_clusters.shape == (2, ENGINE.n_draws)
    for leaf in jax.tree.leaves((run.scaled, dict(run.sample_stats))):
        assert isinstance(leaf, np.ndarray)
        assert leaf.shape[:2] == (2, ENGINE.n_draws)


def test_precision_of_the_user_is_left_alone(run):
    assert not jax.config.jax_enable_x64
    assert jnp.asarray(1.0).dtype == np.float32
    assert run.scaled.means.dtype == np.float64


def test_moves_are_counted(run):
    stats = run.sample_stats
    for kind in ("split", "merge"):
        proposed, accepted = stats[f"{kind}_proposed"], stats[f"{kind}_accepted"]
        assert proposed.any()
        assert (accepted <= proposed).all()
    most = MOST_MOVES * ENGINE.thinning(N)
    assert (stats["split_proposed"] + stats["merge_proposed"] <= most).all()
    assert not stats["birth_death_proposed"].any()


@pytest.mark.slow
def test_births_are_counted_from_one_kept_draw_to_the_next():
    moves, thin = ("birth_death",), 5
    engine = bg.Gibbs(2, 3, 20, thin, progress=False, moves=moves)
    stats = bg.fit(draw_rows(1), engine=engine).sample_stats
    proposed, accepted = stats["birth_death_proposed"], stats["birth_death_accepted"]
    assert (accepted <= proposed).all()
    assert accepted.any()
    assert FEW.n_moves < proposed.max() <= FEW.n_moves * thin
    assert not stats["split_proposed"].any()


def test_absent_components_have_no_weight_and_no_rows(run):
    is_absent = np.isneginf(run.mixture.log_weights)
    assert ((~is_absent).sum(-1) == run.n_components).all()
    assert (run.counts[is_absent] == 0).all()
    assert np.isfinite(run.mixture.means).all()


def test_status_names_the_bound_when_all_components_are_full():
    centres = np.array([[0, 0], [9, 0], [0, 9], [9, 9], [4, 4], [20, 20]])
    x = centres[np.arange(N) % len(centres)] + np.random.default_rng(5).normal(size=(N, 2)) / 4
    fit = sample(x)
    share = (fit.n_clusters == MAX_COMPONENTS).mean()
    assert share > 0.5
    assert f"{share:.1%}" in fit.status.message
    assert fit.status.message.endswith("raise max_components.")


def test_status_names_no_bound_that_was_not_met(run):
    is_full = (run.n_clusters == MAX_COMPONENTS).any()
    assert ("max_components" in run.status.message) == is_full


# Compilation -------------------------------------------------------------------------------------


def test_first_fit_compiles_a_handful_of_programs_and_the_next_nothing(first):
    assert len(first[1]) <= MOST_COMPILATIONS, first[1]
    engine = bg.Gibbs(n_chains=2, n_warmup=30, n_draws=40, thin=2, progress=False)
    with compilations() as compiled:
        sample(draw_rows(2), engine=engine, seed=9)
    assert compiled == []


# Interruption ------------------------------------------------------------------------------------


def interrupt_after(monkeypatch, n_sweeps):
    """Press Ctrl-C once so many sweeps are done."""
    run_slice, done = gibbs.run_slice, [0]

    def interrupted(static, problem, state, n):
        if problem.chains[0] == 0:
            if done[0] >= n_sweeps:
                raise KeyboardInterrupt
            done[0] += int(n)
        return run_slice(static, problem, state, n)

    monkeypatch.setattr(gibbs, "run_slice", interrupted)
    return done


def test_interruption_keeps_the_finished_draws(run, monkeypatch):
    done = interrupt_after(monkeypatch, ENGINE.n_warmup + SLICE)
    part = sample(draw_rows(1))
    n_kept = done[0] - ENGINE.n_warmup
    assert 0 < n_kept < ENGINE.n_draws
    assert part.status.outcome is bg.Outcome.INTERRUPTED
    assert not part.status.ok
    assert f"{n_kept} of {ENGINE.n_draws}" in part.status.message
    for ours, theirs in (
        (part.scaled.means, run.scaled.means),
        (part.log_likelihood, run.log_likelihood),
        (part.n_clusters, run.n_clusters),
        (part.allocations(), run.allocations()),
    ):
        np.testing.assert_array_equal(ours, theirs[:, :n_kept])


def test_interruption_before_the_first_draw_is_passed_on(run, monkeypatch):
    done = interrupt_after(monkeypatch, 1)
    engine = bg.Gibbs(n_chains=2, n_warmup=2 * SLICE, n_draws=10, thin=1, progress=False)
    with pytest.raises(KeyboardInterrupt, match="before the first draw") as error:
        sample(draw_rows(1), engine=engine)
    assert str(done[0]) in str(error.value)


# Units and precision -----------------------------------------------------------------------------


def most_frequent_partition(fit):
    """Labels of the partition drawn most often, in order of first appearance."""
    labels = fit.allocations().reshape(-1, fit.data.n_rows)
    first = (labels[:, :, None] == labels[:, None, :]).argmax(-1)
    drawn, counts = np.unique(first, axis=0, return_counts=True)
    return np.unique(drawn[counts.argmax()], return_inverse=True)[1]


def assert_finds_the_truth(x, spec=SPEC):
    np.testing.assert_array_equal(most_frequent_partition(sample(x, spec)), TRUTH)


def test_clusters_are_found():
    assert_finds_the_truth(draw_rows(1))


def test_clusters_are_found_in_single_precision():
    fit = sample(draw_rows(1).astype(np.float32))
    assert fit.mixture.means.dtype == np.float32
    assert fit.scaled.means.dtype == np.float64
    np.testing.assert_array_equal(most_frequent_partition(fit), TRUTH)


def test_clusters_are_found_far_from_zero():
    assert_finds_the_truth(draw_rows(1) + 1e8)


def test_clusters_are_found_in_other_units():
    assert_finds_the_truth(draw_rows(1) * [1e-9, 1e6])


def with_narrow_cluster():
    """One cluster a millionth as wide as the other: the product form would lose all digits."""
    x = draw_rows(1)
    centre = x[TRUTH == 0].mean(0)
    x[TRUTH == 0] = centre + 1e-6 * (x[TRUTH == 0] - centre)
    return x


def test_cluster_a_millionth_as_wide_as_the_data_is_found():
    assert_finds_the_truth(with_narrow_cluster())


@pytest.mark.slow
@pytest.mark.parametrize("covariance", ["full", "diag", "spherical"])
def test_cluster_as_narrow_as_the_prior_says_is_found(covariance):
    prior = bg.NormalInverseWishart(scale=1e-11)
    spec = bg.MixtureSpec(max_components=MAX_COMPONENTS, covariance=covariance, prior=prior)
    assert_finds_the_truth(with_narrow_cluster(), spec)


# NUTS --------------------------------------------------------------------------------------------


def functionals(fit):
    """Scalars per draw that do not depend on the numbering of components, (C, S) each."""
    log_weights = np.sort(fit.mixture.log_weights, -1)
    weights = np.exp(log_weights)
    entropy = -(weights * np.where(weights > 0, log_weights, 0)).sum(-1)
    ordered = {f"weight {k + 1} of all": weights[..., k] for k in range(weights.shape[-1])}
    overall = (np.exp(fit.mixture.log_weights)[..., None] * fit.mixture.means).sum((-2, -1))
    return {
        "log-likelihood": fit.log_likelihood,
        "entropy of weights": entropy,
        "K+": fit.n_clusters.astype(float),
        "mean": overall,
        **ordered,
    }


def assert_same_posterior(ours, theirs, n_standard_errors=4):
    """The means of all functionals agree within Monte Carlo error."""
    for name in ours:
        values = (ours[name], theirs[name])
        errors = [
            draws.std() / np.sqrt(effective_sample_size(draws)) if draws.std() > 0 else 0.0
            for draws in values
        ]
        distance = abs(values[0].mean() - values[1].mean())
        print(f"{name}: {distance / max(np.hypot(*errors), 1e-300):.1f} standard errors", end="; ")
        assert distance <= n_standard_errors * np.hypot(*errors), (name, distance, errors)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("covariance", "settings"),
    [
        ("full", {"n_components": 2}),
        ("tied", {"n_components": 2}),
        ("diag", {"n_components": 2}),
        ("spherical", {"n_components": 2}),
        ("full", {"max_components": 3, "weights": bg.SparseDirichlet(0.4)}),
        ("tied", {"max_components": 3, "weights": bg.SparseDirichlet()}),
        ("spherical", {"max_components": 3, "weights": bg.SparseDirichlet()}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_nuts_has_the_same_posterior(covariance, settings):
    x = draw_rows(1)
    # Under a weaker mean an empty component rarely finds the rows, and NUTS's own chains disagree:
    # 0.295 to 0.333 for the mean of a weight, where plain and split-merge sweeps both give 0.323.
    prior = bg.NormalInverseWishart(mean_precision=0.01, scale=20.0)
    spec = bg.MixtureSpec(covariance=covariance, prior=prior, **settings)
    ours = sample(x, spec, bg.Gibbs(n_warmup=500, n_draws=5000, thin=1, progress=False))
    # Nearly empty components make the density a funnel, which longer steps do not enter: at 0.8
    # some chains see too little of it, and their own standard errors do not tell.
    nuts = bg.NUTS(n_chains=4, n_warmup=1000, n_draws=3000, target_accept=0.99, progress=False)
    assert_same_posterior(functionals(ours), functionals(bg.fit(x, spec, engine=nuts, seed=4)))


# Refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"n_chains": 0},
        {"n_chains": 2.0},
        {"n_draws": 0},
        {"n_draws": True},
        {"n_warmup": -1},
        {"thin": 0},
        {"start": "random"},
        {"memory": 0},
        {"moves": "split_merge"},
        {"moves": ("split",)},
    ],
    ids=str,
)
def test_settings_outside_their_domain_are_refused(settings):
    with pytest.raises(ValueError, match="Expected") as error:
        bg.Gibbs(**settings)
    assert_three_parts(str(error.value), *settings)


def test_moves_may_come_as_any_sequence():
    assert bg.Gibbs(moves=["split_merge"]) == bg.Gibbs()
    assert bg.Gibbs(moves=[]).moves == ()
    assert bg.Gibbs(moves=["birth_death"]).moves == ("birth_death",)


def test_model_without_priors_is_refused_before_any_work():
    with pytest.raises(ValueError, match="maximum likelihood") as error:
        bg.fit(draw_rows(1), bg.MixtureSpec.maximum_likelihood(2), engine=bg.Gibbs())
    assert_three_parts(str(error.value), "bg.EM()")


def test_draws_that_do_not_fit_are_refused_with_what_would():
    spec, x = bg.MixtureSpec(max_components=1000), np.random.default_rng(0).normal(size=(50, 40))
    with pytest.raises(ValueError, match="Expected draws that fit into memory") as error:
        bg.fit(x, spec, engine=bg.Gibbs(memory=0.5))
    assert_three_parts(str(error.value), "n_draws", "max_components")
    most = int(str(error.value).split("max_components to ")[1].split(",")[0])
    fits = resolve(bg.MixtureSpec(max_components=most), bg.Dataset.from_array(x))
    require_memory(fits, 4, 1000, SLICE, 0, 0.5)


def test_densities_kept_for_births_count_as_memory():
    model = resolve(bg.MixtureSpec(max_components=30), bg.Dataset.from_array(draw_rows(1)))
    require_memory(model, 4, 100, SLICE, 1_000_000, 1.0)
    with pytest.raises(ValueError, match=r"got 1\.8 GiB"):
        require_memory(model, 4, 100, SLICE, 2_000_000, 1.0)


@pytest.mark.slow
def test_draws_that_are_not_finite_are_told():
    rows = np.random.default_rng(0).normal(size=(240, 2))
    rows[80:160] += 4
    rows[200:] = (6.0, -5.0)
    engine = bg.Gibbs(n_chains=2, n_warmup=100, n_draws=60, progress=False)
    with pytest.warns(bg.DataWarning, match="40 rows are equal"):
        run = bg.fit(rows, engine=engine)
    assert not np.isfinite(run.log_likelihood).all()
    assert run.status.outcome is bg.Outcome.COLLAPSED
    assert "identical rows" in run.status.message
