r"""Split-merge moves on partitions: Metropolis-Hastings steps over the rows of one or two clusters.

A move changes the partition with weights, means and K summed out, so that one step may move any
number of rows (Jain & Neal 2004, J. Comp. Graph. Stat. 13, 158-182; 2007, Bayesian Analysis 2,
445-472, for priors that are not conjugate):

1. two *anchors* are drawn (``anchors``); S are the rows of the cluster, or the two, they are in;
2. *launch*: two components are fitted to a sample of S (``group``) around the anchors (``launch``);
3. *split* draws a side for each other row of S, independently, by its responsibilities under the
   launch (``division``); *merge* joins the pair;
4. with q the probability of the division under the launch, accept by the ratio of
   p(rows | partition) p(partition) p(anchors | partition) over q.

Rows whose label is known stay together and under their name (``known``). All chains move at once; a
step costs one pass over the rows with two components.

Among many rows a launch never finds the present division of a cluster that was split for no reason,
and such a merge would be refused for ever. While a chain *settles*, early in warm-up, merges are
therefore judged with the pair's own parameters as the launch, which compares one component with two,
labels summed out. That is no Metropolis-Hastings step, and no draw is kept of that time.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import logsumexp

from ..model.allocation import barrier
from ..model.components import Components, Drawn
from ..model.families.base import Family
from ..model.mixture import Mixture, Statistics, Tied
from ..model.weights import PartitionPrior
from ..numerics.rows import Rows
from .anchors import Choice, Sample, choose, log_choice, sample_rows, spread_of
from .division import divide
from .group import is_inside, sample_group
from .known import are_known, known_rows, under_their_names
from .launch import launch


class Tally(NamedTuple):
    """What a step did: whether a split or a merge was proposed and whether it was accepted, (B,)."""

    split_proposed: Array
    split_accepted: Array
    merge_proposed: Array
    merge_accepted: Array


class Moved(NamedTuple):
    """Where a step ends.

    Attributes:
        labels: labels of the new partition, (n_chunks, B, chunk).
        statistics: their statistics, (B, K, ...).
        drawn: parameters; their covariances moved along where the evidence needs them.
        log_terms: log p(C, K | alpha) of the new partition, (B, n_values).
        tally: what was done.
    """

    labels: Array
    statistics: Statistics
    drawn: Drawn
    log_terms: Array
    tally: Tally


class Decision(NamedTuple):
    """What becomes of one chain: see ``Moved``."""

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


def split_merge(
    keys: Array,
    family: Family,
    components: Components,
    partition: PartitionPrior,
    rows: Rows,
    concentration: Array,
    settles: Array,
    state: Moved,
    sums: Array | None = None,
) -> Moved:
    """Propose one split or merge in each of B chains.

    Args:
        keys: one key per chain, (B,).
        family: the covariance family.
        components: the prior of the components.
        partition: the prior of partitions.
        rows: the rows.
        concentration: (B,).
        settles: whether merges are judged as early in warm-up, ().
        state: where the chains are.
        sums: ``known_sums`` where labels are known.
    """
    named = jax.vmap(lambda key: jax.random.split(key, 6))(keys)
    labels, statistics, drawn = state.labels, state.statistics, state.drawn
    sample = barrier(sample_rows(named[0, 1], rows, labels))
    scaled = sample.columns / spread_of(sample)[:, None]
    choice = barrier(choose(named[:, 0], sample, scaled, statistics.counts > 0))
    whole = barrier(jax.vmap(partial(joined, family))(choice, statistics))
    group = barrier(sample_group(named[0, 5], rows, labels, sample, choice))
    at_anchors = jnp.moveaxis(sample.columns[:, choice.anchors], 0, 1)
    launched = launch(named[0, 2], family, components, drawn.scale, whole, group, at_anchors)
    own = settles & ~choice.is_split
    of_pair = jax.vmap(pair_of)(choice, statistics, drawn)
    launched = barrier(jax.vmap(select)(own, of_pair, launched))
    anchors, known, known_first = sample.places[choice.anchors], None, None
    if sums is not None:
        of_known = jax.vmap(lambda key: jax.random.fold_in(key, 6))(keys)
        known = known_rows(of_known, family, launched, sums, choice, are_known(rows, anchors))
        known_first = known.is_first
    division = divide(
        named[:, 3], family, launched, drawn, rows, labels, choice, anchors, known_first
    )
    inside = is_inside(sample.labels, choice) * sample.valid
    n_first = (first_in_sample(division.is_first, sample) * inside).sum(-1)
    n_rows = jnp.full_like(n_first, sample.valid.sum())
    of_choice = jax.vmap(log_choice)(choice, n_rows, n_first, inside.sum(-1) - n_first)
    if known is not None:
        of_choice -= known.log_probability
        choice, division = under_their_names(known, choice, division)
    pair = Pair(division.statistics, division.log_probability, of_choice)
    one_chain = partial(decide, components=components, partition=partition)
    decision = barrier(
        jax.vmap(one_chain)(
            named[:, 4], choice, whole, pair, statistics, drawn, concentration, state.log_terms
        )
    )
    first, second = (one[:, None].astype(labels.dtype) for one in (choice.first, choice.second))
    accepted = decision.tally.split_accepted | decision.tally.merge_accepted
    stays = division.is_first | ~choice.is_split[:, None]
    moved = ((labels == first) | (labels == second)) & accepted[:, None]
    labels = jnp.where(moved, jnp.where(stays, first, second), labels)
    tally = jax.tree.map(jnp.add, state.tally, decision.tally)
    return Moved(labels, *decision)._replace(tally=tally)


def pair_of(choice: Choice, statistics: Statistics, drawn: Drawn) -> Mixture:
    """Return the present parameters of a pair to be merged, (2, ...)."""
    index = jnp.stack([choice.first, choice.second])
    log_weights = jnp.log(statistics.counts[index] + 1)
    covariance = drawn.covariance
    if not isinstance(covariance, Tied):
        covariance = jax.tree.map(lambda leaf: leaf[index], covariance)
    return Mixture(log_weights, drawn.means[index], covariance)


def joined(family: Family, choice: Choice, statistics: Statistics) -> Statistics:
    """Return the statistics of S as one cluster, (1, ...)."""
    first = jax.tree.map(lambda leaf: leaf[choice.first], statistics)
    second = jax.tree.map(lambda leaf: leaf[choice.second], statistics)
    return jax.tree.map(lambda leaf: leaf[None], family.combine(first, second))


def first_in_sample(is_first: Array, sample: Sample) -> Array:
    """Pick the rows of the sample out of (n_chunks, B, chunk), (B, M)."""
    flat = jnp.moveaxis(is_first, 1, 0).reshape(is_first.shape[1], -1)
    return flat[:, sample.places]


# Deciding ----------------------------------------------------------------------------------------


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
