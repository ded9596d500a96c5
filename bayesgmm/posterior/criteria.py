"""Criteria for a point estimate: AIC, BIC and ICL, lower is better.

With log L the log-likelihood of N rows, p the number of free parameters and r_nk the
responsibilities,

    AIC = -2 log L + 2 p                          (Akaike 1974)
    BIC = -2 log L + p log N                      (Schwarz 1978)
    ICL = BIC - 2 sum_n log max_k r_nk            (Biernacki, Celeux & Govaert 2000)

BIC asks for the density, ICL for clusters as well: rows between two components cost. ICL is the
form of its authors and of mclust, in which the most probable labels stand for the missing ones; the
form of McLachlan & Peel (2000) with the entropy of the responsibilities in their place is larger.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import logsumexp

from ..data.affine import Affine
from ..data.marks import check_weights
from ..data.sources import Kernel, Source, is_elsewhere, stream
from ..model.families.base import Family
from ..model.kernel import log_joint
from ..model.mixture import Mixture
from ..numerics.precision import in_float64
from ..numerics.rows import Rows, sum_chunks
from ..result import Fit
from .density import log_unit, over_rows, scaled_rows


class InformationCriteria(NamedTuple):
    """What a point estimate reaches and what its parameters cost.

    Attributes:
        log_likelihood: log L of the rows in the data's units.
        n_parameters: free parameters, p.
        aic: Akaike's information criterion.
        bic: the Bayesian information criterion.
        icl: the integrated completed likelihood, BIC with a price for doubtful labels.
    """

    log_likelihood: float
    n_parameters: int
    aic: float
    bic: float
    icl: float


@in_float64
def information_criteria(fit: Fit, X: Any = None, sample_weight: Any = None) -> InformationCriteria:
    """Return AIC, BIC and ICL of a point fit; lower is better.

    They are defined at the maximum of the likelihood. At the mode of a posterior, where EM ends if
    there are priors, p counts parameters that the prior holds back: compare such fits with each
    other only.

    Args:
        fit: a point fit.
        X: rows (N, D) with the columns of the fit, in memory or as ``bg.stream`` takes them; the fitted
            ones by default, with their weights. Known labels are not used.
        sample_weight: how many rows each row of X counts as, (N,).

    Returns:
        The criteria, on scikit-learn's scale; the BIC and ICL that mclust prints are minus these.

    Raises:
        ValueError: a fit that is not a point, or other columns.

    Reference:
        Biernacki, Celeux & Govaert (2000), IEEE Transactions on Pattern Analysis and Machine
        Intelligence 22, 719-725.
    """
    if not fit.is_point:
        raise ValueError(
            f"Expected a point fit, got a {fit.kind}: AIC, BIC and ICL are defined at a single value "
            "of the parameters. Use bg.loo(fit) or bg.waic(fit)."
        )
    source = source_of(fit, X)
    if source is None:
        (log_likelihood, completed), total = sums_of(fit, X, sample_weight)
    else:
        require_alike(fit, source, sample_weight)
        (log_likelihood, completed), total = sums_over(fit, source), source.total_weight
    penalty = np.log(total) * fit.n_parameters
    return InformationCriteria(
        log_likelihood=float(log_likelihood),
        n_parameters=fit.n_parameters,
        aic=float(-2 * log_likelihood + 2 * fit.n_parameters),
        bic=float(-2 * log_likelihood + penalty),
        icl=float(-2 * completed + penalty),
    )


def sums_of(fit: Fit, X: Any, sample_weight: Any) -> tuple[np.ndarray, float]:
    """Return the sums over rows of what ``log_densities_of_row`` gives, (2,), and their number."""
    scaled = fit.data.scaled() if X is None else scaled_rows(fit, X)
    weights = row_weights(fit, X, sample_weight, len(scaled))
    width = 8 * fit.model.n_components * (scaled.shape[1] + 2)
    blocks = over_rows(log_densities_of_row, fit.model.family, fit.scaled, scaled, width)
    each = np.concatenate(list(blocks), axis=1) - log_unit(fit, scaled)
    return each @ weights, float(weights.sum())


def source_of(fit: Fit, X: Any) -> Source | None:
    """Return the rows if they are elsewhere."""
    if X is None:
        return fit.data if isinstance(fit.data, Source) else None
    if isinstance(X, Source):
        return X
    return stream(X) if is_elsewhere(X) else None


def require_alike(fit: Fit, source: Source, sample_weight: Any) -> None:
    """Raise unless rows elsewhere have the columns of the fit, and count once each."""
    if source.n_columns != fit.data.n_columns:
        raise ValueError(
            f"Expected {fit.data.n_columns} columns as in the fit, got {source.n_columns}. Pass the columns "
            f"{list(fit.data.names)}."
        )
    if source.named and fit.data.named and source.names != fit.data.names:
        raise ValueError(
            f"Expected columns {list(fit.data.names)} as in the fit, got {list(source.names)}. Pass these, in this "
            "order."
        )
    if sample_weight is not None:
        raise ValueError(
            f"Expected {source.kind} rows once each, got sample_weight. Take the rows into memory, or leave it out."
        )


def sums_over(fit: Fit, source: Source) -> np.ndarray:
    """Return the sums over rows that are elsewhere, (2,)."""
    width = fit.model.n_components * (source.n_columns + 2)
    mixture = in_units_of(source.affine, fit)
    sums = source.reduce(Kernel(sums_of_rows, (fit.model.family,)), mixture, width)
    return np.asarray(sums) - source.total_cells * np.log(source.affine.scale)


def in_units_of(affine: Affine, fit: Fit) -> Mixture:
    """Return the mixture of a fit in the engine units of other rows."""
    own, family = fit.model.affine, fit.model.family
    ratio = own.scale / affine.scale
    means = (own.centre - affine.centre) / affine.scale + ratio * fit.scaled.means
    return fit.scaled._replace(
        means=means, covariance=family.scale_by(fit.scaled.covariance, float(ratio))
    )


def sums_of_rows(family: Family, mixture: Mixture, rows: Rows) -> Array:
    """Return the sums of ``log_densities_of_row`` over a block of rows, (2,)."""
    return sum_chunks(
        lambda part: log_densities_of_row(family, mixture, part.values) @ part.weights, rows
    )


def row_weights(fit: Fit, X: Any, sample_weight: Any, n_rows: int) -> np.ndarray:
    """Return how many rows each row counts as, (N,)."""
    given = fit.data.weights if X is None and sample_weight is None else sample_weight
    return np.ones(n_rows) if given is None else check_weights(given, n_rows)


@partial(jax.jit, static_argnums=0)
def log_densities_of_row(family: Family, mixture: Mixture, columns: Array) -> Array:
    """Return log p(x), and log p(x, k) of the most probable component, (2, n)."""
    joint = log_joint(family, mixture, columns)
    return jnp.stack([logsumexp(joint, axis=-2), joint.max(-2)])
