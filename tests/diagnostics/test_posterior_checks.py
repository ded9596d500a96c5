from dataclasses import replace

import arviz as az
import numpy as np
import pytest
from quick import slow_after

import bayesgmm as bg
from bayesgmm.diagnostics.variables import weight_entropy

NAMES = ["log-likelihood", "entropy of weights", "weight 1 by size", "weight 2 by size"]


def table_of(fit):
    return bg.diagnose(fit).set_index("check")


def with_stats(fit, **changes):
    return replace(fit, sample_stats={**fit.sample_stats, **changes})


def first_draws(fit, n_chains, n_draws):
    """The fit cut down to its first chains and draws."""

    def cut(array):
        return array[:n_chains, :n_draws]

    mixture = fit.scaled
    return replace(
        fit,
        scaled=mixture._replace(
            log_weights=cut(mixture.log_weights),
            means=cut(mixture.means),
            covariance=type(mixture.covariance)(cut(mixture.covariance.chol)),
        ),
        log_likelihood=cut(fit.log_likelihood),
        counts=cut(fit.counts),
        concentration=cut(fit.concentration),
        sample_stats={name: cut(value) for name, value in fit.sample_stats.items()},
    )


def test_independent_draws_pass_everything(posterior):
    table = bg.diagnose(posterior)
    assert table[~table["passed"]].empty
    assert table["passed"].dtype == bool
    assert table["check"].is_unique
    assert table["value"].notna().all()
    assert table["advice"].str.endswith(".").all()
    assert table.verdict.endswith(f"describes the data: all {len(table)} checks passed.")
    assert table.verdict.startswith("Most probably 2 clusters (posterior probability 1).")


def test_values_are_those_of_arviz(posterior):
    table = table_of(posterior)
    weights = -np.sort(-np.exp(posterior.scaled.log_weights), -1)
    quantities = [
        posterior.log_likelihood,
        weight_entropy(posterior.scaled.log_weights),
        *weights.T[:2],
    ]
    for name, draws in zip(NAMES, quantities, strict=True):
        draws = draws if len(draws) == 4 else draws.T
        expected = {
            f"R-hat, {name}": az.rhat(draws),
            f"bulk ESS, {name}": az.ess(draws, method="bulk"),
            f"tail ESS, {name}": az.ess(draws, method="tail", prob=(0.05, 0.95)),
            f"MCSE, {name}": az.mcse(draws, method="mean"),
        }
        for check, value in expected.items():
            assert table.loc[check, "value"] == float(value)
    energies = az.bfmi(posterior.sample_stats["energy"])
    assert table.loc["lowest E-BFMI", "value"] == float(np.min(energies))


def test_a_constant_number_of_clusters_passes_with_a_sentence(posterior):
    table = table_of(posterior)
    assert (posterior.n_clusters == 2).all()
    row = table.loc["R-hat, number of clusters"]
    assert row["passed"]
    assert row["value"] == 1
    assert "Equal in all draws" in row["advice"]
    assert "bulk ESS, number of clusters" not in table.index


def test_a_number_of_clusters_that_moves_is_checked(posterior):
    counts = posterior.counts.copy()
    visits = np.random.default_rng(0).random(counts.shape[:2]) < 0.3
    counts[visits, 2] = 1
    table = table_of(replace(posterior, counts=counts))
    for check in ("R-hat", "bulk ESS", "tail ESS", "MCSE"):
        row = table.loc[f"{check}, number of clusters"]
        assert row["passed"]
        assert np.isfinite(row["value"])


def test_chains_in_different_places_fail(posterior):
    shift = np.array([0.0, 0.0, 0.0, 10.0])[:, None]
    apart = replace(posterior, log_likelihood=posterior.log_likelihood + shift)
    row = table_of(apart).loc["R-hat, log-likelihood"]
    assert not row["passed"]
    assert row["value"] > 1.5
    assert "run longer" in row["advice"]


