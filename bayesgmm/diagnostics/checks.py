"""Checks of a fit, each with a value, a threshold and a sentence of advice.

Posteriors are judged on quantities that do not depend on how components are numbered.
Thresholds: R-hat and effective sample sizes after Vehtari, Gelman, Simpson, Carpenter & Bürkner
(2021), Bayesian Analysis 16, 667-718; E-BFMI after Betancourt (2016), arXiv:1604.00695.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import arviz as az
import numpy as np
import pandas as pd

from ..result import Fit, Outcome
from .datatree import weight_entropy

R_HAT = 1.01
ESS_PER_CHAIN = 100
E_BFMI = 0.3
TREE_SHARE = 0.01
TAILS = (0.05, 0.95)
FALL_PER_ROW = 1e-6
NEAR_SINGULAR = 1e-8
RESTART_SHARE = 0.5
SAME_OPTIMUM = 1e-4


class Check(NamedTuple):
    """One check.

    Attributes:
        check: what was looked at.
        value: what was found.
        threshold: where it passes, in words and numbers.
        passed: whether it does.
        advice: what to do, or why all is well.
    """

    check: str
    value: float
    threshold: str
    passed: bool
    advice: str


def diagnose(fit: Fit) -> pd.DataFrame:
    """Check a fit.

    Args:
        fit: any fit.

    Returns:
        A row per check with columns check, value, threshold, passed and advice; the verdict in one
        sentence is in ``attrs["verdict"]``.
    """
    checks = [one for check in CHECKS[fit.kind] for one in check(fit)]
    table = pd.DataFrame(checks, columns=list(Check._fields))
    table.attrs["verdict"] = verdict(table)
    return table


def verdict(table: pd.DataFrame) -> str:
    """Sum a table of checks up in a sentence."""
    failed = table[~table["passed"]]
    if failed.empty:
        return f"All {len(table)} checks passed."
    first = failed.iloc[0]
    others = f", {len(failed) - 1} more" if len(failed) > 1 else ""
    return f"{len(failed)} of {len(table)} checks failed ({first['check']}{others}). {first['advice']}"


def check_status(fit: Fit) -> Iterator[Check]:
    """Say how the run ended."""
    yield Check("status", float(fit.status.ok), "1", fit.status.ok, fit.status.message)


# Points ------------------------------------------------------------------------------------------


def check_monotone(fit: Fit) -> Iterator[Check]:
    """Look for a fall of the log-likelihood, which maximum likelihood by EM excludes."""
    if not fit.model.spec.is_maximum_likelihood:
        return
    steps = np.diff(fit.history["log_likelihood"])
    fall = float(max(0.0, -steps.min())) if len(steps) else 0.0
    bound = FALL_PER_ROW * fit.data.n_rows
    yield Check(
        "largest fall of the log-likelihood",
        fall,
        f"<= {bound:.2g}",
        fall <= bound,
        "EM climbs; a small fall can come from reg_covar, which is no part of the likelihood: lower it.",
    )


def check_restarts(fit: Fit) -> Iterator[Check]:
    """Say how many restarts reached the best optimum."""
    reached = np.asarray(fit.history["restart_log_likelihood"])
    if len(reached) == 1:
        return
    share = float(np.mean(reached > np.nanmax(reached) - SAME_OPTIMUM * fit.data.n_rows))
    yield Check(
        "share of restarts at the best optimum",
        share,
        f">= {RESTART_SHARE:g}",
        share >= RESTART_SHARE,
        "Few restarts agree: raise n_init, the best optimum may not have been found.",
    )


def check_singularity(fit: Fit) -> Iterator[Check]:
    """Compare the narrowest direction of any component with the spread of the data."""
    covariances = np.asarray(fit.model.family.matrices(fit.scaled))
    smallest = float(np.linalg.eigvalsh(covariances).min())
    yield Check(
        "narrowest variance over the data's",
        smallest,
        f">= {NEAR_SINGULAR:g}",
        smallest >= NEAR_SINGULAR,
        "A component is nearly singular: raise reg_covar, lower n_components, or use a prior.",
    )


def check_empty(fit: Fit) -> Iterator[Check]:
    """Count components that hold less than one row."""
    n_empty = int((np.exp(fit.scaled.log_weights) * fit.data.n_rows < 1).sum())
    yield Check(
        "components with less than one row",
        n_empty,
        "0",
        n_empty == 0,
        "A component holds no row: lower n_components.",
    )


def check_remaining_gain(fit: Fit) -> Iterator[Check]:
    """Extrapolate the log-likelihood (Aitken; McLachlan & Krishnan 2008, section 4.9)."""
    steps = np.diff(fit.history["log_likelihood"])
    if len(steps) < 2 or steps[-2] <= 0 or fit.status.outcome is Outcome.COLLAPSED:
        return
    rate = float(np.clip(steps[-1] / steps[-2], 0.0, 1 - 1e-9))
    gain = max(0.0, float(steps[-1])) * rate / (1 - rate)
    yield Check(
        "log-likelihood still to be gained",
        gain,
        "<= 1",
        gain <= 1,
        "EM stopped while still climbing slowly: lower tol and raise max_iter.",
    )


# Posteriors --------------------------------------------------------------------------------------


def invariants(fit: Fit) -> dict[str, np.ndarray]:
    """Return scalars of each draw that do not depend on labels, (C, S) each."""
    weights = -np.sort(-np.exp(fit.scaled.log_weights), -1)
    n_usual = int(np.bincount(fit.n_clusters.ravel()).argmax())
    quantities = {
        "log-likelihood": fit.log_likelihood,
        "number of clusters": fit.n_clusters.astype(float),
        "entropy of weights": weight_entropy(fit),
    }
    return quantities | {f"weight {k + 1} by size": weights[..., k] for k in range(n_usual)}


def check_mixing(fit: Fit) -> Iterator[Check]:
    """Check rank-normalised R-hat and bulk and tail effective sample sizes."""
    needed = ESS_PER_CHAIN * fit.log_likelihood.shape[0]
    for name, draws in invariants(fit).items():
        if np.ptp(draws) < 1e-12:
            yield Check(f"R-hat, {name}", 1.0, f"< {R_HAT}", True, "Equal in all draws.")
            continue
        yield check_r_hat(name, draws)
        for method in ("bulk", "tail"):
            yield check_ess(name, draws, method, needed)


def check_r_hat(name: str, draws: np.ndarray) -> Check:
    """Compare the chains with each other."""
    if len(draws) == 1:
        advice = "One chain cannot be compared with another: run at least four."
        return Check(f"R-hat, {name}", float("inf"), f"< {R_HAT}", False, advice)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(az.rhat(draws))
    # A chain that never moves has no spread of its own: it disagrees.
    value = value if np.isfinite(value) else float("inf")
    advice = "Chains disagree: run longer (n_warmup, n_draws), or lower max_components."
    return Check(f"R-hat, {name}", value, f"< {R_HAT}", value < R_HAT, advice)


def check_ess(name: str, draws: np.ndarray, method: str, needed: int) -> Check:
    """Count effective draws."""
    value = _ess(draws, method)
    advice = "Too few effective draws for stable intervals: raise n_draws."
    return Check(f"{method} ESS, {name}", value, f">= {needed}", value >= needed, advice)


def _ess(draws: np.ndarray, method: str) -> float:
    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(az.ess(draws, method=method, prob=TAILS if method == "tail" else None))
    # ArviZ has no tail ESS for a quantity whose tails are constant, such as a count: use the bulk.
    if not np.isfinite(value) and method == "tail":
        return _ess(draws, "bulk")
    return value if np.isfinite(value) else 0.0


def check_error(fit: Fit) -> Iterator[Check]:
    """Give the Monte Carlo error of the mean number of clusters."""
    draws = fit.n_clusters.astype(float)
    if np.ptp(draws) == 0:
        return
    error = float(draws.std() / np.sqrt(max(_ess(draws, "bulk"), 1.0)))
    advice = "The number of clusters is known to this standard error of its mean: raise n_draws."
    yield Check("MCSE, number of clusters", error, "<= 0.1", error <= 0.1, advice)


def check_divergences(fit: Fit) -> Iterator[Check]:
    """Count divergent transitions."""
    if "diverging" not in fit.sample_stats:
        return
    n_divergent = int(np.sum(fit.sample_stats["diverging"]))
    advice = "The sampler missed sharp places of the posterior: raise target_accept towards 0.95."
    yield Check("divergent transitions", n_divergent, "0", n_divergent == 0, advice)


def check_trees(fit: Fit) -> Iterator[Check]:
    """Count draws whose tree hit its bound."""
    if "tree_depth" not in fit.sample_stats:
        return
    share = float(np.mean(fit.sample_stats["tree_depth"] >= fit.engine.max_tree_depth))
    advice = "Trees hit max_tree_depth: run a longer warm-up; the answer is right but slow to come."
    yield Check(
        "share of draws at max_tree_depth", share, f"<= {TREE_SHARE}", share <= TREE_SHARE, advice
    )


def check_energy(fit: Fit) -> Iterator[Check]:
    """Check that momenta explore the energy distribution, chain by chain."""
    if "energy" not in fit.sample_stats:
        return
    energy = np.asarray(fit.sample_stats["energy"])
    if energy.shape[1] < 3:
        return
    fraction = (np.diff(energy, axis=1) ** 2).mean(1) / energy.var(1)
    worst = float(fraction.min())
    advice = "Energies mix slowly: run longer, or use fewer components."
    yield Check("lowest E-BFMI", worst, f">= {E_BFMI}", worst >= E_BFMI, advice)


def check_bound(fit: Fit) -> Iterator[Check]:
    """See whether the posterior of K+ touches its bound."""
    if not fit.model.spec.is_auto:
        return
    share = float(np.mean(fit.n_clusters == fit.model.n_components))
    advice = "The number of clusters touches max_components: raise max_components."
    yield Check("share of draws at max_components", share, "< 0.001", share < 1e-3, advice)


POINT_CHECKS: tuple[Callable[[Fit], Iterator[Check]], ...] = (
    check_status,
    check_monotone,
    check_restarts,
    check_singularity,
    check_empty,
    check_remaining_gain,
)
POSTERIOR_CHECKS: tuple[Callable[[Fit], Iterator[Check]], ...] = (
    check_status,
    check_mixing,
    check_error,
    check_divergences,
    check_trees,
    check_energy,
    check_bound,
)
CHECKS = {"point": POINT_CHECKS, "posterior": POSTERIOR_CHECKS}
