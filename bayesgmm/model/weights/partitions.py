r"""What a weight prior says of partitions, the weights summed out.

With n_1, ..., n_t the sizes of the clusters of N rows, each prior gives the probability of the
partition C (an exchangeable partition probability function, EPPF):

* finite K:   K! / (K - t)!  G(K a) / G(K a + N)  prod_j G(n_j + a) / G(a);
* Dirichlet process:   a^t G(a) / G(a + N)  prod_j G(n_j);
* mixture of finite mixtures:   sum_K p(K) times the finite form with a = alpha (static) or
  a = alpha / K (dynamic).

Counts come as (..., K) with zeros for the components without rows; the order of the components has
no meaning. Given a partition, weights are drawn from their conditional: Dirichlet(a + n_k) over K
components; for the process (w_1, ..., w_t, rest) ~ Dirichlet(n_1, ..., n_t, alpha), the rest broken
into the remaining slots by Beta(1, alpha) sticks, the last slot taking what is left.

Sources: Pitman (2006), Combinatorial stochastic processes, chapters 2 and 3; Miller & Harrison (2018),
JASA 113, 340-356; Frühwirth-Schnatter, Malsiner-Walli & Grün (2021), Bayesian Analysis 16, 1279-1307.
"""

from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import gammaln, logsumexp
from jax.typing import ArrayLike

from ...numerics.gamma import draw_log_gamma


class PartitionPrior(Protocol):
    """A weight prior as the partition sampler sees it.

    Attributes:
        concentration: a positive number, or a NumPyro distribution.
    """

    @property
    def concentration(self) -> Any:
        """See the class."""

    def log_terms(self, counts: Array, concentration: ArrayLike) -> Array:
        """Return log p(C, K | alpha) over the values of K, (..., n_values); K known: one value."""

    def draw_n_components(self, key: Array, log_terms: Array) -> Array:
        """Draw K given the partition, from ``log_terms``, (...)."""

    def log_given(self, counts: Array, concentration: ArrayLike, n_components: Array) -> Array:
        """Return log p(C | alpha, K) up to terms free of alpha, (...)."""

    def draw_log_weights(
        self, key: Array, counts: Array, concentration: ArrayLike, n_components: Array
    ) -> Array:
        """Draw log weights given the partition, (..., K); absent components have -inf."""

    def per_component(self, concentration: ArrayLike, n_components: Array) -> Array:
        """Return the Dirichlet parameter of one of K components; zero for a process, (...)."""


def log_partition(prior: PartitionPrior, counts: Array, concentration: ArrayLike) -> Array:
    """Return log p(C | alpha), K summed out, (...)."""
    return logsumexp(prior.log_terms(counts, concentration), -1)


class FinitePartition(NamedTuple):
    """K known: a symmetric Dirichlet over K slots."""

    concentration: Any

    def log_terms(self, counts: Array, concentration: ArrayLike) -> Array:
        """Return the finite form, (..., 1)."""
        n_slots = jnp.asarray(counts.shape[-1], counts.dtype)
        return log_finite(counts, jnp.asarray(concentration), n_slots)[..., None]

    def draw_n_components(self, key: Array, log_terms: Array) -> Array:
        """Return zeros: there is nothing to draw."""
        del key
        return jnp.zeros(log_terms.shape[:-1], int)

    def log_given(self, counts: Array, concentration: ArrayLike, n_components: Array) -> Array:
        """Return the finite form, (...)."""
        del n_components
        return self.log_terms(counts, concentration)[..., 0]

    def draw_log_weights(
        self, key: Array, counts: Array, concentration: ArrayLike, n_components: Array
    ) -> Array:
        """Draw from Dirichlet(alpha + n_k)."""
        del n_components
        return log_dirichlet(key, counts + jnp.asarray(concentration)[..., None])

    def per_component(self, concentration: ArrayLike, n_components: Array) -> Array:
        """Return alpha."""
        del n_components
        return jnp.asarray(concentration)


class ProcessPartition(NamedTuple):
    """A Dirichlet process: infinitely many components, of which the slots hold the first."""

    concentration: Any

    def log_terms(self, counts: Array, concentration: ArrayLike) -> Array:
        """Return Ewens's formula, (..., 1)."""
        alpha = jnp.asarray(concentration)
        filled = counts > 0
        of_sizes = jnp.where(filled, gammaln(jnp.where(filled, counts, 1.0)), 0.0).sum(-1)
        of_rows = gammaln(alpha) - gammaln(alpha + counts.sum(-1))
        return (filled.sum(-1) * jnp.log(alpha) + of_rows + of_sizes)[..., None]

    def draw_n_components(self, key: Array, log_terms: Array) -> Array:
        """Return zeros: there is nothing to draw."""
        del key
        return jnp.zeros(log_terms.shape[:-1], int)

    def log_given(self, counts: Array, concentration: ArrayLike, n_components: Array) -> Array:
        """Return Ewens's formula, (...)."""
        del n_components
        return self.log_terms(counts, concentration)[..., 0]

    def draw_log_weights(
        self, key: Array, counts: Array, concentration: ArrayLike, n_components: Array
    ) -> Array:
        """Draw the clusters' weights and the rest, and break the rest into the empty slots."""
        del n_components
        alpha = jnp.asarray(concentration)[..., None]
        key_mass, key_break = jax.random.split(key)
        filled = counts > 0
        order = jnp.cumsum(~filled, -1)
        first = ~filled & (order == 1)
        # The first empty slot carries the gamma of all empty slots together.
        shapes = jnp.where(filled, counts, alpha)
        log_mass = jnp.where(filled | first, draw_log_gamma(key_mass, shapes), -jnp.inf)
        log_weights = log_mass - logsumexp(log_mass, -1, keepdims=True)
        log_rest = jnp.where(first, log_weights, -jnp.inf).max(-1, keepdims=True)
        log_left = jnp.log(jax.random.uniform(key_break, counts.shape, minval=1e-300)) / alpha
        before = jnp.cumsum(jnp.where(filled, 0.0, log_left), -1) - log_left
        is_last = order == order[..., -1:]
        taken = jnp.where(is_last, 0.0, jnp.log(-jnp.expm1(log_left)))
        return jnp.where(filled, log_weights, log_rest + before + taken)

    def per_component(self, concentration: ArrayLike, n_components: Array) -> Array:
        """Return zero, the limit of infinitely many components."""
        del n_components
        return jnp.zeros_like(jnp.asarray(concentration))