@pytest.mark.parametrize("offset", [0.0, 1.0])
def test_chains_that_never_moved_fail(posterior, offset):
    """Equal log-likelihoods in all draws are a sampler that stood still, not agreement."""
    places = -250 + offset * np.arange(4.0)[:, None]
    stuck = replace(posterior, log_likelihood=np.broadcast_to(places, (4, 300)).copy())
    row = table_of(stuck).loc["R-hat, log-likelihood"]
    assert row["value"] > 1e6
    assert not row["passed"]


def test_clusters_that_differ_between_stuck_chains_fail(posterior):
    counts = posterior.counts.copy()
    counts[0, :, 2] = 1
    row = table_of(replace(posterior, counts=counts)).loc["R-hat, number of clusters"]
    assert row["value"] > 1e6
    assert not row["passed"]


def test_correlated_draws_have_too_few_effective_ones(posterior):
    walk = np.cumsum(np.random.default_rng(1).normal(size=(4, 300)), 1)
    table = table_of(replace(posterior, log_likelihood=walk))
    for check in ("bulk ESS", "MCSE"):
        row = table.loc[f"{check}, log-likelihood"]
        assert not row["passed"]
        assert "n_draws" in row["advice"]


def test_one_chain_fails_with_the_reason(posterior):
    row = table_of(first_draws(posterior, 1, 300)).loc["R-hat, log-likelihood"]
    assert not row["passed"]
    assert "four" in row["advice"]


@pytest.mark.parametrize("n_draws", slow_after(1, [1, 2, 3, 4]))
def test_a_handful_of_draws_fails_without_nan(posterior, n_draws):
    """An interrupted run may have kept next to nothing."""
    table = table_of(first_draws(posterior, 2, n_draws))
    assert table["value"].notna().all()
    assert not table.loc["bulk ESS, log-likelihood", "passed"]


def test_divergences_are_counted(posterior):
    diverging = np.zeros((4, 300), bool)
    diverging[2, :3] = True
    row = table_of(with_stats(posterior, diverging=diverging)).loc["divergent transitions"]
    assert (row["value"], row["passed"]) == (3, False)
    assert "target_accept" in row["advice"]


def test_deep_trees_are_counted(posterior):
    depth = np.full((4, 300), 3)
    depth[:, :30] = posterior.engine.max_tree_depth
    row = table_of(with_stats(posterior, tree_depth=depth)).loc["share of draws at max_tree_depth"]
    assert row["value"] == pytest.approx(0.1)
    assert not row["passed"]


@pytest.mark.parametrize("step", [0.0, 0.1])
def test_energies_that_creep_or_stand_still_fail(posterior, step):
    energy = np.cumsum(np.random.default_rng(2).normal(0, step, (4, 300)), 1)
    row = table_of(with_stats(posterior, energy=energy)).loc["lowest E-BFMI"]
    assert row["value"] < 0.3
    assert not row["passed"]


def test_touching_the_bound_asks_for_more_components(posterior):
    counts = posterior.counts.copy()
    for n_touching, passes in ((1, True), (12, True), (13, False)):
        counts[0, :n_touching] = 20, 20, 20, 10
        table = bg.diagnose(replace(posterior, counts=counts)).set_index("check")
        row = table.loc["share of draws at max_components"]
        assert row["value"] == pytest.approx(n_touching / 1200)
        assert row["passed"] == passes
    assert "raise max_components" in row["advice"]


def test_a_given_number_of_components_has_no_bound(posterior):
    fixed = replace(posterior, model=replace(posterior.model, spec=bg.MixtureSpec(4)))
    assert "share of draws at max_components" not in table_of(fixed).index


def test_a_sampler_without_trees_has_no_checks_of_them(posterior):
    table = table_of(replace(posterior, sample_stats={}))
    assert not {"divergent transitions", "lowest E-BFMI"} & set(table.index)


def test_the_verdict_counts_and_says_what_to_do_first(posterior):
    counts = posterior.counts.copy()
    counts[..., :] = 20, 20, 20, 10
    diverging = np.ones((4, 300), bool)
    table = bg.diagnose(with_stats(replace(posterior, counts=counts), diverging=diverging))
    said = table.verdict
    assert f"of {len(table)} checks fail" in said
    assert "Do not trust this run yet" in said
    assert "max_components" in said
