r"""How much the posterior depends on the prior: power scaling, through ArviZ.

The prior is raised to powers around one and the draws are reweighted (Kallioinen, Paananen, Bürkner &
Vehtari 2024, Statistics and Computing 34, 57). Where the number of clusters varies, so does the number
of densities in the prior, and a bare power would reward their count and depend on units. Here every
conditional density is normalised again, p(theta | S)^a / Z(a, S): to first order in a, theta counts

    log p(theta | S) + H(S),   H the entropy of p(. | S),

which has mean zero under the prior, whatever the units. Two parts are told apart:

* weights: the exact prior p(K+) of the number of clusters where that is inferred (``cluster_prior``),
  otherwise the density of the weights and of their concentration;
* components: the densities of those that hold rows, and of the scale S.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax import Array

from ..model.cluster_prior import prior_of_clusters
from ..model.components import Components
from ..model.mixture import Mixture, Tied
from ..model.weights import log_weights_density
from ..numerics.precision import in_float64
from ..posterior.density import flat_draws
from ..posterior.loo import require_draws
from ..result import Fit
from .variables import label_free_variables

# Kallioinen et al. (2024), section 3.3.
SENSITIVE = 0.05
ALPHAS = (0.99, 1.01)
SCALARS = ("log_lik", "entropy", "concentration")
POWERS = {"half": 0.5, "double": 2.0, "flat": 0.0}
BATCH = 64


@in_float64
def log_prior(fit: Fit) -> dict[str, np.ndarray]:
    """Return the log prior of the draws of a posterior, as its power is scaled.

    Args:
        fit: a posterior of a model with priors.

    Returns:
        ``weights`` and ``components``, (C, S) each, as the module says.
    """
    assert fit.model.weights is not None
    assert fit.counts is not None
    grows = fit.model.weights.grows
    of_weights = log_prior_of_clusters(fit) if grows else log_prior_of_weights(fit)
    counts = fit.counts.reshape(-1, fit.model.n_components)
    draws = flat_draws(fit)
    of_components = log_prior_of_components(fit.model.components, draws, counts, scales(fit))
    shape = fit.log_likelihood.shape
    return {"weights": of_weights, "components": np.asarray(of_components).reshape(shape)}


def log_prior_of_clusters(fit: Fit) -> np.ndarray:
    """Return log p(K+) of each draw, (C, S)."""
    with np.errstate(divide="ignore"):
        of_numbers = np.log(prior_of_clusters(fit.model.spec, fit.data.n_rows).to_numpy())
    return of_numbers[fit.n_clusters - 1]


def log_prior_of_weights(fit: Fit) -> np.ndarray:
    """Return log p(weights, concentration) of each draw, (C, S)."""
    prior: Any = fit.model.weights
    concentration = prior.concentration if fit.concentration is None else fit.concentration
    if fit.model.n_components == 1:
        return np.zeros(fit.log_likelihood.shape)
    log_density = log_weights_density(prior, jnp.asarray(fit.scaled.log_weights), concentration)
    if fit.concentration is not None:
        log_density += prior.concentration.log_prob(fit.concentration)
    return np.asarray(log_density)


def scales(fit: Fit) -> np.ndarray:
    """Return the scale of the covariances' prior in each draw, (C S, ...)."""
    if fit.scale is not None:
        return fit.scale.reshape(-1, *fit.scale.shape[2:])
    fixed = np.asarray(fit.model.components.prior.scale)
    return np.broadcast_to(fixed, (fit.log_likelihood.size, *fixed.shape))


@jax.jit
def log_prior_of_components(
    components: Components, mixtures: Mixture, counts: Array, scales: Array
) -> Array:
    """Return log p(components with rows, scale), each density measured from its mean, (S,)."""

    def one(part: tuple[Mixture, Array, Array]) -> Array:
        mixture, counts, scale = part
        noise = components.prior.with_scale(scale).noise_from_means(
            mixture.means, mixture.covariance
        )
        of_means = jnp.where(counts > 0, (1 - noise**2).sum(-1) / 2, 0.0).sum()
        of_scale = scale_prior.log_density(scale) if scale_prior is not None else 0.0
        return of_means + log_prior_of_covariances(components, mixture, counts, scale) + of_scale

    scale_prior = components.scale_prior
    return jax.lax.map(one, (mixtures, counts, scales), batch_size=BATCH)


def log_prior_of_covariances(
    components: Components, mixture: Mixture, counts: Array, scale: Array
) -> Array:
    """Return log p(covariances with rows | scale), each measured from its mean, ()."""
    prior, covariance = components.conjugate(scale), mixture.covariance
    entropy = prior.covariance_entropy()
    if isinstance(covariance, Tied):
        return prior.log_covariance_density(covariance) + entropy
    single = jax.tree.map(lambda leaf: leaf[:, None], covariance)
    of_each = jax.vmap(prior.log_covariance_density)(single) + entropy
    return jnp.where(counts > 0, of_each, 0.0).sum()


