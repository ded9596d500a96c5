r"""The mixture as an ordinary NumPyro model, labels summed out.

    w ~ weight prior,  (mu_k, Sigma_k) ~ prior given S,  x_n ~ sum_k w_k N(mu_k, Sigma_k)

Sites are coordinates in which the prior has one scale, so that components without rows, which
follow the prior, do not slow a gradient sampler down:

    sticks       (K - 1,)   coordinates of the stick-breaking proportions (model.weights)
    covariances  log chi-square and normal entries of the Bartlett factor (numerics.wishart)
    mean_noise   (K, D)     standard normal: mu_k = m + chol_k z_k / sqrt(kappa)
    concentration           the weight concentration, where it has a hyperprior
    scale                   S, the scale of the covariances' prior, where it has a hyperprior

The likelihood is the kernel's, whose gradient costs one EM iteration.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax import Array
from numpyro.distributions import constraints

from ..data.dataset import Dataset
from ..data.tabular import Table
from ..model.components import GammaScale, WishartScale
from ..model.families.base import Family
from ..model.kernel import log_likelihood, mixture_log_likelihood
from ..model.mixture import Mixture
from ..model.resolved import Model, resolve
from ..model.spec import MixtureSpec
from ..model.weights import (
    DirichletProcess,
    coordinates_from_log_weights,
    is_random,
    log_sticks_to_log_weights,
    log_weights_from_coordinates,
    stick_log_density,
)
from ..numerics.rows import Rows, chunk_length
from ..numerics.submodules import bind_submodules

bind_submodules("numpyro.distributions")


class StickCoordinates(dist.Distribution):
    """Law of the coordinates t of sticks v ~ Beta(a, b)."""

    arg_constraints: ClassVar[dict[str, Any]] = {
        "a": constraints.positive,
        "b": constraints.positive,
    }
    support = constraints.real_vector
    reparametrized_params: ClassVar[list[str]] = ["a", "b"]

    def __init__(self, a: Array, b: Array, *, validate_args: bool | None = None) -> None:
        """Take the Beta parameters, (K - 1,) each."""
        self.a, self.b = a, b
        super().__init__(jnp.shape(a)[:-1], jnp.shape(a)[-1:], validate_args=validate_args)

    def log_prob(self, value: Array) -> Array:
        """Return the log density of the coordinates, summed over sticks."""
        return stick_log_density(value, self.a, self.b).sum(-1)

    def sample(self, key: Array, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw the sticks and invert the coordinates."""
        shape = (*sample_shape, *jnp.shape(self.a))
        key_taken, key_left = jax.random.split(key)
        taken = jax.random.loggamma(key_taken, jnp.broadcast_to(self.a, shape))
        left = jax.random.loggamma(key_left, jnp.broadcast_to(self.b, shape))
        total = jnp.logaddexp(taken, left)
        log_weights = log_sticks_to_log_weights(taken - total, left - total)
        return coordinates_from_log_weights(log_weights, self.a, self.b)


