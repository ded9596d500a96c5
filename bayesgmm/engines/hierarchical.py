r"""Model-based agglomerative clustering: one tree of merges, a partition for every number of clusters.

Rows begin as clusters of their own, and the two are merged at a time whose merge costs least of the
classification likelihood of Gaussians. Where components have own covariances a cluster of n_k rows with
scatter W_k about its mean adds

    n_k log( |W_k / n_k| + (tr W_k + alpha) / n_k ),   alpha = tr W / (N D),

the determinant left out up to D rows, which have none (Fraley 1998, SIAM Journal on Scientific Computing
20, 270-281: mclust's "VVV"). Where they have one covariance in common it adds tr W_k, Ward's criterion
(mclust's "EII"). mclust takes "VVV" for every structure; for tied covariances Ward's partitions led EM
higher.
"""

from functools import partial
from typing import NamedTuple

import numpy as np

from .agglomeration import agglomerate, clusters_of, log_determinants, traces

# Beyond so many distinct rows SciPy's Ward tree makes as many groups first. Exactly, 5,000 rows of four
# columns take 6 s, by way of 1,000 groups 1 s.
MOST_GROUPS = 1_000
# Ward's tree takes all pairs of rows, some 200 MB at so many.
MOST_ROWS = 5_000


class MergeTree(NamedTuple):
    """What was merged, in turn.

    Attributes:
        group_of: group that each row begins in, 0 to M - 1, (N,).
        merges: the two clusters of each merge, (M - 1, 2), named by their lowest group, which is
            the first of the two and the name of the new cluster.
    """

    group_of: np.ndarray
    merges: np.ndarray

    def labels(self, n_clusters: int) -> np.ndarray:
        """Cut the tree: return the cluster of each row, 0 to n_clusters - 1, (N,).

        Raises:
            ValueError: more clusters than groups.
        """
        n_groups = len(self.merges) + 1
        if not 1 <= n_clusters <= n_groups:
            raise ValueError(
                f"Expected n_clusters in 1, ..., {n_groups}, as many as the tree begins with, got {n_clusters}. "
                "Lower n_components, or choose another start."
            )
        names = np.arange(n_groups)
        for first, second in self.merges[: n_groups - n_clusters]:
            names[second] = first
        # The first of two is the lower, so its own name is settled when it is looked up.
        for group in range(n_groups):
            names[group] = names[names[group]]
        return np.unique(names, return_inverse=True)[1][self.group_of]


class Dendrogram(NamedTuple):
    """A tree of some rows.

    Attributes:
        rows: indices of the rows in it, (n,).
        tree: their merges.
    """

    rows: np.ndarray
    tree: MergeTree


def dendrogram(
    values: np.ndarray,
    weights: np.ndarray | None,
    random: np.random.RandomState,
    *,
    common_covariance: bool = False,
) -> Dendrogram:
    """Grow the tree of a data set, from which a start for every K can be cut.

    Args:
        values: rows, (N, D).
        weights: how many rows each counts as, (N,), or None; rows that count nothing are left out.
        random: source of randomness, used only beyond ``MOST_ROWS`` rows: so many are drawn.
        common_covariance: whether components have one covariance in common.

    Returns:
        The tree in ``decorrelated`` coordinates.
    """
    rows = np.arange(len(values)) if weights is None else np.flatnonzero(weights > 0)
    if len(rows) > MOST_ROWS:
        rows = np.sort(random.choice(rows, MOST_ROWS, replace=False))
    some = None if weights is None else weights[rows]
    coordinates = decorrelated(values[rows], some)
    return Dendrogram(rows, merge_tree(coordinates, some, common_covariance=common_covariance))


def merge_tree(
    values: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    common_covariance: bool = False,
    most_groups: int = MOST_GROUPS,
) -> MergeTree:
    """Merge rows by the classification likelihood until one cluster is left.

    Args:
        values: rows, (N, D); the criteria depend on their units.
        weights: how many rows each counts as, > 0, (N,); one each by default.
        common_covariance: whether to merge by Ward's criterion.
        most_groups: beyond so many distinct rows Ward's criterion makes as many groups first, there
            each row counted once.

    Returns:
        The tree, of which every number of clusters can be cut.
    """
    each = np.ones(len(values)) if weights is None else weights
    group_of = np.unique(values, axis=0, return_inverse=True)[1].ravel()
    if group_of.max() >= most_groups:
        group_of = ward_groups(values, group_of, most_groups)
    away = values - np.average(values, axis=0, weights=each)
    alpha = float(each @ (away**2).sum(1)) / (each.sum() * values.shape[1])
    terms = traces if common_covariance else partial(log_determinants, alpha)
    return MergeTree(group_of, agglomerate(clusters_of(values, each, group_of, terms), terms))


def ward_groups(values: np.ndarray, group_of: np.ndarray, n_groups: int) -> np.ndarray:
    """Return groups of rows by Ward's criterion, 0 to n_groups - 1, (N,)."""
    # Imported on use: other starts need no SciPy tree.
    from scipy.cluster.hierarchy import fcluster, linkage

    first = np.unique(group_of, return_index=True)[1]
    return fcluster(linkage(values[first], "ward"), n_groups, "maxclust")[group_of] - 1


def decorrelated(values: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Return rows in the coordinates in which the tree is grown, (N, up to D).

    Scaled to unit variance, rotated to principal axes, and each axis divided by the root of its
    standard deviation: halfway to uncorrelated (Scrucca & Raftery 2015, Advances in Data Analysis
    and Classification 9, 447-460, whose transform "SVD" it is but for its unit).
    """
    each = np.ones(len(values)) if weights is None else weights
    away = values - np.average(values, axis=0, weights=each)
    deviations = np.sqrt(np.average(away**2, axis=0, weights=each))
    away = away[:, deviations > 0] / deviations[deviations > 0]
    variances, axes = np.linalg.eigh((each[:, None] * away).T @ away / each.sum())
    kept = variances > variances[-1] * len(values) * np.finfo(float).eps
    return away @ axes[:, kept] / variances[kept] ** 0.25
