r"""What components of draws are matched by: rows they share, probabilities, or their places in space.

A method turns an assignment of the components of some draws into a reference, and a reference into
what it costs to call component p of draw s cluster j. Components of a draw stand in *places* 0, ...,
P - 1 by falling number of rows; places beyond its occupied components cost more than any other.

- ECR (Papastamoulis & Iliopoulos 2010, JCGS 19, 313-331): the reference is each row's most frequent
  cluster; the cost is minus the share of rows that component and cluster have in common.
- Stephens (2000, JRSSB 62, 795-809): the reference is the mean q_nj of the probabilities p_nk that row
  n belongs to a component; the cost is the Kullback-Leibler divergence sum_n p_nk log(p_nk / q_nj).
- Centroids (Malsiner-Walli, Frühwirth-Schnatter & Grün 2016, Statistics and Computing 26, 303-324):
  the reference are mean points; the cost is the squared distance of a component's whitened mean and
  logarithms of standard deviations.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, Self, cast

import jax
import numpy as np

from ..model.mixture import Mixture, Tied
from ..result import Fit
from .density import log_responsibilities_of_draws, over_rows
from .partition import evenly

# Numbers held at once, eight bytes each; among more rows some, evenly spaced, decide.
MOST_NUMBERS = 40_000_000
FEWEST_ROWS = 50
TINY = 1e-300


class Components(NamedTuple):
    """The occupied components of S draws.

    Attributes:
        draws: indices of the draws, chains laid end to end, (S,).
        component: number of the component in each place, by falling number of rows, (S, P).
        is_there: whether the place is taken, (S, P).
    """

    draws: np.ndarray
    component: np.ndarray
    is_there: np.ndarray


class Method(Protocol):
    """A way to match components with clusters."""

    @classmethod
    def of(cls, fit: Fit, components: Components) -> Self:
        """Compute what the method needs of the draws."""

    def reference(self, chosen: np.ndarray, places: np.ndarray) -> Any:
        """Average draws ``chosen`` (M,) whose cluster j stands in ``places`` (M, J)."""

    def costs(self, reference: Any) -> np.ndarray:
        """Return what it costs to call a component a cluster, (S, P, J)."""


@dataclass(frozen=True)
class ECR:
    """Equivalence classes representatives; ``places`` of the rows in each draw, (S, n)."""

    places: np.ndarray
    n_places: int

    @classmethod
    def of(cls, fit: Fit, components: Components) -> Self:
        """Redraw the labels of some rows."""
        n_draws, n_places = components.component.shape
        labels = fit.labels_of_draws(components.draws, some_rows(fit, n_draws))
        place = np.zeros((n_draws, fit.model.n_components), np.int16)
        np.put_along_axis(place, components.component, np.arange(n_places, dtype=np.int16)[None], 1)
        return cls(np.take_along_axis(place, labels.astype(np.int64), 1), n_places)

    def reference(self, chosen: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Return the most frequent cluster of each row, (n,)."""
        n_draws, n_clusters = places.shape
        cluster = np.full((n_draws, self.n_places), n_clusters)
        np.put_along_axis(cluster, places, np.arange(n_clusters)[None], 1)
        votes = np.take_along_axis(cluster, self.places[chosen].astype(np.int64), 1)
        counts = [(votes == j).sum(0) for j in range(n_clusters)]
        return np.argmax(counts, 0)

    def costs(self, reference: np.ndarray) -> np.ndarray:
        """Return minus the share of the rows that component and cluster have in common."""
        n_clusters = int(reference.max()) + 1
        n_cells = self.n_places * n_clusters
        counts = [
            np.bincount(one.astype(np.int64) * n_clusters + reference, minlength=n_cells)
            for one in self.places
        ]
        shape = (len(self.places), self.n_places, n_clusters)
        return -np.reshape(counts, shape) / len(reference)


