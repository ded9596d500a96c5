"""The widely applicable information criterion of a posterior.

With l_ns = log p(x_n | draw s), labels summed out,

    elpd_n = log mean_s exp(l_ns) - p_n,  p_n = var_s l_ns

(Watanabe 2010, in the form of Vehtari, Gelman & Gabry 2017). ArviZ has given it up for ``loo``.
"""

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import logsumexp

from ..numerics.warn import warn
from ..result import Fit
from .loo import by_row, require_draws

if TYPE_CHECKING:
    from arviz import ELPDData

# Above this variance over draws WAIC is not reliable (Vehtari, Gelman & Gabry 2017).
LARGEST_VARIANCE = 0.4


def waic(fit: Fit) -> "ELPDData":
    """Estimate the predictive density of new rows by the widely applicable information criterion.

    ``loo`` is as good or better everywhere and says where it fails: prefer it.

    Args:
        fit: a posterior of at least 100 draws.

    Returns:
        ArviZ's record: ``elpd`` with its standard error ``se``, the effective number of parameters
        ``p``, and ``elpd_i`` by row, (N,). ``warning`` tells whether the log-likelihood of a row
        has a variance above 0.4 over draws.

    Raises:
        ValueError: a fit that is not a posterior, or too few draws.

    Warns:
        UserWarning: rows whose log-likelihood has a variance above 0.4 over draws.

    Reference:
        Watanabe (2010), Journal of Machine Learning Research 11, 3571-3594; Vehtari, Gelman &
        Gabry (2017), Statistics and Computing 27, 1413-1432.
    """
    from arviz import ELPDData

    require_draws(fit, "WAIC")
    elpd_i, p_i = by_row(fit, waic_of_rows)
    elpd, se, p, _ = elpd_i.azstats.loo_summary(p_i)
    n_doubtful = int((p_i > LARGEST_VARIANCE).sum())
    if n_doubtful:
        warn(
            f"Expected log-likelihoods with a variance of at most {LARGEST_VARIANCE} over draws, got "
            f"{n_doubtful} of {len(p_i)} rows above: WAIC is not reliable there. Use bg.loo(fit)."
        )
    return ELPDData(
        elpd=elpd,
        se=se,
        p=p,
        n_samples=fit.log_likelihood.size,
        n_data_points=fit.data.n_rows,
        scale="log",
        warning=n_doubtful > 0,
        good_k=np.nan,
        elpd_i=elpd_i,
    )


def waic_of_rows(log_likelihood: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return elpd and effective parameters by row, (n,) each, from (C, S, n)."""
    flat = log_likelihood.reshape(-1, log_likelihood.shape[-1])
    variance = flat.var(0, ddof=1)
    return logsumexp(flat, axis=0) - np.log(len(flat)) - variance, variance
