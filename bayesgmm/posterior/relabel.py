"""Undo label switching: say which component of each draw is which cluster, or that none can be named.

The likelihood does not change when components are renumbered, so component 1 of one draw has nothing
to do with component 1 of the next. A reference and the best assignment of every draw's components to it
(``scipy.optimize.linear_sum_assignment``) are computed in turn until nothing changes; ``matching`` has
three kinds of reference. Draws of all chains have one reference, so chains are matched as well.

Components with known rows have their names already and are matched by them.

A draw whose components, each by itself, would not go to different clusters is a non-permutation
(Malsiner-Walli, Frühwirth-Schnatter & Grün 2016, Statistics and Computing 26, 303-324, section 4).
When there are many, or when chains hold different clusters, no number per component means anything.
"""

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from scipy.optimize import linear_sum_assignment

from ..model.mixture import Mixture, Tied
from ..numerics.precision import in_float64
from ..result import Fit
from .losses import Loss, losses
from .matching import METHODS, Components, Method, components_of, picked_components
from .named import names_first, with_named_places
from .partition import Partition, evenly, rank_by_size

MOST_ITERATIONS = 50
MOST_CANDIDATES, MOST_ROWS = 100, 1_000
MOST_NON_PERMUTATIONS = 0.1
# A chain with less than this share of the draws that a mean chain has is elsewhere.
SMALLEST_CHAIN = 0.2
KEPT = ("modal", "all")


class NotIdentifiedError(ValueError):
    """Clusters cannot be named across draws."""


@dataclass(frozen=True)
class Relabelled:
    """Components of draws under the names of J clusters, 0 for the heaviest.

    Clusters whose label is known of some rows come before the others, in the order of their labels.

    Attributes:
        n_clusters: J.
        method: how components were matched.
        draws: indices of the draws, chains laid end to end, (S,).
        chains: chain of each draw, (S,).
        components: component of each cluster in each draw, -1 where the draw has none, (S, J).
        mixture: the clusters in the data's units, (S, J, ...); NaN where a draw has none.
        share_of_draws: share of all draws whose number of clusters is J.
        non_permutation_rate: share of these draws whose components, each by itself, do not go to
            different clusters.
        reason: why the clusters are not identified; empty if they are.
    """

    n_clusters: int
    method: str
    draws: np.ndarray
    chains: np.ndarray
    components: np.ndarray
    mixture: Mixture
    share_of_draws: float
    non_permutation_rate: float
    reason: str

    @property
    def is_identified(self) -> bool:
        """Whether numbers per cluster have a meaning."""
        return not self.reason

    def require_identified(self) -> None:
        """Raise NotIdentifiedError, with the reason, if numbers per cluster have no meaning."""
        if self.reason:
            raise NotIdentifiedError(self.reason)


@in_float64
def relabel(
    fit: Fit,
    method: str = "ecr",
    *,
    n_clusters: int | None = None,
    keep: str = "modal",
    clusters: Partition | None = None,
) -> Relabelled:
    """Match the components of all draws with clusters.

    Args:
        fit: a posterior fit.
        method: "ecr", by shared rows; "stephens", by probabilities of rows; or "centroids", by means
            and standard deviations.
        n_clusters: J; by default the posterior mode of the number of clusters.
        keep: "modal" keeps the draws with J clusters; "all" matches the components of every draw
            to the reference of those: draws with fewer lack some, draws with more have nameless ones.
        clusters: ``partition(fit)``: if it has J clusters, names agree with its labels.

    Returns:
        The clusters in each kept draw, and whether they are identified.

    Raises:
        ValueError: a point fit, an unknown setting, or a J that no draw has.
    """
    check_settings(fit, method, keep)
    numbers = fit.n_clusters.ravel()
    wanted = int(np.bincount(numbers).argmax()) if n_clusters is None else int(n_clusters)
    is_modal = numbers == wanted
    if not is_modal.any():
        raise ValueError(
            f"Expected n_clusters to be one of {np.unique(numbers).tolist()}, which draws have, got "
            f"{n_clusters}. Leave it out for the most frequent."
        )
    draws = np.arange(len(numbers)) if keep == "all" else np.flatnonzero(is_modal)
    components = components_of(fit, draws)
    of_modal = np.flatnonzero(is_modal[draws])
    how = METHODS[method].of(fit, components)
    places, costs = matched(fit, how, components, of_modal, wanted)
    index = np.where(places < 0, -1, np.take_along_axis(components.component, places, 1))
    index = index[:, names_first(fit, index, order_of(fit, draws, index, clusters))]
    rate = float(np.mean(~are_permutations(costs[of_modal])))
    chains = draws // fit.log_likelihood.shape[1]
    share = float(is_modal.mean())
    reason = why_not(rate, np.bincount(chains[of_modal], minlength=len(fit.log_likelihood)))
    mixture = clusters_in_draws(fit, draws, index)
    return Relabelled(wanted, method, draws, chains, index, mixture, share, rate, reason)


