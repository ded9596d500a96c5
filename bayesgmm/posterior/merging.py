r"""Components combined into clusters by the entropy of the soft classification.

A cluster that is no Gaussian takes several components. With t_nc the probability that row n belongs
to cluster c and w_n the weight of the row, two clusters are joined at a time, those that lower

    ENT = -sum_n w_n sum_c t_nc log t_nc

most: rows in doubt between the two cease to be (Baudry, Raftery, Celeux, Lo & Gottardo 2010, Journal
of Computational and Graphical Statistics 19, 332-353). The mixture stays as it is. How many clusters
there are is read from the bend of the entropy over their number.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from jax import Array

from ..numerics.precision import in_float64
from ..result import Fit
from .combining import NONE, Block, combine
from .criteria import row_weights
from .density import log_responsibilities_at, over_rows, scaled_rows
from .elbow import Elbow, elbow

if TYPE_CHECKING:
    import pandas as pd

BLOCK_ROWS = 32_768


@dataclass(frozen=True)
class MergedComponents:
    """The components of a point fit, combined from K clusters to one.

    A cluster is named by its lowest component, and numbered by the order of these names.

    Attributes:
        entropy: entropy of the soft classification into K, K - 1, ..., 1 clusters, nats, (K,).
        n_merged: rows whose most probable cluster is one of the two that are merged, at each step,
            (K - 1,); weighted rows by their weight.
        merges: the two clusters that are merged, by their names, the lower first, (K - 1, 2). The
            new one keeps the lower name.
        n_clusters: the number of clusters at the bend of the entropy; 2 for two components, whose
            entropy has none.
        fit: the fit.
    """

    entropy: np.ndarray
    n_merged: np.ndarray
    merges: np.ndarray
    n_clusters: int
    fit: Fit = field(repr=False)

    @cached_property
    def table(self) -> "pd.DataFrame":
        """A row per number of clusters, K to 1.

        Columns: ``entropy``; ``drop``, what the merge that led here took from it; ``n_merged`` rows
        in that merge; ``drop_per_row``, the one by the other; and the clusters ``first`` and
        ``second`` that were merged.
        """
        import pandas as pd

        drop = -np.diff(self.entropy)
        per_row = drop / np.where(self.n_merged > 0, self.n_merged, np.nan)
        columns = {
            "drop": drop,
            "n_merged": self.n_merged,
            "drop_per_row": per_row,
            "first": self.merges[:, 0],
            "second": self.merges[:, 1],
        }
        numbers = range(len(self.entropy), 0, -1)
        steps = pd.DataFrame(columns, index=pd.Index(numbers[1:], name="n_clusters"))
        table = steps.astype({"first": "Int64", "second": "Int64"}).reindex(numbers)
        table.insert(0, "entropy", self.entropy)
        return table

    def components(self, n_clusters: int) -> np.ndarray:
        """Return the cluster that each component belongs to, (K,).

        Args:
            n_clusters: number of clusters, J, in 1, ..., K.

        Raises:
            ValueError: another number.
        """
        n_components = len(self.entropy)
        check_n_clusters(n_clusters, n_components)
        names = np.arange(n_components)
        for first, second in self.merges[: n_components - n_clusters]:
            names[names == second] = first
        return np.unique(names, return_inverse=True)[1]

    @in_float64
    def responsibilities(self, n_clusters: int, X: Any = None) -> np.ndarray:
        """Return the probability that rows belong to each cluster.

        Args:
            n_clusters: number of clusters, J, in 1, ..., K.
            X: rows (M, D) with the columns of the fit; the fitted ones by default, those whose
                component is known in its cluster.

        Returns:
            (M, J), in the type of the fitted data.

        Raises:
            ValueError: another number of clusters, or other columns.
        """
        clusters = self.components(n_clusters)
        members = np.eye(n_clusters)[clusters]
        parts = [np.exp(part).T @ members for part in log_responsibilities_of(self.fit, X)]
        return np.concatenate(parts).astype(self.fit.model.dtype)

    def labels(self, n_clusters: int, X: Any = None) -> np.ndarray:
        """Return the most probable cluster of rows, (M,); arguments of ``responsibilities``."""
        return self.responsibilities(n_clusters, X).argmax(1)

    def elbow(self, *, normalised: bool = False) -> Elbow | None:
        """Return the bend of the entropy, points from one cluster to K; None for two components.

        Args:
            normalised: whether over the cumulated number of merged rows, in which a merge of large
                clusters may cost more, and not over the number of clusters.
        """
        return elbow(self.abscissae(normalised=normalised), self.entropy[::-1])

    def abscissae(self, *, normalised: bool = False) -> np.ndarray:
        """Return what the entropy is drawn over, from one cluster to K, (K,).

        Args:
            normalised: the number of merged rows, summed up from the last merge on, and not the
                number of clusters.
        """
        if normalised:
            return np.append(0.0, self.n_merged[::-1].cumsum())
        return np.arange(1.0, len(self.entropy) + 1)


@in_float64
def merge_components(fit: Fit, X: Any = None, sample_weight: Any = None) -> MergedComponents:
    """Combine the components of a point fit into clusters, two at a time, by entropy.

    Args:
        fit: a point fit of K >= 2 components.
        X: rows (M, D) with the columns of the fit whose classification is looked at; the fitted
            ones by default, with their weights and known components.
        sample_weight: how many rows each row of X counts as, (M,).

    Returns:
        The clusters for every number of them from K to 1, and the number that the bend of the
        entropy suggests.

    Raises:
        ValueError: a fit that is not a point, a single component, or other columns.

    Reference:
        Baudry, Raftery, Celeux, Lo & Gottardo (2010), Journal of Computational and Graphical
        Statistics 19, 332-353.
    """
    check_fit(fit)
    entropy, n_merged, merges = combine(blocks_of(fit, X, sample_weight))
    bend = elbow(np.arange(len(entropy)), entropy[::-1])
    suggested = 2 if bend is None else bend.point + 1
    return MergedComponents(entropy, n_merged, merges, suggested, fit)


def check_fit(fit: Fit) -> None:
    """Raise unless a fit is a point of two components or more."""
    if not fit.is_point:
        raise ValueError(
            f"Expected a point fit, got a {fit.kind}: components of single draws have no common "
            "labels to merge. Use bg.partition(fit), whose clusters are those of the rows."
        )
    if fit.model.n_components < 2:
        raise ValueError(
            "Expected a fit of at least two components, got 1: there is nothing to merge. Raise "
            "n_components."
        )


def check_n_clusters(n_clusters: int, n_components: int) -> None:
    """Raise unless a number of clusters is a whole one between one and K."""
    is_whole = hasattr(n_clusters, "__index__")
    if not (is_whole and 1 <= n_clusters <= n_components):
        raise ValueError(
            f"Expected n_clusters in 1, ..., {n_components}, got {n_clusters!r}. Pass for instance "
            "n_clusters=merged.n_clusters."
        )


def log_responsibilities_of(fit: Fit, X: Any) -> Iterator[np.ndarray]:
    """Yield log p(k | x) of blocks of rows, those of known components certain, (K, n)."""
    scaled = fit.data.scaled() if X is None else scaled_rows(fit, X)
    known = fit.data.labels if X is None else None
    width = 8 * fit.model.n_components * (scaled.shape[1] + 2)
    for start in range(0, len(scaled), BLOCK_ROWS):
        some = slice(start, start + BLOCK_ROWS)
        parts = over_rows(
            log_responsibilities_at, fit.model.family, fit.scaled, scaled[some], width
        )
        log_t = np.concatenate(list(parts), axis=-1)
        yield log_t if known is None else settled(log_t, known[some])


def settled(log_t: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Give rows of known components to them."""
    is_own = known == np.arange(len(log_t))[:, None]
    return np.where(known < 0, log_t, np.where(is_own, 0.0, -np.inf))


def blocks_of(fit: Fit, X: Any, sample_weight: Any) -> list[Block]:
    """Return the rows in blocks of equal, padded length."""
    parts = list(log_responsibilities_of(fit, X))
    n_rows, length = sum(part.shape[1] for part in parts), parts[0].shape[1]
    weights = row_weights(fit, X, sample_weight, n_rows)
    blocks = []
    for index, part in enumerate(parts):
        missing = (0, length - part.shape[1])
        log_t = np.pad(np.maximum(part, NONE), ((0, 0), missing))
        counts = np.pad(weights[index * length : (index + 1) * length], missing)
        blocks.append(Block(cast(Array, log_t), cast(Array, counts)))
    return blocks
