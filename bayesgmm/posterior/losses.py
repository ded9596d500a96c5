r"""Losses between partitions, and their expectation over posterior draws.

With n_jk rows in cluster j of an estimate and cluster k of a draw, both losses are

    L_a = [a sum_k f(n_k) + (2 - a) sum_j f(n_j) - 2 sum_jk f(n_jk)] / scale.

f(n) = n log2 n and scale N give the variation of information (Meila 2007), in bits, and for other a
its generalisation a H(estimate | draw) + (2 - a) H(draw | estimate); f(n) = n^2 and scale N^2 give
Binder's loss (1978): the share of pairs of rows that a draw joins and the estimate parts, times a, plus
the share it parts and the estimate joins, times 2 - a. Large a makes for few clusters. (Wade &
Ghahramani 2018, Bayesian Analysis 13, 559-626; Dahl, Johnson & Müller 2022, JCGS 31, 1189-1201.)
"""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..numerics.precision import in_float64

NAMES = ("vi", "binder")


@dataclass(frozen=True)
class Loss:
    """A loss between partitions.

    Attributes:
        name: "vi", the variation of information, or "binder".
        a: price of parting two rows that belong together, in (0, 2); that of joining two rows
            that do not is 2 - a.

    Raises:
        ValueError: another name, or a outside (0, 2).
    """

    name: str = "vi"
    a: float = 1.0

    def __post_init__(self) -> None:
        """Check the settings."""
        if self.name not in NAMES:
            raise ValueError(f"Expected loss to be one of {NAMES}, got {self.name!r}. Pass 'vi'.")
        if not 0 < self.a < 2:
            raise ValueError(
                f"Expected a in (0, 2), got {self.a!r}. Pass a=1 to treat both errors alike."
            )

    def of_counts(self, counts: Array) -> Array:
        """Return f of counts of rows, in floating point."""
        counts = counts.astype(float)
        if self.name == "binder":
            return counts**2
        return counts * jnp.log2(jnp.maximum(counts, 1))

    def scale(self, n_rows: int) -> float:
        """Return what sums of f are divided by."""
        return float(n_rows) ** (2 if self.name == "binder" else 1)


def padded_size(labels: np.ndarray) -> int:
    """Return a number above all labels, rounded up so that few programs are compiled."""
    return -(-(int(labels.max()) + 1) // 8) * 8


def cells_of(draws: np.ndarray, n_labels: int) -> Array:
    """Return the index s K + z_s(i) of the cluster of each row i in each draw s, (N, S)."""
    offsets = n_labels * np.arange(len(draws), dtype=np.int32)
    return jnp.asarray(np.ascontiguousarray((draws + offsets[:, None]).T))


def joint_counts(shape: tuple[int, int], cells: Array, labels: Array) -> Array:
    """Count the rows that clusters of a partition (N,) share with those of draws, (S K, J)."""
    return jnp.zeros(shape, jnp.int32).at[cells, labels[:, None]].add(1)


@in_float64
def losses(loss: Loss, partitions: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Return the loss of partitions to draws.

    Args:
        loss: the loss.
        partitions: labels 0, 1, ..., (M, N).
        draws: labels 0, 1, ..., (S, N).

    Returns:
        (M, S), in bits for the variation of information.
    """
    n_labels, n_clusters = padded_size(draws), padded_size(partitions)
    cells = cells_of(draws, n_labels)
    labels = jnp.asarray(partitions, jnp.int32)
    return np.asarray(_losses(loss, (n_labels, n_clusters), cells, labels))


@partial(jax.jit, static_argnums=(0, 1))
def _losses(loss: Loss, sizes: tuple[int, int], cells: Array, partitions: Array) -> Array:
    n_rows, n_draws = cells.shape
    n_labels, n_clusters = sizes
    shape = (n_draws * n_labels, n_clusters)

    def of_one(labels: Array) -> Array:
        joint = joint_counts(shape, cells, labels).reshape(n_draws, n_labels, n_clusters)
        of_draws = loss.of_counts(joint.sum(2)).sum(1)
        own = loss.of_counts(jnp.bincount(labels, length=n_clusters)).sum()
        shared = loss.of_counts(joint).sum((1, 2))
        return loss.a * of_draws + (2 - loss.a) * own - 2 * shared

    # Rounding may leave a little less than nothing.
    return jnp.maximum(jax.lax.map(of_one, partitions), 0) / loss.scale(n_rows)


def vi_lower_bound(one: np.ndarray, draws: np.ndarray) -> float:
    r"""Return a lower bound of a partition's expected variation of information, in bits.

    By Jensen's inequality on the last term (Wade & Ghahramani 2018, section 3.2),

        E VI >= (1/N) sum_i [log n_c(i) + E log n_z(i) - 2 log sum_{j in c(i)} P(z_i = z_j)],

    where the inner sum is the mean over draws of the rows that i's cluster shares with i's cluster
    of the draw: no matrix over pairs is needed, and draws are counted one at a time.

    Args:
        one: labels 0, 1, ..., (N,).
        draws: labels 0, 1, ..., (S, N).
    """
    n_clusters, n_rows = int(one.max()) + 1, len(one)
    of_draws, shared = np.zeros(n_rows), np.zeros(n_rows)
    for draw in draws:
        cells = draw.astype(np.int64) * n_clusters + one
        of_draws += np.log2(np.bincount(draw)[draw])
        shared += np.bincount(cells)[cells]
    own = np.log2(np.bincount(one)[one])
    terms = own + of_draws / len(draws) - 2 * np.log2(shared / len(draws))
    return float(terms.mean())