def check_settings(fit: Fit, method: str, keep: str) -> None:
    """Refuse a point fit and unknown settings."""
    if fit.is_point:
        raise ValueError(
            "Expected a posterior, got a point fit: its components have one numbering. Fit with "
            "engine=bg.Gibbs()."
        )
    if method not in METHODS:
        raise ValueError(
            f"Expected method to be one of {tuple(METHODS)}, got {method!r}. Pass 'ecr'."
        )
    if keep not in KEPT:
        raise ValueError(f"Expected keep to be one of {KEPT}, got {keep!r}. Pass 'modal'.")


def matched(
    fit: Fit, how: Method, components: Components, of_modal: np.ndarray, n_clusters: int
) -> tuple[np.ndarray, np.ndarray]:
    """Compute reference and assignments in turn until no modal draw changes.

    Returns:
        The place of each cluster in each draw, -1 for none, (S, J), and the costs (S, P, J).
    """
    central = of_modal[most_central(fit, components.draws[of_modal])]
    reference = how.reference(np.array([central]), np.arange(n_clusters)[None])
    before = np.empty(0)
    for _ in range(MOST_ITERATIONS):
        costs = with_named_places(fit, components.component, central, how.costs(reference))
        places = assigned(costs, components.is_there)
        if np.array_equal(places[of_modal], before):
            break
        before = places[of_modal]
        reference = how.reference(of_modal, before)
    return places, costs


def most_central(fit: Fit, draws: np.ndarray) -> int:
    """Return the position of the draw with the least mean distance to some of the others."""
    some = evenly(len(draws), MOST_CANDIDATES)
    rows = evenly(fit.data.n_rows, MOST_ROWS)
    labels = rank_by_size(fit.labels_of_draws(draws[some], rows))
    return int(some[np.argmin(losses(Loss(), labels, labels).mean(1))])


def assigned(costs: np.ndarray, is_there: np.ndarray) -> np.ndarray:
    """Return the place of each cluster at the least total cost, -1 for none, (S, J)."""
    n_draws, n_places, n_clusters = costs.shape
    # An empty place costs more than all others together, so it is taken only for want of another.
    empty = 2 * n_clusters * (np.abs(costs).max() + 1)
    padded = np.where(is_there[..., None], costs, empty)
    if n_places < n_clusters:
        padding = np.full((n_draws, n_clusters - n_places, n_clusters), empty)
        padded = np.concatenate([padded, padding], 1)
    places = np.empty((n_draws, n_clusters), np.int64)
    for one, out in zip(padded, places, strict=True):
        place, cluster = linear_sum_assignment(one)
        out[cluster] = place
    there = np.pad(is_there, ((0, 0), (0, padded.shape[1] - n_places)))
    return np.where(np.take_along_axis(there, places, 1), places, -1)


def are_permutations(costs: np.ndarray) -> np.ndarray:
    """Say of each draw whether its components, each by itself, go to different clusters, (S,)."""
    nearest = np.sort(costs[:, : costs.shape[2]].argmin(2), 1)
    return (nearest == np.arange(costs.shape[2])).all(1)


def order_of(
    fit: Fit, draws: np.ndarray, index: np.ndarray, clusters: Partition | None
) -> np.ndarray:
    """Return the order of the clusters: that of a partition's labels, or by falling weight, (J,)."""
    n_clusters = index.shape[1]
    if clusters is not None and clusters.n_clusters == n_clusters:
        _, ours, theirs = np.intersect1d(draws, clusters.draws, return_indices=True)
        shares = clusters.shares[theirs[:, None], np.maximum(index[ours], 0)]
        shared = np.where(index[ours, :, None] < 0, 0, shares).sum(0)
        return linear_sum_assignment(-shared.T)[1]
    weights = np.exp(fit.scaled.log_weights).reshape(-1, fit.model.n_components)[draws]
    picked = np.take_along_axis(weights, np.maximum(index, 0), 1)
    return np.argsort(-np.where(index < 0, 0, picked).sum(0), kind="stable")


def why_not(rate: float, per_chain: np.ndarray) -> str:
    """Say why clusters are not identified; nothing if they are."""
    if per_chain.min() < SMALLEST_CHAIN * per_chain.mean():
        return (
            f"The clusters are not identified: chains hold that number of clusters in "
            f"{per_chain.tolist()} draws, so they disagree. Run longer, and use summaries that need no labels."
        )
    if rate > MOST_NON_PERMUTATIONS:
        return (
            f"The clusters are not identified: in {rate:.0%} of the draws two components go to the same "
            f"cluster (at most {MOST_NON_PERMUTATIONS:.0%} would do). Numbers per cluster would average "
            "different things: use summaries that need no labels, as partition and membership."
        )
    return ""


def clusters_in_draws(fit: Fit, draws: np.ndarray, index: np.ndarray) -> Mixture:
    """Return the named components in the data's units, NaN where there is none, (S, J, ...)."""
    picked = picked_components(fit.mixture, draws, np.maximum(index, 0))
    is_there = index >= 0

    def known(leaf: Any) -> Any:
        return np.where(is_there.reshape(*is_there.shape, *(1,) * (leaf.ndim - 2)), leaf, np.nan)

    if isinstance(picked.covariance, Tied):
        return picked._replace(log_weights=known(picked.log_weights), means=known(picked.means))
    return jax.tree.map(known, picked)
