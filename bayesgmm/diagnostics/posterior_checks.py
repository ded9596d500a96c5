"""Checks of a posterior sample, on quantities that do not depend on how components are numbered.

R-hat and effective sample sizes: Vehtari, Gelman, Simpson, Carpenter & Bürkner (2021), Bayesian
Analysis 16, 667-718.
"""

from collections.abc import Callable, Iterator
from typing import Any

import arviz as az
import numpy as np

from ..posterior.agreement import described
from ..result import Fit
from .chain_partitions import chain_partitions
from .check import Check, at_least, at_most, below
from .variables import usual_number, weight_entropy

# Vehtari et al. (2021), sections 4.1 and 4.3.
R_HAT = 1.01
ESS_PER_CHAIN = 100
TAILS = (0.05, 0.95)
# At that many effective draws R-hat of one quantity stays below 1.01, and the largest of a hundred
# below 1.027, in 95 % of simulations with independent draws.
LARGEST_R_HAT = 1.03
# Where so few draws meet the bound, it hardly cuts the posterior.
BOUND_SHARE = 0.01

# Equal partitions are apart by no more.
ROUNDING = 1e-9

LOG_LIKELIHOOD = "log-likelihood"
N_CLUSTERS = "number of clusters"
CONSTANT = "Equal in all draws of all chains: nothing has to mix."


def check_agreement(fit: Fit) -> Iterator[Check]:
    """Check first of all that chains agree about the number of clusters."""
    draws = fit.n_clusters.astype(float)
    if np.ptp(draws) == 0:
        yield below(f"R-hat, {N_CLUSTERS}", 1.0, R_HAT, CONSTANT, CONSTANT)
        return
    disagree = (
        f"Chains disagree about the number of clusters ({described(fit.n_clusters)}): run longer "
        "(n_warmup, n_draws), or lower max_components."
    )
    yield check_r_hat(N_CLUSTERS, draws, disagree)


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


def check_mixing(fit: Fit) -> Iterator[Check]:
    """Check R-hat, effective sample sizes and Monte Carlo errors of label-invariant scalars."""
    for name, draws in invariants(fit).items():
        yield from mixing_of(name, draws)


def mixing_of(name: str, draws: np.ndarray) -> Iterator[Check]:
    """Check draws (C, S) of one quantity; R-hat of the number of clusters has been seen."""
    if name != LOG_LIKELIHOOD and np.ptp(draws) < 1e-12:
        if name != N_CLUSTERS:
            yield below(f"R-hat, {name}", 1.0, R_HAT, CONSTANT, CONSTANT)
        return
    if name != N_CLUSTERS:
        yield check_r_hat(name, draws)
    for method in ("bulk", "tail"):
        yield check_ess(name, draws, method)
    yield check_error(name, draws)


def invariants(fit: Fit) -> dict[str, np.ndarray]:
    """Return scalars of each draw that do not depend on labels, (C, S) each.

    Weights are those of the largest components, as many as there usually are clusters.
    """
    weights = -np.sort(-np.exp(fit.scaled.log_weights), -1)
    quantities = {
        LOG_LIKELIHOOD: fit.log_likelihood,
        N_CLUSTERS: fit.n_clusters.astype(float),
        "entropy of weights": weight_entropy(np.asarray(fit.scaled.log_weights)),
    }
    usual = range(usual_number(fit))
    return quantities | {f"weight {k + 1} by size": weights[..., k] for k in usual}


def check_partitions(fit: Fit) -> Iterator[Check]:
    """Check that chains agree about which rows belong together."""
    found = chain_partitions(fit.sampled)
    yield from mixing_of("distance to the partition", found.distances())
    if len(fit.log_likelihood) == 1:
        return
    fine = "The partitions of the chains lie as close as draws do to their own."
    advice = "Chains found different partitions: run longer, and trust none of them yet."
    yield at_most(
        "VI between chains' partitions (bits)", found.between, found.within + ROUNDING, fine, advice
    )
    lowest, usual = found.lowest_rand, found.usual_rand
    lowest = max(lowest, usual) if lowest >= usual - ROUNDING else lowest
    yield at_least("ARI between chains' partitions", lowest, usual, fine, advice)
    values = [quietly(az.rhat, pair) for pair in found.togetherness()]
    yield below(
        "largest R-hat, pairs together",
        max((value if np.isfinite(value) else np.inf for value in values), default=1.0),
        LARGEST_R_HAT,
        f"The chains agree about {len(values)} pairs of rows that may or may not belong together."
        if values
        else "No two rows looked at are in doubt about belonging together.",
        "Chains disagree about which rows belong together: run longer.",
    )


def check_r_hat(name: str, draws: np.ndarray, advice: str = "") -> Check:
    """Compare the chains with each other."""
    advice = advice or "Chains disagree: run longer (n_warmup, n_draws), or lower max_components."
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