@dataclass(frozen=True)
class Stephens:
    """Kullback-Leibler divergence; ``log_probabilities`` of the places, (S, P, n)."""

    log_probabilities: np.ndarray

    @classmethod
    def of(cls, fit: Fit, components: Components) -> Self:
        """Compute the probabilities of some rows under the occupied components of every draw."""
        draws = occupied(fit, components)
        rows = some_rows(fit, components.component.size)
        scaled, width = fit.data.scaled()[rows], 8 * draws.log_weights.size
        blocks = over_rows(log_responsibilities_of_draws, fit.model.family, draws, scaled, width)
        return cls(np.maximum(np.concatenate(list(blocks), -1), np.log(TINY)))

    def reference(self, chosen: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Return the logarithms of the mean probabilities of the clusters, (J, n)."""
        log_p = self.log_probabilities[chosen[:, None], places]
        return np.log(np.maximum(np.exp(log_p).mean(0), TINY))

    def costs(self, reference: np.ndarray) -> np.ndarray:
        """Return the divergences over the number of rows."""
        p = np.exp(self.log_probabilities)
        entropy = (p * self.log_probabilities).sum(-1)
        return (entropy[..., None] - p @ reference.T) / p.shape[-1]


@dataclass(frozen=True)
class Centroids:
    """Places in space; ``points`` of the components, (S, P, F)."""

    points: np.ndarray

    @classmethod
    def of(cls, fit: Fit, components: Components) -> Self:
        """Whiten means by the mean covariance of the components; add log standard deviations."""
        draws = occupied(fit, components)
        matrices = np.asarray(fit.model.family.matrices(draws))
        common = matrices[components.is_there].mean(0)
        whitened = np.linalg.solve(np.linalg.cholesky(common), np.swapaxes(draws.means, -1, -2))
        variances = np.diagonal(matrices, axis1=-2, axis2=-1)
        return cls(np.concatenate([np.swapaxes(whitened, -1, -2), np.log(variances) / 2], -1))

    def reference(self, chosen: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Return the mean points of the clusters, (J, F)."""
        return self.points[chosen[:, None], places].mean(0)

    def costs(self, reference: np.ndarray) -> np.ndarray:
        """Return the squared distances."""
        return ((self.points[:, :, None] - reference) ** 2).sum(-1)


METHODS: dict[str, type[Method]] = {"ecr": ECR, "stephens": Stephens, "centroids": Centroids}


def components_of(fit: Fit, draws: np.ndarray) -> Components:
    """Find the occupied components of some draws, most rows first."""
    counts = cast(np.ndarray, fit.counts).reshape(-1, fit.model.n_components)[draws]
    n_places = int((counts > 0).sum(1).max())
    index = np.argsort(-counts, 1, kind="stable")[:, :n_places]
    return Components(draws, index, np.take_along_axis(counts, index, 1) > 0)


def occupied(fit: Fit, components: Components) -> Mixture:
    """Return the components in their places in engine units, (S, P, ...); none has no weight."""
    picked = picked_components(fit.scaled, components.draws, components.component)
    log_weights = np.where(components.is_there, picked.log_weights, -np.inf)
    return picked._replace(log_weights=cast(jax.Array, log_weights))


def picked_components(mixture: Mixture, draws: np.ndarray, index: np.ndarray) -> Mixture:
    """Pick components ``index`` (S, J) of ``draws`` (S,) from a posterior (C, S, ...), (S, J, ...)."""

    def of_draws(leaf: Any) -> Any:
        return leaf.reshape(-1, *leaf.shape[2:])[draws]

    def pick(leaf: Any) -> Any:
        return of_draws(leaf)[np.arange(len(draws))[:, None], index]

    of_record = of_draws if isinstance(mixture.covariance, Tied) else pick
    record = jax.tree.map(of_record, mixture.covariance)
    return Mixture(pick(mixture.log_weights), pick(mixture.means), record)


def some_rows(fit: Fit, numbers_per_row: int) -> np.ndarray:
    """Return as many evenly spaced rows as fit into memory."""
    return evenly(fit.data.n_rows, max(FEWEST_ROWS, MOST_NUMBERS // numbers_per_row))
