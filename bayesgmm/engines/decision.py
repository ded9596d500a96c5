"""The decision of a split-merge move: the ratio of the finer partition to the coarser one, and what changes."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import logsumexp

from ..model.components import Components, Drawn
from ..model.mixture import Statistics, Tied
from ..model.weights import PartitionPrior
from .anchors import Choice


class Tally(NamedTuple):
    """What a step did: whether a split or a merge was proposed and whether it was accepted, (B,)."""

    split_proposed: Array
    split_accepted: Array
    merge_proposed: Array
    merge_accepted: Array


class Decision(NamedTuple):
    """What becomes of one chain: see ``Moved`` in ``moves``."""

    statistics: Statistics
    drawn: Drawn
    log_terms: Array
    tally: Tally


class Pair(NamedTuple):
    """The division as the decision sees it.

    Attributes:
        statistics: of both sides, (2, ...).
        log_probability: log q of the division, ().
        log_choice: log probability of the anchors in the finer partition over that in the coarser.
    """

    statistics: Statistics
    log_probability: Array
    log_choice: Array


def decide(
    key: Array,
    choice: Choice,
    whole: Statistics,
    division: Pair,
    statistics: Statistics,
    drawn: Drawn,
    concentration: Array,
    log_terms: Array,
    *,
    components: Components,
    partition: PartitionPrior,
) -> Decision:
    """Accept or reject the move of one chain."""
    key_covariance, key_accept = jax.random.split(key)
    is_split = choice.is_split
    divided = replaced(statistics, choice, division.statistics)
    together = replaced(statistics, choice, with_empty(whole))
    fine = select(is_split, divided, statistics)
    coarse = select(is_split, statistics, together)
    proposed = select(is_split, fine, coarse)
    if isinstance(drawn.covariance, Tied):
        sides = Sides(fine, coarse, drawn.covariance, drawn.covariance)
    else:
        sides = pair_sides(choice, division.statistics, whole, drawn.covariance)
    sides = with_proposals(key_covariance, components, drawn.scale, is_split, sides)
    proposed_terms = partition.log_terms(proposed.counts, concentration)
    of_partition = logsumexp(proposed_terms) - logsumexp(log_terms)
    # Of the finer partition against the coarser one, then in the direction of the move.
    gain = components.log_evidence(sides.fine, drawn.scale, sides.fine_covariance)
    gain -= components.log_evidence(sides.coarse, drawn.scale, sides.coarse_covariance)
    gain += division.log_choice - division.log_probability
    log_ratio = of_partition + jnp.where(is_split, gain, -gain)
    possible = choice.possible & (division.statistics.counts > 0.5).all()
    uniform = jax.random.uniform(key_accept, (), log_ratio.dtype)
    accepted = possible & (jnp.log(uniform) < log_ratio)
    covariance = moved_covariance(choice, sides, drawn.covariance)
    return Decision(
        select(accepted, proposed, statistics),
        drawn._replace(covariance=select(accepted, covariance, drawn.covariance)),
        jnp.where(accepted, proposed_terms, log_terms),
        Tally(
            choice.possible & is_split,
            accepted & is_split,
            choice.possible & ~is_split,
            accepted & ~is_split,
        ),
    )


class Sides(NamedTuple):
    """The components a move is about, finer and coarser: a pair and its union.

    A shared covariance makes every component part of it; then both are all K components.
    """

    fine: Statistics
    coarse: Statistics
    fine_covariance: Any
    coarse_covariance: Any


def pair_sides(choice: Choice, pair: Statistics, whole: Statistics, covariance: Any) -> Sides:
    """Return the pair (2, ...) and its union (1, ...) with the covariances they have now."""
    index = jnp.stack([choice.first, choice.second])
    of_pair = jax.tree.map(lambda leaf: leaf[index], covariance)
    of_whole = jax.tree.map(lambda leaf: leaf[choice.first][None], covariance)
    return Sides(pair, whole, of_pair, of_whole)


def with_proposals(
    key: Array, components: Components, scale: Array, is_split: Array, sides: Sides
) -> Sides:
    """Propose covariances for the side that is moved to, where the evidence needs them."""
    if isinstance(sides.fine_covariance, Tied):
        key_fine, key_coarse = jax.random.split(key)
        fine = components.propose(key_fine, sides.fine, scale)
        coarse = components.propose(key_coarse, sides.coarse, scale)
    else:
        three = jax.tree.map(lambda *parts: jnp.concatenate(parts), sides.fine, sides.coarse)
        proposed = components.propose(key, three, scale)
        fine = jax.tree.map(lambda leaf: leaf[:2], proposed)
        coarse = jax.tree.map(lambda leaf: leaf[2:], proposed)
    if fine is None:
        return sides
    return sides._replace(
        fine_covariance=select(is_split, fine, sides.fine_covariance),
        coarse_covariance=select(is_split, sides.coarse_covariance, coarse),
    )


def select(condition: Array, one: Any, other: Any) -> Any:
    """Choose between two records."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), one, other)


def with_empty(whole: Statistics) -> Statistics:
    """Return S as one cluster beside an empty one, (2, ...)."""
    return jax.tree.map(lambda leaf: jnp.concatenate([leaf, jnp.zeros_like(leaf)]), whole)


def replaced(statistics: Any, choice: Choice, pair: Any) -> Any:
    """Put a pair (2, ...) in the place of the chosen two components (K, ...)."""
    # Masks, not scatters, which XLA runs as loops on a CPU.

    def put(leaf: Array, new: Array) -> Array:
        slots = jnp.arange(leaf.shape[0])
        is_first, is_second = (
            (slots == place).reshape(-1, *[1] * (leaf.ndim - 1))
            for place in (choice.first, choice.second)
        )
        return jnp.where(is_first, new[0], jnp.where(is_second, new[1], leaf))

    return jax.tree.map(put, statistics, pair)


def moved_covariance(choice: Choice, sides: Sides, current: Any) -> Any:
    """Put the covariances of the side that is moved to in their place."""
    if isinstance(current, Tied):
        return select(choice.is_split, sides.fine_covariance, sides.coarse_covariance)

    def after(leaf: Array, fine: Array, coarse: Array) -> Array:
        # The slot that a merge empties keeps what it has: it is redrawn from the prior.
        merged = jnp.concatenate([coarse, leaf[choice.second][None]])
        return jnp.where(choice.is_split, fine, merged)

    pair = jax.tree.map(after, current, sides.fine_covariance, sides.coarse_covariance)
    return replaced(current, choice, pair)
