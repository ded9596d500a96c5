r"""The prior that a weight prior implies on K+, the number of clusters among N rows.

A Dirichlet process of mass m seats N rows at T tables,

    p(T = t | N, m) = |s(N, t)| m^t G(m) / G(m + N),

|s| Stirling numbers of the first kind. A symmetric Dirichlet(a) over K components is the same
process of mass m = K a whose tables each choose one of the K components at random (Pitman 2006,
Combinatorial stochastic processes, chapters 2 and 3), so that

    p(K+ = k | N, K, a) = sum_t p(T = t | N, K a) p(t balls fill k of K boxes),

which equals K! / (K - k)! |C(N, k; a)| G(K a) / G(K a + N), the form with generalised Stirling numbers
of Gnedin & Pitman (2006) and of Greve, Grün, Malsiner-Walli & Frühwirth-Schnatter (2022,
Australian & New Zealand Journal of Statistics 64, 205-229). All terms are positive, and one table
of |s(N, t)| / N! serves every concentration and every K. Mixtures of finite mixtures sum over K with
a = alpha (static) or a = alpha / K (dynamic, where m = alpha for every K).
"""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from scipy.special import betaln, logsumexp

from ..numerics.precision import in_float64
from .hyperprior import quadrature
from .spec import DEFAULT_MAX_COMPONENTS, MixtureSpec
from .weights import WeightPrior
from .weights.partitions import (
    DynamicMixturePartition,
    FinitePartition,
    ProcessPartition,
    StaticMixturePartition,
)

if TYPE_CHECKING:
    import pandas as pd

# So many balls per box, beyond log K, that a box is left empty with probability below exp(-28).
BALLS_PER_BOX = 28


@in_float64
def prior_of_clusters(spec: MixtureSpec, n_rows: int) -> "pd.Series":
    """Compute the prior probabilities of the number of clusters among ``n_rows`` rows.

    They are exact. A hyperprior on the concentration is integrated out numerically, to about 1e-9.
    A Dirichlet process is conditioned on at most ``max_components`` clusters, and the prior on K
    of a mixture of finite mixtures on K <= ``max_components``, as the Gibbs sampler does; NUTS
    breaks its sticks off at ``max_components``, which agrees where that bound is generous.

    Args:
        spec: a model with a prior on the weights.
        n_rows: number of rows, N >= 1.

    Returns:
        Probabilities, (min(max_components, N),), by number of clusters 1, 2, ...

    Raises:
        ValueError: no prior on the weights, or ``n_rows`` not a whole number >= 1.

    Reference:
        Greve, Grün, Malsiner-Walli & Frühwirth-Schnatter (2022), Australian & New Zealand Journal
        of Statistics 64, 205-229.
    """
    import pandas as pd

    n_rows = check_n_rows(n_rows)
    if spec.weights is None:
        raise ValueError(
            "Expected a model with a prior on the weights, got maximum likelihood, which implies no "
            "prior of the number of clusters. Pass for instance MixtureSpec(weights=bg.SparseDirichlet())."
        )
    probabilities = np.exp(log_clusters(spec.weights, n_rows, spec.size))
    index = pd.RangeIndex(1, len(probabilities) + 1, name="n_clusters")
    return pd.Series(probabilities, index=index, name="probability")


@in_float64
def probability_beyond(weights: WeightPrior, n_rows: int, size: int | None) -> float:
    """Return p(K+ > size), of a Dirichlet process without its bound; see there."""
    n_rows = check_n_rows(n_rows)
    size = check_size(size)
    if n_rows <= size:
        return 0.0
    within = logsumexp(log_clusters_within(weights, n_rows, size))
    return float(max(0.0, -np.expm1(within)))


def check_size(size: Any) -> int:
    """Return a checked bound on the components, by default that of ``MixtureSpec``.

    Raises:
        ValueError: not a whole number >= 1.
    """
    if size is None:
        return DEFAULT_MAX_COMPONENTS
    if not is_whole(size) or size < 1:
        raise ValueError(
            f"Expected the number of components to be a whole number >= 1, got {size!r}. "
            f"Pass for instance {DEFAULT_MAX_COMPONENTS}."
        )
    return int(size)


def is_whole(value: Any) -> bool:
    """Say whether a value is a whole number."""
    return hasattr(value, "__index__") and not isinstance(value, bool)


def check_n_rows(n_rows: Any) -> int:
    """Return a checked number of rows.

    Raises:
        ValueError: not a whole number >= 1.
    """
    if not is_whole(n_rows) or n_rows < 1:
        raise ValueError(
            f"Expected n_rows to be a whole number >= 1, got {n_rows!r}. Pass for instance n_rows=len(x)."
        )
    return int(n_rows)


def log_clusters(weights: WeightPrior, n_rows: int, size: int) -> np.ndarray:
    """Return log p(K+ = k), the concentration integrated out, (min(size, N),)."""
    joint = log_clusters_within(weights, n_rows, size)
    return joint - logsumexp(joint)


def log_clusters_within(weights: WeightPrior, n_rows: int, size: int) -> np.ndarray:
    """Return log p(K+ = k), those of a Dirichlet process not conditioned on its bound."""
    weights = weights.resolve()
    rule = quadrature(weights.concentration)
    given = log_clusters_given(weights, n_rows, size)(rule.concentrations)
    return logsumexp(given + rule.log_weights[:, None], axis=0)