class StaticMixturePartition(NamedTuple):
    """K random, w | K ~ Dirichlet(alpha, ..., alpha)."""

    concentration: Any
    log_prior: Array

    def per_component(self, concentration: ArrayLike, n_components: Array) -> Array:
        """Return the Dirichlet parameter of one component."""
        alpha = jnp.asarray(concentration)
        return jnp.broadcast_to(alpha, jnp.broadcast_shapes(alpha.shape, n_components.shape))

    def log_terms(self, counts: Array, concentration: ArrayLike) -> Array:
        """Return log p(K) + log p(C | alpha, K) for K = 1, ..., max_components."""
        alpha = jnp.asarray(concentration)
        n_filled = (counts > 0).sum(-1)[..., None]
        possible = jnp.arange(1, counts.shape[-1] + 1)
        values = jnp.maximum(possible, n_filled).astype(counts.dtype)
        of_rows = log_rising(values * alpha[..., None], counts.sum(-1)[..., None])
        of_slots = gammaln(values + 1) - gammaln(values - n_filled + 1)
        of_sizes = log_sizes(counts, alpha)[..., None]
        terms = self.log_prior + of_slots - of_rows + of_sizes
        return jnp.where(possible >= n_filled, terms, -jnp.inf)

    def draw_n_components(self, key: Array, log_terms: Array) -> Array:
        """Draw K, (...)."""
        cumulative = jnp.cumsum(jnp.exp(log_terms - log_terms.max(-1, keepdims=True)), -1)
        uniform = jax.random.uniform(key, (*log_terms.shape[:-1], 1), log_terms.dtype)
        return 1 + (uniform * cumulative[..., -1:] >= cumulative[..., :-1]).sum(-1)

    def log_given(self, counts: Array, concentration: ArrayLike, n_components: Array) -> Array:
        """Return the finite form, (...)."""
        values = n_components.astype(counts.dtype)
        alpha = self.per_component(concentration, values)
        return log_sizes(counts, alpha) - log_rising(values * alpha, counts.sum(-1))

    def draw_log_weights(
        self, key: Array, counts: Array, concentration: ArrayLike, n_components: Array
    ) -> Array:
        """Draw from a Dirichlet over the clusters and the first K - t empty slots."""
        filled = counts > 0
        n_empty = (n_components - filled.sum(-1))[..., None]
        active = filled | (jnp.cumsum(~filled, -1) <= n_empty)
        alpha = self.per_component(concentration, n_components)[..., None]
        return log_dirichlet(key, counts + alpha, active)


class DynamicMixturePartition(StaticMixturePartition):
    """K random, w | K ~ Dirichlet(alpha / K, ..., alpha / K)."""

    def per_component(self, concentration: ArrayLike, n_components: Array) -> Array:
        """Return alpha / K."""
        return jnp.asarray(concentration) / n_components

    def log_terms(self, counts: Array, concentration: ArrayLike) -> Array:
        """Return log p(K) + log p(C | alpha, K) for K = 1, ..., max_components."""
        alpha = jnp.asarray(concentration)[..., None]
        n_filled = (counts > 0).sum(-1)[..., None]
        possible = jnp.arange(1, counts.shape[-1] + 1)
        values = jnp.maximum(possible, n_filled).astype(counts.dtype)
        of_rows = log_rising(alpha, counts.sum(-1)[..., None])
        of_slots = gammaln(values + 1) - gammaln(values - n_filled + 1)
        of_sizes = log_sizes(counts[..., None, :], alpha / values)
        terms = self.log_prior + of_slots - of_rows + of_sizes
        return jnp.where(possible >= n_filled, terms, -jnp.inf)


def log_finite(counts: Array, concentration: Array, n_components: Array) -> Array:
    """Return the finite form of the module's head, (...)."""
    n_empty = n_components - (counts > 0).sum(-1)
    of_slots = gammaln(n_components + 1) - gammaln(n_empty + 1)
    of_rows = log_rising(n_components * concentration, counts.sum(-1))
    return of_slots - of_rows + log_sizes(counts, concentration)


def log_sizes(counts: Array, concentration: Array) -> Array:
    """Return sum over filled components of log G(n_k + a) / G(a), (...)."""
    alpha = concentration[..., None]
    return jnp.where(counts > 0, gammaln(alpha + counts) - gammaln(alpha), 0.0).sum(-1)


def log_rising(start: ArrayLike, n_rows: ArrayLike) -> Array:
    """Return log G(start + N) / G(start), (...)."""
    return gammaln(start + jnp.asarray(n_rows)) - gammaln(start)


def log_dirichlet(key: Array, parameters: Array, active: Array | None = None) -> Array:
    """Draw log weights from a Dirichlet, inactive components at -inf, (..., K)."""
    log_mass = draw_log_gamma(key, parameters)
    if active is not None:
        log_mass = jnp.where(active, log_mass, -jnp.inf)
    return log_mass - logsumexp(log_mass, -1, keepdims=True)