class CovarianceCoordinates(dist.Distribution):
    """Law of the unconstrained coordinates of a family's covariance under its conjugate prior."""

    pytree_data_fields = ("prior",)
    pytree_aux_fields = ("n_components",)

    def __init__(self, prior: Any, n_components: int, *, validate_args: bool | None = None) -> None:
        """Take the conjugate prior and the number of components."""
        self.prior, self.n_components = prior, n_components
        shape = prior.raw_shape(n_components)
        super().__init__((), shape, validate_args=validate_args)

    @property
    def support(self) -> Any:
        """All real numbers."""
        return constraints.independent(constraints.real, len(self.event_shape))

    def log_prob(self, value: Array) -> Array:
        """Return the log density of the coordinates, summed over components."""
        return self.prior.raw_log_density(value)

    def sample(self, key: Array, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw covariances and return their coordinates."""
        _, covariance = self.prior.draw(key, (*sample_shape, self.n_components))
        return self.prior.raw_from_covariance(covariance)


class MixtureRows(dist.Distribution):
    """N independent rows from one mixture, (N, D), in engine units."""

    pytree_data_fields = ("mixture",)
    pytree_aux_fields = ("family", "n_rows")

    def __init__(
        self, family: Family, mixture: Mixture, n_rows: int, *, validate_args: bool | None = None
    ) -> None:
        """Take the mixture and the number of rows."""
        self.family, self.mixture, self.n_rows = family, mixture, n_rows
        super().__init__((), (n_rows, mixture.means.shape[-1]), validate_args=validate_args)

    support = constraints.real_matrix

    def log_prob(self, value: Array) -> Array:
        """Return the log density of all rows."""
        rows = Rows(value.T[None], jnp.ones((1, self.n_rows), value.dtype))
        return log_likelihood(self.family, self.family.natural(self.mixture), rows)

    def sample(self, key: Array, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw labels first, then rows."""
        key_label, key_noise = jax.random.split(key)
        shape = (*sample_shape, self.n_rows)
        labels = jax.random.categorical(key_label, self.mixture.log_weights, shape=shape)
        chol = jnp.linalg.cholesky(self.family.matrices(self.mixture))
        noise = jax.random.normal(key_noise, (*shape, self.mixture.means.shape[-1]))
        return self.mixture.means[labels] + jnp.einsum("...ij,...j->...i", chol[labels], noise)


def scale_law(scale_prior: WishartScale | GammaScale) -> dist.Distribution:
    """Return the hyperprior of the scale as a NumPyro distribution."""
    if isinstance(scale_prior, WishartScale):
        return dist.Wishart(scale_prior.degrees_of_freedom, rate_matrix=scale_prior.rate)
    law = dist.Gamma(scale_prior.shape, scale_prior.rate)
    return law.to_event(jnp.ndim(scale_prior.rate))


def mixture_prior(weights: Any, prior: Any, scale_prior: Any, n_components: int) -> Mixture:
    """Sample a mixture in engine units from its prior, inside a NumPyro model."""
    concentration = weights.concentration
    if is_random(concentration):
        concentration = numpyro.sample("concentration", concentration)
    log_weights = jnp.zeros(1)
    if n_components > 1:
        a, b = weights.sticks(concentration, n_components)
        sticks = numpyro.sample("sticks", StickCoordinates(a, b))
        log_weights = log_weights_from_coordinates(sticks, a, b)
    if scale_prior is not None:
        prior = prior.with_scale(numpyro.sample("scale", scale_law(scale_prior)))
    raw = numpyro.sample("covariances", CovarianceCoordinates(prior, n_components))
    shape = (n_components, jnp.shape(prior.mean)[-1])
    noise = numpyro.sample("mean_noise", dist.Normal().expand(shape).to_event(2))
    covariance = prior.covariance_from_raw(raw)
    return Mixture(log_weights, prior.means_from_noise(noise, covariance), covariance)


def mixture_model(
    family: Family, n_components: int, weights: Any, prior: Any, scale_prior: Any, rows: Rows
) -> Mixture:
    """Run the whole model in engine units, inside a NumPyro model."""
    mixture = mixture_prior(weights, prior, scale_prior, n_components)
    numpyro.factor("log_likelihood", mixture_log_likelihood(family, mixture, rows))
    return mixture


def numpyro_model(spec: MixtureSpec, X: Any) -> Callable[..., Mixture]:
    """Return the mixture as a NumPyro model function, to run or to extend by hand.

    Args:
        spec: a specification with priors.
        X: rows (N, D), cells that are NaN summed out: array, nested lists, data frame, or a Dataset,
            whose weights count rows and whose known labels clamp them.

    Returns:
        ``model(observed=True)``. Called inside a NumPyro model it samples the mixture, scores the
        rows, records ``weights`` (K,), ``means`` (K, D) and ``covariance_matrices`` (K, D, D) in
        the data's units as deterministic sites, and returns the Mixture in the data's units.
        With ``observed=False`` it draws N new rows at the site ``x`` instead. Arithmetic has the
        precision of the caller's JAX setting.

    Raises:
        ValueError: a specification without priors, or data that do not fit it.
    """
    data = X if isinstance(X, Dataset) else Dataset.from_array(X)
    model = resolve(spec, data)
    weights = require_prior(model)
    require_labels(model, data)
    features = model.family.n_features(data.n_columns) + model.n_components
    rows = data.rows(chunk_length(data.n_rows, features))

    def bayesian_mixture(observed: bool = True) -> Mixture:
        cast = partial(jax.tree.map, jnp.asarray)
        prior, scale_prior = cast((model.prior, model.scale_prior))
        mixture = mixture_prior(weights, prior, scale_prior, model.n_components)
        if observed:
            of_rows = mixture_log_likelihood(model.family, mixture, cast(rows))
            numpyro.factor("log_likelihood", of_rows)
        else:
            drawn = numpyro.sample("scaled_x", MixtureRows(model.family, mixture, data.n_rows))
            numpyro.deterministic("x", drawn * model.affine.scale + model.affine.centre)
        return record(model, mixture)

    return bayesian_mixture


def record(model: Model, mixture: Mixture) -> Mixture:
    """Record a mixture in the data's units as deterministic sites and return it."""
    affine = model.affine
    covariance = model.family.scale_by(mixture.covariance, float(affine.scale))
    means = mixture.means * float(affine.scale) + np.asarray(affine.centre)
    mapped = Mixture(mixture.log_weights, means, covariance)
    numpyro.deterministic("weights", jnp.exp(mapped.log_weights))
    numpyro.deterministic("means", mapped.means)
    numpyro.deterministic("covariance_matrices", model.family.matrices(mapped))
    return mapped


def require_prior(model: Model) -> Any:
    """Return the weight prior; raise if the model has no prior to sample from."""
    if model.prior is None or model.weights is None:
        raise ValueError(
            "Expected a specification with priors, got one without (maximum likelihood): its posterior is "
            "improper. Use bg.MixtureSpec(n_components=...) with its default priors, or engine=bg.EM()."
        )
    if not hasattr(model.weights, "sticks"):
        raise ValueError(
            f"Expected a weight prior with a density at max_components, got {type(model.weights).__name__}: "
            "its K is a parameter, which a gradient sampler cannot move. Use engine=bg.Gibbs(), or "
            "weights=bg.SparseDirichlet()."
        )
    return model.weights


def require_labels(model: Model, data: Table) -> None:
    """Raise unless known labels, if any, name components that are exchangeable a priori."""
    if data.labels is None:
        return
    data.require_labels_below(
        model.n_components, "max_components" if model.spec.is_auto else "n_components"
    )
    if isinstance(model.weights, DirichletProcess):
        raise ValueError(
            "Expected known labels with weights that are exchangeable a priori, got a Dirichlet process: its "
            "sticks are ordered by size, so that a number would say something of a weight. Use "
            "engine=bg.Gibbs(), for which labels only tell clusters apart, or weights=bg.SparseDirichlet()."
        )
