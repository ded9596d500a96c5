"""PSIS-LOO against ArviZ, against the sum over all partitions, and against refits."""

from dataclasses import replace

import arviz as az
import enumeration as en
import jax
import numpy as np
import pytest
from diagnostics.draws import posterior_of_draws
from quick import quick_compilation, slow_after
from textbook import assert_close, assert_three_parts

import bayesgmm as bg
from bayesgmm.posterior import density
from bayesgmm.posterior.loo import smoothed_loo


@pytest.fixture(scope="module")
def fit():
    random = np.random.default_rng(5)
    rows = np.concatenate([random.normal(0, 1, (40, 2)), random.normal(6, 1, (30, 2))])
    return drawn(rows, 4, 300)


def drawn(rows, n_chains, n_draws):
    data = bg.Dataset.from_array(rows)
    return posterior_of_draws(data, bg.MixtureSpec(3), n_chains=n_chains, n_draws=n_draws)


# ArviZ -------------------------------------------------------------------------------------------


def assert_same_loo(ours, theirs):
    for name in ("elpd", "se", "p", "good_k", "elpd_i", "pareto_k"):
        assert_close(ours[name], theirs[name], rtol=1e-8, atol=1e-8)
    for name in ("kind", "n_samples", "n_data_points", "scale", "warning"):
        assert ours[name] == theirs[name]
    assert ours.elpd_i.dims == theirs.elpd_i.dims


@pytest.mark.slow
@pytest.mark.parametrize("n_chains", [1, 4])
def test_it_is_that_of_arviz(fit, n_chains):
    some = chains(fit, slice(n_chains))
    tree = bg.to_datatree(some, log_likelihood=True)
    assert_same_loo(bg.loo(some, reff=0.4), az.loo(tree, reff=0.4))
    # ArviZ averages the efficiency over all variables; ours is that of the log-likelihood.
    tree["posterior"] = tree["posterior"].to_dataset()[["log_lik"]]
    assert_same_loo(bg.loo(some), az.loo(tree))
    assert_same_loo(bg.BayesianGaussianMixture.loo(fitted(some)), az.loo(tree))


def chains(fit, which):
    """The same fit with some of its chains."""
    return replace(
        fit,
        scaled=jax.tree.map(lambda leaf: leaf[which], fit.scaled),
        log_likelihood=fit.log_likelihood[which],
        counts=fit.counts[which],
        concentration=None,
        sample_stats={},
    )


def fitted(fit):
    model = bg.BayesianGaussianMixture()
    model.fit_ = fit
    return model


def test_arviz_compares_and_prints_it(fit):
    found = bg.loo(fit)
    assert list(az.compare({"one": found, "other": found})["rank"]) == [0, 1]
    assert "Computed from 1200 posterior samples and 70 observations" in str(found)


# What must not matter ----------------------------------------------------------------------------


@pytest.mark.parametrize("longest", [16, 64])
def test_blocks_of_rows_add_up(fit, longest, monkeypatch):
    whole = bg.loo(fit)
    monkeypatch.setattr(density, "LONGEST_BLOCK", longest)
    parts = bg.loo(fit)
    assert_close(parts.elpd, whole.elpd, rtol=1e-12)
    assert_close(parts.pareto_k, whole.pareto_k, rtol=1e-8)


def test_numbers_of_components_do_not_matter(fit):
    shape, n_components = fit.log_likelihood.shape, fit.model.n_components
    order = np.random.default_rng(0).random((*shape, n_components)).argsort(-1)

    def shuffled(leaf):
        return np.take_along_axis(leaf, order.reshape(*order.shape, *[1] * (leaf.ndim - 3)), 2)

    assert_close(
        bg.loo(replace(fit, scaled=jax.tree.map(shuffled, fit.scaled))).elpd, bg.loo(fit).elpd
    )


def test_densities_are_per_unit_of_the_data(fit):
    metres = bg.Dataset.from_array(fit.data.values / 1000)
    there = replace(fit, data=metres, model=replace(fit.model, affine=metres.affine))
    assert_close(bg.loo(there).elpd_i - bg.loo(fit).elpd_i, np.full(70, 2 * np.log(1000)))


# Exact values ------------------------------------------------------------------------------------

# Strong enough that one row of seven does not move the posterior beyond importance sampling.
PRIOR = en.NormalWishart(np.array([1.5, 0.3]), 2.0, 16.0, np.array([[9.4, 2.3], [2.3, 7.0]]))
ROWS = np.array(
    [[0.0, 0.0], [2.6, 1.1], [0.6, 0.5], [2.8, 0.2], [1.0, -0.4], [2.2, 1.5], [1.9, 0.6]]
)


def sample(x, n_components, prior, **settings):
    spec = bg.MixtureSpec(
        n_components, weights=bg.Dirichlet(1.5), prior=bg.NormalInverseWishart(*prior)
    )
    engine = bg.Gibbs(n_warmup=100, thin=1, progress=False, **settings)
    with quick_compilation():
        return bg.fit(x, spec, engine=engine)


def error_of_loo(fit):
    """Monte Carlo standard error of elpd: the spread between chains, which are independent."""
    n_chains = len(fit.log_likelihood)
    by_chain = [smoothed_loo(chains(fit, slice(c, c + 1))).elpd for c in range(n_chains)]
    return np.std(by_chain, ddof=1) / np.sqrt(n_chains)