def log_clusters_given(
    weights: WeightPrior, n_rows: int, size: int
) -> Callable[[np.ndarray], np.ndarray]:
    """Return the map from concentrations (A,) to log p(K+ = k | alpha), (A, min(size, N)).

    The probabilities of a Dirichlet process sum to that of at most ``size`` clusters.

    Raises:
        ValueError: a weight prior that this file does not know.
    """
    partition = weights.partition_prior(size)
    if type(partition) not in LAWS:
        raise ValueError(
            f"Expected a weight prior of this package, got {type(weights).__name__}. Use bg.Dirichlet, "
            "bg.SparseDirichlet, bg.DirichletProcess or bg.MixtureOfFiniteMixtures."
        )
    return partial(LAWS[type(partition)], partition, n_rows, size)


def process(_: ProcessPartition, n_rows: int, size: int, alphas: np.ndarray) -> np.ndarray:
    """Return the law of the tables of a Dirichlet process, (A, most)."""
    return log_tables(alphas, n_rows, min(size, n_rows))


def finite(_: FinitePartition, n_rows: int, size: int, alphas: np.ndarray) -> np.ndarray:
    """Return the law of the boxes filled by the tables, (A, most)."""
    filled = boxes_filled(size, n_balls(n_rows, size))
    return log_of(tables(size * alphas, n_rows, size) @ filled[:, :n_rows])


def static(prior: StaticMixturePartition, n_rows: int, size: int, alphas: np.ndarray) -> np.ndarray:
    """Return the sum over K of the finite laws with a = alpha, (A, most)."""
    total = np.zeros((len(alphas), min(size, n_rows)))
    for K, weight in with_mass(prior):
        filled = boxes_filled(K, n_balls(n_rows, size))[:, :n_rows]
        total[:, : filled.shape[1]] += weight * tables(K * alphas, n_rows, size) @ filled
    return log_of(total)


def dynamic(
    prior: DynamicMixturePartition, n_rows: int, size: int, alphas: np.ndarray
) -> np.ndarray:
    """Return the sum over K of the finite laws with a = alpha / K, (A, most)."""
    total = np.zeros((n_balls(n_rows, size), min(size, n_rows)))
    for K, weight in with_mass(prior):
        filled = boxes_filled(K, n_balls(n_rows, size))[:, :n_rows]
        total[:, : filled.shape[1]] += weight * filled
    return log_of(tables(alphas, n_rows, size) @ total)


LAWS: dict[type, Callable[..., np.ndarray]] = {
    FinitePartition: finite,
    ProcessPartition: process,
    StaticMixturePartition: static,
    DynamicMixturePartition: dynamic,
}


def with_mass(prior: StaticMixturePartition) -> list[tuple[int, float]]:
    """Return the values of K with positive probability, and these."""
    mass = np.exp(prior.log_prior)
    return [(int(K) + 1, float(mass[K])) for K in np.flatnonzero(mass)]


def log_of(probabilities: np.ndarray) -> np.ndarray:
    """Return logarithms, those of zeros -inf."""
    with np.errstate(divide="ignore"):
        return np.log(probabilities)


# Tables ------------------------------------------------------------------------------------------


def n_balls(n_rows: int, size: int) -> int:
    """Return the number of tables beyond which every one of ``size`` boxes is filled, or N."""
    return min(n_rows, int(np.ceil(size * (np.log(size) + BALLS_PER_BOX))))


def tables(masses: np.ndarray, n_rows: int, size: int) -> np.ndarray:
    """Return p(T = t | m) for t = 1, ..., ``n_balls``, the last entry with all that lies beyond."""
    n_tables = n_balls(n_rows, size)
    law = np.exp(log_tables(masses, n_rows, n_tables))
    if n_tables < n_rows:
        law[:, -1] = np.maximum(1 - law[:, :-1].sum(1), 0)
    return law


def log_tables(masses: np.ndarray, n_rows: int, n_tables: int) -> np.ndarray:
    """Return log p(T = t | N, m) for t = 1, ..., ``n_tables``, (A, n_tables)."""
    # N! G(m) / G(m + N) = N B(m, N), and |s(N, t)| / N! is the law at m = 1.
    of_rows = np.log(n_rows) + betaln(masses, n_rows)
    of_tables = np.log(masses)[:, None] * np.arange(1, n_tables + 1)
    return of_rows[:, None] + of_tables + log_tables_of_unit_mass(n_rows, n_tables)


@lru_cache(maxsize=16)
def log_tables_of_unit_mass(n_rows: int, n_tables: int) -> np.ndarray:
    """Return log |s(N, t)| / N! for t = 1, ..., ``n_tables``, (n_tables,)."""
    with jax.enable_x64(True):
        return np.asarray(seat_rows(n_rows, n_tables))


@partial(jax.jit, static_argnames="n_tables")
def seat_rows(n_rows: int, n_tables: int) -> Array:
    """Seat one row after the other: at a new table with probability 1 / (n + 1)."""

    def seat(n: Array, log_law: Array) -> Array:
        log_next = jnp.log1p(n.astype(float))
        moved = jnp.concatenate([jnp.array([-jnp.inf]), log_law[:-1]])
        return jnp.logaddexp(log_law + jnp.log(n.astype(float)), moved) - log_next

    start = jnp.full(n_tables, -jnp.inf).at[0].set(0.0)
    return jax.lax.fori_loop(1, n_rows, seat, start)


@lru_cache(maxsize=256)
def boxes_filled(n_boxes: int, most: int) -> np.ndarray:
    """Return the probability that t balls fill k of K boxes, t = 1, ..., most, (most, K)."""
    filled = np.arange(1, n_boxes + 1)
    law = np.zeros((most, n_boxes))
    law[0, 0] = 1
    for t in range(1, most):
        law[t] = law[t - 1] * filled / n_boxes
        law[t, 1:] += law[t - 1, :-1] * (n_boxes - filled[:-1]) / n_boxes
    return law