@in_float64
def prior_sensitivity(fit: Fit) -> pd.DataFrame:
    """Measure how much the posterior would move if a part of the prior, or the data, weighed more.

    Args:
        fit: a posterior of at least 100 draws.

    Returns:
        A row for each continuous quantity that does not depend on labels; columns ``weights`` and
        ``components``, the sensitivity to these parts of the prior, ``likelihood``, that to the
        data, and ``diagnosis`` in words. From 0.05 on a quantity counts as sensitive. For the
        number of clusters see ``clusters_by_prior``.

    Raises:
        ValueError: a fit that is not a posterior, or too few draws.

    Reference:
        Kallioinen, Paananen, Bürkner & Vehtari (2024), Statistics and Computing 34, 57.
    """
    require_draws(fit, "Power scaling")
    parts = log_prior(fit) | {"likelihood": fit.log_likelihood}
    quantities = continuous_quantities(fit)
    table = pd.DataFrame(
        {part: sensitivities(quantities, log_density) for part, log_density in parts.items()},
        index=pd.Index(quantities, name="quantity"),
    )
    table["diagnosis"] = [diagnosis(row) for _, row in table.iterrows()]
    return table


def continuous_quantities(fit: Fit) -> dict[str, np.ndarray]:
    """Return draws (C, S) of what does not depend on labels.

    Not of the numbers of clusters and components: ArviZ's distance is one of relative changes, so
    that it takes a number that two draws in a thousand have for the whole.
    """
    variables = label_free_variables(fit)
    quantities = {name: variables[name][1] for name in SCALARS if name in variables}
    weights = np.moveaxis(variables["sorted_weights"][1], -1, 0)
    return quantities | {f"sorted_weights[{k}]": weight for k, weight in enumerate(weights)}


def sensitivities(quantities: dict[str, np.ndarray], log_density: np.ndarray) -> list[float]:
    """Return the sensitivity of each quantity to the power of a density (C, S); zero if constant."""
    from arviz_stats.base import array_stats

    # So close to one, no Pareto smoothing is called for, which would stumble over equal densities.
    centred = log_density - log_density.max()
    low, high = (np.exp((alpha - 1) * centred) for alpha in ALPHAS)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = [
            array_stats.power_scale_sense(draws, low, high, *ALPHAS, chain_axis=0, draw_axis=1)
            for draws in quantities.values()
        ]
    return [float(np.nan_to_num(one)) for one in found]


def diagnosis(row: pd.Series) -> str:
    """Put a row of sensitivities into words."""
    parts = [part for part in ("weights", "components") if row[part] >= SENSITIVE]
    if not parts:
        return "hardly depends on the prior"
    named = " and ".join(parts)
    if row["likelihood"] >= SENSITIVE:
        return f"prior of {named} and data pull apart"
    return f"prior of {named} decides, the data say little"


def clusters_by_prior(fit: Fit) -> pd.DataFrame:
    """Tabulate the number of clusters: its prior, its posterior, and what other priors would make of it.

    The posterior under another prior q of the number of clusters is proportional to
    posterior(K+) q(K+) / p(K+), all else being equal: no new run, and no importance sampling.

    Args:
        fit: a posterior with a prior on the weights.

    Returns:
        A row for each number of clusters that a draw has; columns ``prior``, the exact p(K+);
        ``posterior`` and its Monte Carlo standard error ``error``; and the posterior under a
        prior of half the power (``half``), of twice the power (``double``), and under equal
        probabilities of all numbers (``flat``).

    Raises:
        ValueError: a fit without draws or without a prior on the weights.
    """
    if fit.is_point or fit.model.weights is None:
        raise ValueError(
            "Expected a posterior with a prior on the weights, got a point fit: it has one number of "
            "clusters. Use bg.fit(X) with engine=bg.Gibbs()."
        )
    import arviz as az

    numbers = np.unique(fit.n_clusters)
    drawn = (fit.n_clusters == numbers[:, None, None]).astype(float)
    prior = prior_of_clusters(fit.model.spec, fit.data.n_rows).to_numpy()[numbers - 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        errors = [float(np.nan_to_num(az.mcse(one, method="mean"))) for one in drawn]
    columns = {"prior": prior, "posterior": drawn.mean((1, 2)), "error": errors}
    for name, power in POWERS.items():
        columns[name] = normalised(columns["posterior"] * prior ** (power - 1))
    return pd.DataFrame(columns, pd.Index(numbers, name="n_clusters"))


def normalised(masses: np.ndarray) -> np.ndarray:
    """Return probabilities."""
    return masses / masses.sum()
