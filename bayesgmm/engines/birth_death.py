r"""Births and deaths: a component without rows becomes part of a cluster or the reverse.

Split-merge moves judge one division of the rows, of which a small cluster has a great many. Here the
labels are summed out, as in Richardson & Green (1997, JRSSB 59, 731-792) but for K, which stays.
Given K, the concentration and the hyperparameters,

    p(w, theta | rows)  ~  p(w) prod_k p(theta_k)  prod_i sum_k w_k N(x_i | theta_k).

*Birth*: of the m components that weigh LEAST to AWAY rows one is picked, j, and a partner k with
probability w_k / (1 - w_j). With t = w_j + w_k,

    log w_j' ~ uniform on (log(LEAST / N), log(t / 2))
    theta_j' ~ WIDE p(theta) + (1 - WIDE) q(theta | k, h),   h = (N w_j'^2 / t)^(1/3) rows,
    w_k' = t - w_j',   theta_k' such that j and k together have the moments k had.

*Death* is the reverse: of all that weigh LEAST rows or more j is picked with probability proportional
to (N w_j + LIGHT)^(-1/2), and k to w_k exp(-d_jk^2 / 2), d_jk the distance of their means; k takes weight
and moments of both, and for j

    log w_j ~ uniform on (log(LEAST / N), log min(AWAY / N, t / 2)),   theta_j ~ p(theta).

A birth is accepted by the ratio

    L'/L  p(w') / p(w)  p(theta_k') p(theta_j') / (p(theta_k) p(theta_j))  r^-d  w_j' / w_j

times the density of the proposals of the death over that of the birth, picks of j and k included; a
death by the inverse. With r = w_k' / t, r^-d is the Jacobian of the d moments of k (mean and second
moments, of a shared covariance the mean alone), and w_j' / w_j that of the logarithms.

Of a Dirichlet(a, ..., a) over the weights there remains w_j^(a - 1) w_k^(a - 1). The same holds with
a = 0 for two atoms of a Dirichlet process, whose intensity is alpha^2 (1 - t)^(alpha - 1) / (w_j w_k)
(by Palm's formula; Sethuraman 1994, Statistica Sinica 4, 639-650).

After a pass over the rows with all components each move costs one with the two that change.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import logsumexp
from jax.typing import ArrayLike

from ..model.allocation import barrier
from ..model.components import Components, log_of_component
from ..model.families.base import Family
from ..model.mixture import Mixture, Statistics, Tied
from ..model.weights import PartitionPrior
from ..numerics.rows import Rows
from .densities import Densities, densities_of, exchange, settled

# Weights in rows: the least of a component that is moved, the most of one without rows.
LEAST_ROWS, AWAY_ROWS = 0.3, 3.0
# Components that weigh more are picked less often.
LIGHT_ROWS = 10.0
# Probability that parameters of a birth come from the prior, and the least and the most of h.
WIDE = 0.5
FEWEST_LIKE, MOST_LIKE = 0.2, 20.0


class Births(NamedTuple):
    """How many births and deaths were proposed and how many accepted, (B,)."""

    birth_death_proposed: Array
    birth_death_accepted: Array


class Place(NamedTuple):
    """Where the moves have led.

    Attributes:
        mixture: (B, K, ...).
        densities: of the rows under it.
        births: what was done.
    """

    mixture: Mixture
    densities: Densities
    births: Births


class Proposal(NamedTuple):
    """A move of one chain.

    Attributes:
        is_birth: or a death, ().
        slot: component j, ().
        partner: component k, ().
        possible: whether there is a range for the weight of j, ().
        pair: j and k after the move, (2, ...).
    """

    is_birth: Array
    slot: Array
    partner: Array
    possible: Array
    pair: Mixture


class Laws(NamedTuple):
    """What the moves of one chain go by.

    Attributes:
        components: the prior of the components.
        scale: scale of the covariances' prior.
        alpha: Dirichlet parameter of a component, ().
        n_rows: ().
    """

    components: Components
    scale: Array
    alpha: Array
    n_rows: Array


def birth_death(
    keys: Array,
    n_times: Array,
    family: Family,
    components: Components,
    partition: PartitionPrior,
    rows: Rows,
    concentration: Array,
    scale: Array,
    mixture: Mixture,
) -> Place:
    """Propose ``n_times`` births or deaths in each of B chains.

    Args:
        keys: one key per chain, (B,).
        n_times: moves to propose, ().
        family: the covariance family.
        components: the prior of the components.
        partition: the prior of partitions.
        rows: the rows.
        concentration: (B,).
        scale: scale of the covariances' prior, (B, ...).
        mixture: (B, K, ...).
    """
    n_present = jnp.isfinite(mixture.log_weights).sum(-1)
    alpha = jax.vmap(partition.per_component)(concentration, n_present)
    laws = Laws(components, scale, alpha, rows.weights.sum())
    axes = Laws._make([None, 0, 0, None])
    propose = jax.vmap(partial(propose_one, family), (0, axes, 0))
    settle = jax.vmap(partial(settle_one, family), (0, axes, 0, 0, 0))

    def step(i: Array, place: Place) -> Place:
        both = jax.vmap(lambda key: jax.random.split(jax.random.fold_in(key, i)))(keys)
        proposal = barrier(propose(both[:, 0], laws, place.mixture))
        slots = jnp.stack([proposal.slot, proposal.partner], axis=1)
        exchanged = barrier(exchange(family, proposal.pair, slots, rows, place.densities))
        accepted, moved = barrier(
            settle(both[:, 1], laws, proposal, exchanged.log_ratio, place.mixture)
        )
        densities = settled(accepted, slots, exchanged, place.densities)
        proposed, before = place.births
        return Place(moved, densities, Births(proposed + proposal.possible, before + accepted))

    none = jnp.zeros(concentration.shape, jnp.int32)
    start = Place(mixture, densities_of(family, mixture, rows), Births(none, none))
    return jax.lax.fori_loop(0, n_times, step, barrier(start))


# Proposing ---------------------------------------------------------------------------------------


def propose_one(family: Family, key: Array, laws: Laws, mixture: Mixture) -> Proposal:
    """Propose a birth or a death in one chain."""
    key_few, key_covariance, key_mean = jax.random.split(key, 3)
    which, slot_at, partner_at, weight_at, wide_at = jax.random.uniform(
        key_few, (5,), mixture.means.dtype
    )
    is_birth = which < 0.5
    slot = pick_one(slot_at, chances_of(mixture, laws.n_rows, is_birth))
    partner = pick_one(partner_at, jnp.exp(log_partners(family, mixture, slot, is_birth)))
    one, other = component_of(mixture, slot), component_of(mixture, partner)
    log_total = jnp.logaddexp(one.log_weights, other.log_weights)
    least, most = weight_range(laws.n_rows, log_total, is_birth)
    log_weight = least + weight_at * (most - least)
    log_left = log_total + jnp.log(-jnp.expm1(log_weight - log_total))
    is_near = is_birth & (wide_at >= WIDE)
    near = record_near(family, laws, log_weight, log_total, other)
    noise = jax.random.normal(key_mean, one.means.shape, one.means.dtype)
    covariance = one.covariance
    if not isinstance(covariance, Tied):
        laws_of = (near, laws.components.conjugate(laws.scale))
        drawn = (law.covariance_from_raw(law.draw_raw(key_covariance, (1,))) for law in laws_of)
        covariance = jax.tree.map(partial(jnp.where, is_near), *drawn)
    means = jnp.where(
        is_near,
        near.means_from_noise(noise, covariance),
        laws.components.prior.means_from_noise(noise, covariance),
    )
    new = Mixture(log_weight, means, covariance)
    born = moved_moments(family, other._replace(log_weights=log_total), new, -1.0)
    merged = moved_moments(family, other, one, 1.0)
    parameters = jax.tree.map(partial(jnp.where, is_birth), born, merged)
    pair = joined(new, Mixture(log_left, *parameters))
    return Proposal(is_birth, slot, partner, (least < most)[0], pair)


def chances_of(mixture: Mixture, n_rows: Array, is_birth: ArrayLike) -> Array:
    """Return the probabilities, up to a factor, that a component is picked as j, (K,)."""
    in_rows = n_rows * jnp.exp(mixture.log_weights)
    of_birth = in_rows <= AWAY_ROWS
    of_death = (in_rows + LIGHT_ROWS) ** -0.5
    return jnp.where(in_rows >= LEAST_ROWS, jnp.where(is_birth, of_birth, of_death), 0.0)


def log_partners(family: Family, mixture: Mixture, slot: Array, is_birth: ArrayLike) -> Array:
    """Return the log probabilities that a component is picked as k beside ``slot``, (K,).

    The square of a distance is the sum over columns of (difference of the means)^2 / (sum of the
    variances).
    """
    of_one_row = Statistics(mixture.log_weights, mixture.means, family.covariances(mixture))
    variances = family.column_scatter(of_one_row)
    offsets = mixture.means - mixture.means[slot]
    squares = (offsets**2 / (variances + variances[slot])).sum(-1)
    log_chances = mixture.log_weights - jnp.where(is_birth, 0.0, squares / 2)
    log_chances = jnp.where(jnp.arange(squares.size) == slot, -jnp.inf, log_chances)
    return log_chances - logsumexp(log_chances)


def pick_one(uniform: Array, chances: Array) -> Array:
    """Pick one of K by their chances, ()."""
    cumulative = jnp.cumsum(chances)
    return (uniform * cumulative[-1] >= cumulative[:-1]).sum()


def weight_range(n_rows: Array, log_total: Array, is_birth: ArrayLike) -> tuple[Array, Array]:
    """Return between what the log weight of j lies after a birth or a death."""
    half = log_total - jnp.log(2.0)
    most = jnp.where(is_birth, half, jnp.minimum(jnp.log(AWAY_ROWS / n_rows), half))
    return jnp.broadcast_to(jnp.log(LEAST_ROWS / n_rows), most.shape), most


def record_near(
    family: Family, laws: Laws, log_weight: Array, log_total: Array, partner: Mixture
) -> Any:
    """Return q: parameters that resemble a partner's about as those of h of its rows do.

    With n of the M rows of j and k moved, moments kept, a mean may be off by about (n^2 / M)^(-1/6)
    before the likelihood tells, by third moments: as far as a mean of h = (n^2 / M)^(1/3) rows.
    """
    n_like = jnp.exp((2 * log_weight - log_total + jnp.log(laws.n_rows)) / 3)
    n_like = jnp.clip(n_like, FEWEST_LIKE, MOST_LIKE)
    scatter = family.covariances(partner)
    grown = (1 + n_like).reshape(-1, *[1] * (scatter.ndim - 1))
    like = Statistics(n_like, partner.means, grown * scatter)
    prior = laws.components.conjugate(laws.scale)
    flat = prior._replace(
        mean_precision=jnp.zeros_like(prior.mean_precision),
        degrees_of_freedom=family.default_degrees_of_freedom(partner.means.shape[-1]),
        scale=jnp.zeros_like(prior.scale),
    )
    return flat.update(like)


def moved_moments(family: Family, one: Mixture, other: Mixture, sign: float) -> tuple[Array, Any]:
    """Return means and covariance of two components together, or of one without the other."""
    first, second = (statistics_of(family, part) for part in (one, other))
    moments = family.combine(
        first, jax.tree.map(lambda leaf: sign * leaf, second)._replace(means=second.means)
    )
    if isinstance(one.covariance, Tied):
        return moments.means, one.covariance
    return moments.means, family.maximise(moments, 0.0)


def statistics_of(family: Family, component: Mixture) -> Statistics:
    """Return weight and moments of a component as those of rows, (1, ...)."""
    weight = jnp.exp(component.log_weights)
    scatter = family.covariances(component)
    return Statistics(
        weight, component.means, weight.reshape(-1, *[1] * (scatter.ndim - 1)) * scatter
    )


# Settling ----------------------------------------------------------------------------------------


def settle_one(
    family: Family, key: Array, laws: Laws, proposal: Proposal, log_ratio: Array, mixture: Mixture
) -> tuple[Array, Mixture]:
    """Accept or reject the move of one chain; return the decision and the mixture."""
    moved = replaced(mixture, proposal)
    choose = partial(jnp.where, proposal.is_birth)
    without, with_it = (
        jax.tree.map(choose, *states) for states in ((mixture, moved), (moved, mixture))
    )
    gain = log_birth(family, laws, proposal, without, with_it)
    log_ratio += jnp.where(proposal.is_birth, gain, -gain)
    level = jnp.log(jax.random.uniform(key, (), gain.dtype))
    accepted = proposal.possible & (level < log_ratio)
    return accepted, jax.tree.map(lambda new, old: jnp.where(accepted, new, old), moved, mixture)


def log_birth(
    family: Family, laws: Laws, proposal: Proposal, without: Mixture, with_it: Mixture
) -> Array:
    """Return the log acceptance ratio of a birth without the likelihood, ()."""
    components, n_rows = laws.components, laws.n_rows
    slot, partner = proposal.slot, proposal.partner
    away, born = (component_of(one, slot) for one in (without, with_it))
    before, after = (component_of(one, partner) for one in (without, with_it))
    log_total = jnp.logaddexp(away.log_weights, before.log_weights)

    # Densities of (log w_j, t): w_j has one power more than w_k.
    weights_without = laws.alpha * away.log_weights + (laws.alpha - 1) * before.log_weights
    weights_with = laws.alpha * born.log_weights + (laws.alpha - 1) * after.log_weights
    gain = weights_with - weights_without
    gain += log_pick(family, with_it, proposal, n_rows, is_birth=False)
    gain -= log_pick(family, without, proposal, n_rows, is_birth=True)
    gain += log_range(n_rows, away.log_weights, log_total, is_birth=False)
    gain -= log_range(n_rows, born.log_weights, log_total, is_birth=True)
    # Parameters: theta_j of a death comes from its prior, which cancels.
    near = record_near(family, laws, born.log_weights, log_total, before)
    of_prior = components.log_component(laws.scale, born.means, born.covariance)
    of_near = log_of_component(near, born.means, born.covariance)
    gain += of_prior - jnp.logaddexp(of_prior + jnp.log(WIDE), of_near + jnp.log(1 - WIDE))
    gain += components.log_component(laws.scale, after.means, after.covariance)
    gain -= components.log_component(laws.scale, before.means, before.covariance)
    size = before.means.shape[-1]
    if not isinstance(before.covariance, Tied):
        size += family.n_covariance_parameters(1, size)
    return (gain - size * (after.log_weights - log_total))[0]


def log_pick(
    family: Family, mixture: Mixture, proposal: Proposal, n_rows: Array, *, is_birth: bool
) -> Array:
    """Return the log probability that a move picks its two components."""
    slot, partner = proposal.slot, proposal.partner
    chances = chances_of(mixture, n_rows, is_birth)
    log_others = log_partners(family, mixture, slot, is_birth)
    return jnp.log(chances[slot] / chances.sum()) + log_others[partner]


def log_range(n_rows: Array, log_weight: Array, log_total: Array, is_birth: ArrayLike) -> Array:
    """Return the log density of a log weight under the proposal."""
    least, most = weight_range(n_rows, log_total, is_birth)
    inside = (log_weight >= least) & (log_weight <= most)
    return jnp.where(inside, -jnp.log(most - least), -jnp.inf)


# Components --------------------------------------------------------------------------------------


def component_of(mixture: Mixture, slot: Any) -> Mixture:
    """Return one component, (1, ...)."""
    covariance = mixture.covariance
    if not isinstance(covariance, Tied):
        covariance = jax.tree.map(lambda leaf: leaf[slot][None], covariance)
    return Mixture(mixture.log_weights[slot][None], mixture.means[slot][None], covariance)


def joined(*ones: Mixture) -> Mixture:
    """Lay components side by side."""
    covariance = ones[0].covariance
    if not isinstance(covariance, Tied):
        covariance = jax.tree.map(
            lambda *parts: jnp.concatenate(parts), *(one.covariance for one in ones)
        )
    log_weights = jnp.concatenate([one.log_weights for one in ones])
    return Mixture(log_weights, jnp.concatenate([one.means for one in ones]), covariance)


def replaced(mixture: Mixture, proposal: Proposal) -> Mixture:
    """Return the mixture with both components changed."""
    pair, slots = proposal.pair, jnp.arange(mixture.log_weights.size)

    def put(leaf: Array, new: Array) -> Array:
        is_slot, is_partner = (
            (slots == place).reshape(-1, *[1] * (leaf.ndim - 1))
            for place in (proposal.slot, proposal.partner)
        )
        return jnp.where(is_slot, new[0], jnp.where(is_partner, new[1], leaf))

    if isinstance(mixture.covariance, Tied):
        log_weights = put(mixture.log_weights, pair.log_weights)
        return Mixture(log_weights, put(mixture.means, pair.means), mixture.covariance)
    return jax.tree.map(put, mixture, pair)
