"""Checks of a posterior sample, on quantities that do not depend on how components are numbered.

R-hat and effective sample sizes: Vehtari, Gelman, Simpson, Carpenter & Bürkner (2021), Bayesian
Analysis 16, 667-718. E-BFMI: Betancourt (2016), arXiv:1604.00695.
"""

from collections.abc import Callable, Iterator
from typing import Any

import arviz as az
import numpy as np

from ..result import Fit
from .check import Check, at_least, at_most, below
from .datatree import weight_entropy
from .partition_distance import partition_distances

# Vehtari et al. (2021), sections 4.1 and 4.3.
R_HAT = 1.01
ESS_PER_CHAIN = 100
TAILS = (0.05, 0.95)
# Betancourt (2016), section 6; Stan warns at the same number.
E_BFMI = 0.3
# Long trees cost time, not truth: a few are no matter.
TREE_SHARE = 0.01
# Where so few draws meet the bound, it hardly cuts the posterior.
BOUND_SHARE = 0.01

LOG_LIKELIHOOD = "log-likelihood"


def check_bound(fit: Fit) -> Iterator[Check]:
    """See whether the posterior of K+ touches its bound."""
    if not fit.model.spec.is_auto:
        return
    yield at_most(
        "share of draws at max_components",
        float(np.mean(fit.n_clusters == fit.model.n_components)),
        BOUND_SHARE,
        "The number of clusters (almost) never meets max_components.",
        "The number of clusters touches max_components: raise max_components.",
    )


def check_divergences(fit: Fit) -> Iterator[Check]:
    """Count divergent transitions."""
    if "diverging" not in fit.sample_stats:
        return
    yield at_most(
        "divergent transitions",
        int(np.sum(fit.sample_stats["diverging"])),
        0,
        "The sampler followed the posterior everywhere.",
        "The sampler missed sharp places of the posterior: raise target_accept towards 0.95.",
    )


def check_mixing(fit: Fit) -> Iterator[Check]:
    """Check R-hat, effective sample sizes and Monte Carlo errors of label-invariant scalars."""
    for name, draws in invariants(fit).items():
        if name != LOG_LIKELIHOOD and np.ptp(draws) < 1e-12:
            fine = "Equal in all draws of all chains: nothing has to mix."
            yield below(f"R-hat, {name}", 1.0, R_HAT, fine, fine)
            continue
        yield check_r_hat(name, draws)
        for method in ("bulk", "tail"):
            yield check_ess(name, draws, method)
        yield check_error(name, draws)


def invariants(fit: Fit) -> dict[str, np.ndarray]:
    """Return scalars of each draw that do not depend on labels, (C, S) each.

    Weights are those of the largest components, as many as there usually are clusters.
    """
    weights = -np.sort(-np.exp(fit.scaled.log_weights), -1)
    n_usual = int(np.bincount(fit.n_clusters.ravel()).argmax())
    quantities = {
        LOG_LIKELIHOOD: fit.log_likelihood,
        "number of clusters": fit.n_clusters.astype(float),
        "entropy of weights": weight_entropy(fit),
        "distance to the partition": partition_distances(fit),
    }
    return quantities | {f"weight {k + 1} by size": weights[..., k] for k in range(n_usual)}


def check_r_hat(name: str, draws: np.ndarray) -> Check:
    """Compare the chains with each other."""
    advice = "Chains disagree: run longer (n_warmup, n_draws), or lower max_components."
    if len(draws) == 1:
        advice = "One chain cannot be compared with another: run at least four."
    # Where no chain has a spread of its own, R-hat is 0/0 and the chains disagree.
    value = quietly(az.rhat, draws) if len(draws) > 1 else np.nan
    value = value if np.isfinite(value) else np.inf
    return below(f"R-hat, {name}", value, R_HAT, "The chains agree.", advice)


def check_ess(name: str, draws: np.ndarray, method: str) -> Check:
    """Count effective draws."""
    return at_least(
        f"{method} ESS, {name}",
        effective_draws(draws, method),
        ESS_PER_CHAIN * len(draws),
        "Enough effective draws.",
        "Too few effective draws for stable intervals: raise n_draws.",
    )


def effective_draws(draws: np.ndarray, method: str) -> float:
    """Return the bulk or tail effective sample size of draws (C, S); 0 where it is unknown."""
    value = quietly(az.ess, draws, method=method, prob=TAILS if method == "tail" else None)
    # A count may be constant in its tails, which then have no ESS of their own: use the bulk.
    if not np.isfinite(value) and method == "tail":
        return effective_draws(draws, "bulk")
    return value if np.isfinite(value) else 0.0


def check_error(name: str, draws: np.ndarray) -> Check:
    """Compare the Monte Carlo error of the mean with that of the fewest effective draws allowed."""
    error = quietly(az.mcse, draws, method="mean")
    return at_most(
        f"MCSE, {name}",
        error if np.isfinite(error) else np.inf,
        float(draws.std() / np.sqrt(ESS_PER_CHAIN * len(draws))),
        "The posterior mean is known to this standard error.",
        "The posterior mean is known to no better than this standard error: raise n_draws.",
    )


def quietly(statistic: Callable[..., Any], draws: np.ndarray, **settings: Any) -> float:
    """Compute a statistic of draws (C, S); NaN, without a warning, where it has no value."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(statistic(draws, **settings))


def check_energy(fit: Fit) -> Iterator[Check]:
    """Check that momenta explore the energy distribution, chain by chain."""
    if "energy" not in fit.sample_stats:
        return
    yield at_least(
        "lowest E-BFMI",
        lowest_bfmi(np.asarray(fit.sample_stats["energy"])),
        E_BFMI,
        "Momenta explore the energies of the posterior.",
        "Energies mix slowly: run longer, or use fewer components.",
    )


def lowest_bfmi(energy: np.ndarray) -> float:
    """Return the lowest E-BFMI of any chain of energies (C, S); 0 for a chain that stood still."""
    if energy.shape[1] < 2:
        return 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        fractions = az.bfmi(energy)
    return float(np.where(np.isfinite(fractions), fractions, 0.0).min())


def check_trees(fit: Fit) -> Iterator[Check]:
    """Count draws whose tree hit its bound."""
    if "tree_depth" not in fit.sample_stats:
        return
    yield at_most(
        "share of draws at max_tree_depth",
        float(np.mean(fit.sample_stats["tree_depth"] >= fit.engine.max_tree_depth)),
        TREE_SHARE,
        "Trees end by themselves.",
        "Trees hit max_tree_depth: run a longer warm-up; the answer is right but slow to come.",
    )
