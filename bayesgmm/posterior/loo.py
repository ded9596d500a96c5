"""How well a posterior predicts rows it has not seen: leave-one-out without refitting, PSIS-LOO.

The expected log predictive density is elpd = sum_n log p(x_n | the other rows). With
l_ns = log p(x_n | draw s), labels summed out, of draws given all rows,

    elpd_n = log sum_s w_ns exp(l_ns),  sum_s w_ns = 1,

where the w_ns are the importance weights exp(-l_ns) with their largest replaced by quantiles of a
generalised Pareto distribution (Vehtari, Gelman & Gabry 2017). Smoothing is ArviZ's own. Rows are
taken in blocks, so that N times S numbers are never in memory.
"""

from functools import partial
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from ..numerics.precision import in_float64
from ..numerics.warn import warn
from ..result import Fit
from .density import log_likelihood_blocks

if TYPE_CHECKING:
    import xarray as xr
    from arviz import ELPDDataLOO

# Smoothing fits a distribution to the largest fifth of the weights: to twenty at the least.
LEAST_DRAWS = 100


def loo(fit: Fit, *, reff: float | None = None) -> "ELPDDataLOO":
    """Estimate the leave-one-out predictive density by Pareto-smoothed importance sampling.

    The prior is taken as given. Default priors get their location and scale from all rows, the
    left-out one among them.

    Args:
        fit: a posterior of at least 100 draws.
        reff: relative efficiency of the draws, > 0: effective over actual number. By default that
            of the log-likelihood, which does not depend on how components are numbered; 1 for one
            chain.

    Returns:
        ArviZ's record, which ``az.compare`` accepts: ``elpd`` with its standard error ``se``, the
        effective number of parameters ``p``, and by row ``elpd_i`` and ``pareto_k``, (N,).
        ``warning`` tells whether a Pareto k lies above ``good_k``. There are no ``log_weights``.

    Raises:
        ValueError: a fit that is not a posterior, too few draws, or draws that stand still.

    Warns:
        UserWarning: rows whose Pareto k is too large for their estimate to be trusted.

    Reference:
        Vehtari, Gelman & Gabry (2017), Statistics and Computing 27, 1413-1432; Vehtari, Simpson,
        Gelman, Yao & Gabry (2024), Journal of Machine Learning Research 25(72).
    """
    result = smoothed_loo(fit, reff)
    if result.warning:
        warn(doubt_about(result))
    return result


def smoothed_loo(fit: Fit, reff: float | None = None) -> "ELPDDataLOO":
    """Return PSIS-LOO without a word about its Pareto k."""
    from arviz import ELPDDataLOO

    require_draws(fit, "LOO")
    reff = relative_efficiency(fit) if reff is None else checked_efficiency(reff)
    elpd_i, pareto_k, p_i = by_row(fit, partial(loo_of_rows, reff))
    elpd, se, p, _ = elpd_i.azstats.loo_summary(p_i)
    n_draws, good_k = fit.log_likelihood.size, good_k_of(fit.log_likelihood.size)
    return ELPDDataLOO(
        elpd=elpd,
        se=se,
        p=p,
        n_samples=n_draws,
        n_data_points=fit.data.n_rows,
        scale="log",
        warning=not bool((pareto_k <= good_k).all()),
        good_k=good_k,
        elpd_i=elpd_i,
        pareto_k=pareto_k,
    )


def good_k_of(n_draws: int) -> float:
    """Return the Pareto k up to which so many draws suffice (Vehtari et al. 2024, section 3.2.4)."""
    return min(1 - 1 / np.log10(n_draws), 0.7)


@in_float64
def share_of_doubtful_rows(fit: Fit, rows: np.ndarray) -> float:
    """Return the share of some fitted rows whose Pareto k is too large."""
    require_draws(fit, "LOO")
    reff, good_k = relative_efficiency(fit), good_k_of(fit.log_likelihood.size)
    of_blocks = [loo_of_rows(reff, block)[1] for block in log_likelihood_blocks(fit, rows)]
    return float(np.mean(~(np.concatenate(of_blocks) <= good_k)))


def doubt_about(result: "ELPDDataLOO") -> str:
    """Say how many rows have too large a Pareto k, and what to do."""
    doubtful = ~(result.pareto_k <= result.good_k)
    return (
        f"Expected Pareto k of at most {result.good_k:.2f}, got {int(doubtful.sum())} of "
        f"{doubtful.size} rows above: without such a row the posterior would be another, and elpd "
        "tends to be too high. Look at these rows (pareto_k), draw more, or refit without them."
    )


def require_draws(fit: Fit, criterion: str) -> None:
    """Raise unless the fit is a posterior with draws enough."""
    if fit.is_point:
        raise ValueError(
            f"Expected a posterior, got a point fit: {criterion} averages over draws. Use "
            "bg.information_criteria(fit) for AIC, BIC and ICL."
        )
    if fit.kind != "posterior":
        raise ValueError(
            f"Expected a posterior, got an {fit.kind}: its draws do not follow the posterior that "
            f"{criterion} averages over. Use engine=bg.Gibbs() or bg.NUTS()."
        )
    if fit.data.weights is not None and (fit.data.weights != 1).any():
        raise ValueError(
            f"Expected rows that count once each, got row weights: {criterion} leaves out one row at a time, "
            "and a weight does not say what part of it. Fit rows repeated by whole weights "
            "(np.repeat(rows, weights, axis=0))."
        )
    if fit.log_likelihood.size < LEAST_DRAWS:
        raise ValueError(
            f"Expected at least {LEAST_DRAWS} draws, got {fit.log_likelihood.size}: too few for "
            f"{criterion}. Raise n_draws or n_chains."
        )


def checked_efficiency(reff: Any) -> float:
    """Return a relative efficiency that was given."""
    if not isinstance(reff, Real) or not 0 < float(reff) < np.inf:
        raise ValueError(f"Expected reff to be a number > 0, got {reff!r}. Pass for instance 1.0.")
    return float(reff)


def relative_efficiency(fit: Fit) -> float:
    """Return the relative efficiency of the log-likelihood; 1 for one chain, as in ArviZ."""
    import arviz as az

    if len(fit.log_likelihood) == 1:
        return 1.0
    return float(az.ess(fit.log_likelihood, method="mean")) / fit.log_likelihood.size


@in_float64
def by_row(fit: Fit, function: Any) -> list["xr.DataArray"]:
    """Apply a function of log-likelihoods (C, S, n) to blocks of rows and join what it returns."""
    import xarray as xr

    parts = [function(block) for block in log_likelihood_blocks(fit)]
    rows = {"row": np.arange(fit.data.n_rows)}
    return [xr.DataArray(np.concatenate(part), rows, "row") for part in zip(*parts, strict=True)]


def loo_of_rows(reff: float, log_likelihood: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return elpd, Pareto k and effective parameters by row, (n,) each, from (C, S, n)."""
    # On arrays: ArviZ's accessor of a DataArray refers back to it, and blocks pile up until the
    # garbage collector comes by.
    from arviz_stats.base import array_stats

    try:
        return array_stats.loo(log_likelihood, chain_axis=0, draw_axis=1, r_eff=reff)
    except ValueError as error:
        raise ValueError(
            f"Expected draws that differ, got the same one over and over ({error}). See "
            "bg.diagnose(fit), and run the sampler longer."
        ) from error