@pytest.mark.parametrize("n_components", slow_after(1, [1, 3]))
def test_it_is_the_sum_over_all_partitions(n_components):
    """p(x_n | the others) is the evidence of all rows over that of the others."""
    law = en.finite(n_components, 1.5)

    def evidence(x):
        return en.posterior("full", x, PRIOR, law).log_evidence

    left_out = [np.delete(ROWS, n, axis=0) for n in range(len(ROWS))]
    exact = len(ROWS) * evidence(ROWS) - sum(map(evidence, left_out))
    fit = sample(ROWS, n_components, PRIOR, n_chains=16, n_draws=2000)
    found, error = bg.loo(fit), error_of_loo(fit)
    print(f"{found.elpd:.3f}, exact {exact:.3f}, error {error:.3f}, p {found.p:.1f}")
    assert abs(found.elpd - exact) <= 4 * error
    assert error < 0.02 * found.p


@pytest.mark.slow
def test_it_is_that_of_refits_without_each_row():
    """Forty rows of two clusters that overlap, refitted forty times under the same prior."""
    random = np.random.default_rng(8)
    x = random.normal(np.repeat([[0, 0], [3, 1]], 20, axis=0))
    prior = en.NormalWishart(x.mean(0), 0.5, 12.0, 9 * np.eye(2))
    settings = {"n_chains": 8, "n_draws": 500}
    whole = sample(x, 2, prior, **settings)
    found = bg.loo(whole)
    values, errors = np.transpose(
        [predicted(sample(np.delete(x, n, axis=0), 2, prior, **settings), x[n]) for n in range(40)]
    )
    error = np.hypot(error_of_loo(whole), np.linalg.norm(errors))
    print(f"{found.elpd:.3f}, refits {values.sum():.3f}, error {error:.3f}, p {found.p:.1f}")
    assert abs(found.elpd - values.sum()) <= 4 * error
    assert error < 0.05 * found.p


def predicted(fit, row):
    """log p(row | rows of the fit) by the mean over draws in NumPy, and its standard error."""
    mixture = fit.mixture
    chol = mixture.covariance.chol
    whitened = np.linalg.solve(chol, (row - mixture.means)[..., None])[..., 0]
    log_det = np.log(2 * np.pi * np.diagonal(chol, axis1=-2, axis2=-1) ** 2).sum(-1)
    each = np.exp(mixture.log_weights - ((whitened**2).sum(-1) + log_det) / 2).sum(-1)
    return np.log(each.mean()), float(az.mcse(each, method="mean")) / each.mean()


# Refusals ----------------------------------------------------------------------------------------


def test_a_point_is_referred_to_aic(fit):
    point = bg.fit(
        fit.data, bg.MixtureSpec.maximum_likelihood(2), engine=bg.EM(max_iter=2, progress=False)
    )
    for criterion in (bg.loo, bg.waic):
        with pytest.raises(ValueError, match="Expected a posterior") as refused:
            criterion(point)
        assert_three_parts(str(refused.value), "point fit", "information_criteria", "BIC")


def test_an_approximation_is_refused(fit):
    for criterion in (bg.loo, bg.waic):
        with pytest.raises(ValueError, match="Expected a posterior") as refused:
            criterion(replace(fit, kind="approximation"))
        assert_three_parts(str(refused.value), "approximation", "Gibbs")


@pytest.mark.parametrize(("n_chains", "n_draws"), [(1, 1), (4, 1), (1, 99), (4, 24)])
def test_few_draws_are_refused(fit, n_chains, n_draws):
    few = drawn(fit.data.values, n_chains, n_draws)
    for criterion in (bg.loo, bg.waic):
        with pytest.raises(ValueError, match="at least 100 draws") as refused:
            criterion(few)
        assert_three_parts(str(refused.value), f"got {n_chains * n_draws}", "n_draws")


@pytest.mark.parametrize(("n_chains", "n_draws"), [(1, 100), (100, 1), (50, 2)])
def test_a_hundred_draws_of_any_layout_will_do(fit, n_chains, n_draws):
    found = smoothed_loo(drawn(fit.data.values, n_chains, n_draws))
    assert np.isfinite(found.elpd)
    assert found.good_k == pytest.approx(0.5)


@pytest.mark.parametrize("reff", [0, -1.0, np.nan, np.inf, "all"])
def test_an_impossible_efficiency_is_refused(fit, reff):
    with pytest.raises(ValueError, match="Expected reff") as refused:
        bg.loo(fit, reff=reff)
    assert_three_parts(str(refused.value), repr(reff))


def test_a_sampler_that_stands_still_is_refused(fit):
    still = jax.tree.map(lambda leaf: np.broadcast_to(leaf[:1, :1], leaf.shape), fit.scaled)
    with pytest.raises(ValueError, match="Expected draws that differ") as refused:
        bg.loo(replace(fit, scaled=still, log_likelihood=np.full((4, 300), -250.0)))
    assert_three_parts(str(refused.value), "diagnose")


def test_a_row_that_cannot_be_left_out_is_warned_of():
    rows = np.random.default_rng(1).normal(size=(60, 2))
    rows[17] = 12
    with pytest.warns(UserWarning, match="Pareto k") as said:
        found = bg.loo(drawn(rows, 4, 100))
    assert found.warning
    assert found.pareto_k.values.argmax() == 17
    assert_three_parts(str(said[0].message), "of 60 rows", "pareto_k")
    assert said[0].filename == __file__
