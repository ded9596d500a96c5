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

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from ..model.allocation import barrier
from ..model.components import Components, Drawn
from ..model.families.base import Family
from ..model.mixture import Mixture, Statistics, Tied
from ..model.weights import PartitionPrior
from ..numerics.rows import Rows
from .anchors import Choice, Sample, choose, log_choice, sample_rows, spread_of
from .decision import Decision, Pair, Tally, decide, select
from .division import divide
from .group import Group, is_inside, sample_group
from .known import are_known, known_rows, under_their_names
from .launch import launch


class Moved(NamedTuple):
    """Where a step ends.

    Attributes:
        labels: labels of the new partition, (n_chunks, B, chunk), or ``Redrawn`` for rows that are elsewhere.
        statistics: their statistics, (B, K, ...).
        drawn: parameters; their covariances moved along where the evidence needs them.
        log_terms: log p(C, K | alpha) of the new partition, (B, n_values).
        tally: what was done.
    """

    labels: Any
    statistics: Statistics
    drawn: Drawn
    log_terms: Array
    tally: Tally


def split_merge(
    keys: Array,
    shared: Array,
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
        shared: key of what all chains of a run share, ().
        family: the covariance family.
        components: the prior of the components.
        partition: the prior of partitions.
        rows: the rows.
        concentration: (B,).
        settles: whether merges are judged as early in warm-up, ().
        state: where the chains are.
        sums: ``known_sums`` where labels are known.
    """
    named, common = move_keys(keys), common_keys(shared)
    labels, statistics, drawn = state.labels, state.statistics, state.drawn
    sample = barrier(sample_rows(common.sample, rows, labels))
    group = partial(sample_group, common.group, rows, labels, sample)
    proposal = propose(named, family, components, settles, statistics, drawn, sample, group)
    choice, launched = proposal.choice, proposal.launched
    anchors, known, known_first = sample.places[choice.anchors], None, None
    if sums is not None:
        of_known = jax.vmap(lambda key: jax.random.fold_in(key, 6))(keys)
        known = known_rows(of_known, family, launched, sums, choice, are_known(rows, anchors))
        known_first = known.is_first
    division = divide(
        named[:, 3], family, launched, drawn, rows, labels, choice, anchors, known_first
    )
    of_choice = choice_ratio(choice, sample, first_in_sample(division.is_first, sample))
    if known is not None:
        of_choice -= known.log_probability
        choice, division = under_their_names(known, choice, division)
    pair = Pair(division.statistics, division.log_probability, of_choice)
    proposal = proposal._replace(choice=choice)
    decision = decisions(named[:, 4], components, partition, concentration, proposal, pair, state)
    labels = relabelled(labels, choice, division.is_first, accepted(decision))
    return after(state, labels, decision)


def relabelled(labels: Array, choice: Choice, is_first: Array, is_accepted: Array) -> Array:
    """Return labels (..., B, n) after moves (B,), given who is on the first side."""
    first, second = (one[:, None].astype(labels.dtype) for one in (choice.first, choice.second))
    stays = is_first | ~choice.is_split[:, None]
    moved = ((labels == first) | (labels == second)) & is_accepted[:, None]
    return jnp.where(moved, jnp.where(stays, first, second), labels)


def move_keys(keys: Array) -> Array:
    """Return the keys of a move in each chain, (B, 6)."""
    return jax.vmap(lambda key: jax.random.split(key, 6))(keys)


class Common(NamedTuple):
    """Keys of what all chains share: the rows that anchors are drawn from, and those that launches are fitted to.

    They are those of the run, not of its teams, so that draws do not depend on the number of cores.
    """

    sample: Array
    group: Array


def common_keys(key: Array) -> Common:
    """Split the shared key of a move."""
    named = jax.random.split(key, 6)
    return Common(named[1], named[5])


class Proposal(NamedTuple):
    """A move before its division.

    Attributes:
        choice: which clusters, (B,).
        whole: statistics of S as one cluster, (B, 1, ...).
        launched: the launch, (B, 2, ...).
    """

    choice: Choice
    whole: Statistics
    launched: Mixture


def propose(
    named: Array,
    family: Family,
    components: Components,
    settles: Array,
    statistics: Statistics,
    drawn: Drawn,
    sample: Sample,
    group: Callable[[Choice], Group],
) -> Proposal:
    """Choose clusters and launch.

    Args:
        named: ``move_keys``.
        family: the covariance family.
        components: the prior of the components.
        settles: whether merges are judged as early in warm-up, ().
        statistics: of the clusters, (B, K, ...).
        drawn: parameters of the components, (B, K, ...).
        sample: rows that anchors are drawn from.
        group: gives the rows that the launch is fitted to.
    """
    scaled = sample.columns / spread_of(sample)[:, None]
    choice = barrier(choose(named[:, 0], sample, scaled, statistics.counts > 0))
    whole = barrier(jax.vmap(partial(joined, family))(choice, statistics))
    at_anchors = jnp.moveaxis(sample.columns[:, choice.anchors], 0, 1)
    launched = launch(
        named[:, 2], family, components, drawn.scale, whole, barrier(group(choice)), at_anchors
    )
    own = settles & ~choice.is_split
    of_pair = jax.vmap(pair_of)(choice, statistics, drawn)
    return Proposal(choice, whole, barrier(jax.vmap(select)(own, of_pair, launched)))


def choice_ratio(choice: Choice, sample: Sample, is_first: Array) -> Array:
    """Return ``log_choice`` of each chain, given who of the sample is on the first side, (B, M)."""
    inside = is_inside(sample.labels, choice) * sample.valid
    n_first = (is_first * inside).sum(-1)
    n_rows = jnp.full_like(n_first, sample.valid.sum())
    return jax.vmap(log_choice)(choice, n_rows, n_first, inside.sum(-1) - n_first)


def decisions(
    keys: Array,
    components: Components,
    partition: PartitionPrior,
    concentration: Array,
    proposal: Proposal,
    pair: Pair,
    state: Moved,
) -> Decision:
    """Accept or reject the move of each chain."""
    one_chain = partial(decide, components=components, partition=partition)
    return barrier(
        jax.vmap(one_chain)(
            keys,
            proposal.choice,
            proposal.whole,
            pair,
            state.statistics,
            state.drawn,
            concentration,
            state.log_terms,
        )
    )


def accepted(decision: Decision) -> Array:
    """Say which chains moved, (B,)."""
    return decision.tally.split_accepted | decision.tally.merge_accepted


def after(state: Moved, labels: Any, decision: Decision) -> Moved:
    """Return where a step ends, with such labels."""
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
