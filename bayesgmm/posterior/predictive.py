"""``Predictive``: what is known of some columns of a new row, in the data's units."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..data.affine import Affine
from .conditionals import (
    FARTHEST,
    Conditionals,
    Regressions,
    conditionals,
    covariance,
    log_densities,
    log_normaliser,
    mean_and_variance,
    quantiles,
    rows_from_noise,
)
from .density import BLOCK_BYTES


@dataclass(frozen=True, eq=False)
class Predictive:
    """The predictive distribution of some columns, averaged over the posterior.

    It is a mixture of all components of all draws. Of M conditions every result has a leading
    axis M; of a single one, or of none, it has not. Results are in the data's units and type.

    It holds 16 T D^2 bytes for the T components of all draws in D columns, and works through
    conditions and rows in blocks of about 32 MiB, at least one at a time: beyond the results it
    takes a few such blocks, or a few times 8 T D bytes if that is more.

    Attributes:
        columns: names of the columns described, U of them.
        n_conditions: M, or None for a single condition or none.
        components: the mixture before the condition, in engine units.
        given: the conditions in engine units, (M, G), with M = 1 where ``n_conditions`` is None.
        affine: map of the U columns to engine units.
        dtype: type of the results.
    """

    columns: tuple[str, ...]
    n_conditions: int | None
    components: Regressions = field(repr=False)
    given: np.ndarray = field(repr=False)
    affine: Affine = field(repr=False)
    dtype: np.dtype = field(repr=False)

    def mean(self) -> np.ndarray:
        """Return the mean of each column, (U,) or (M, U)."""
        return self.mean_and_sd()[0]

    def sd(self) -> np.ndarray:
        """Return the standard deviation of each column, (U,) or (M, U)."""
        return self.mean_and_sd()[1]

    def mean_and_sd(self) -> tuple[np.ndarray, np.ndarray]:
        """Return both in one pass over the components, (U,) or (M, U) each."""
        variances = (self.components.factors**2).sum(1)
        moments = self._of_blocks(lambda block: mean_and_variance(block, variances))
        mean, sd = moments[:, 0], np.sqrt(moments[:, 1])
        return self._result(self.affine.inverse(mean)), self._result(sd * self.affine.scale)

    def covariance(self) -> np.ndarray:
        """Return the covariance matrix of the columns, (U, U) or (M, U, U)."""
        factors = self.components.factors
        within = np.einsum("uwt,vwt->uvt", factors, factors)
        total = self._of_blocks(lambda block: covariance(block, within))
        return self._result(total * self.affine.scale**2)

    def quantile(self, q: Any) -> np.ndarray:
        """Return quantiles of each column by itself, where its distribution function reaches q.

        Args:
            q: a probability in (0, 1), or Q of them.

        Returns:
            (U,) or (M, U); with Q probabilities (Q, U) or (M, Q, U).

        Raises:
            ValueError: a probability outside (0, 1).
        """
        levels = check_levels(q)
        roots = self._of_blocks(lambda block: quantiles(block, levels.ravel()))
        roots = roots if levels.ndim else roots[:, 0]
        return self._result(self.affine.inverse(roots))

    def interval(self, prob: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of the equal-tailed interval of each column.

        Args:
            prob: probability inside, in (0, 1).

        Returns:
            Lower and upper ends, (U,) or (M, U) each.

        Raises:
            ValueError: a probability outside (0, 1).
        """
        if np.ndim(prob) or not 0 < prob < 1:
            raise ValueError(
                f"Expected prob to be a number in (0, 1), got {prob!r}. Pass for instance prob=0.9."
            )
        ends = self.quantile([(1 - prob) / 2, (1 + prob) / 2])
        return ends[..., 0, :], ends[..., 1, :]

    def log_density(self, Y: Any) -> np.ndarray:
        """Return the log density of rows of the columns, jointly.

        Args:
            Y: rows (..., U); under M conditions (M, ..., U), each with rows of its own, or
                (1, ..., U) or (U,), the same rows for all.

        Returns:
            (...), or (M, ...).

        Raises:
            ValueError: another number of columns, or of conditions, or values that are not finite.
        """
        rows, shape = self._rows(Y)
        white, log_norm = log_normaliser(self.components.factors)
        values = np.empty((len(self.given), rows.shape[1]))
        for start, block in self._blocks():
            here = slice(start, start + len(block.log_weights))
            own = rows if len(rows) == 1 else rows[here]
            values[here] = log_densities(block, white, log_norm, own)
        values -= len(self.columns) * np.log(self.affine.scale)
        return self._result(values.reshape(len(values), *shape))

    def sample(self, n: int, seed: Any) -> np.ndarray:
        """Draw rows, each from a draw and component of its own.

        Args:
            n: number of rows, of every condition, >= 1.
            seed: a whole number, or a NumPy random generator.

        Returns:
            (n, U) or (M, n, U).

        Raises:
            ValueError: less than one row asked for.
        """
        if n < 1:
            raise ValueError(f"Expected n >= 1 rows, got {n!r}. Pass for instance n=1000.")
        random = np.random.default_rng(seed)
        # In (0, 1], so that no component without weight is ever picked.
        uniform = 1 - random.random((len(self.given), n))
        noise = random.standard_normal((*uniform.shape, len(self.columns)))
        for start, block in self._blocks():
            here = slice(start, start + len(block.log_weights))
            noise[here] = rows_from_noise(block, uniform[here], noise[here])
        return self._result(self.affine.inverse(noise))

    def _blocks(self) -> Iterator[tuple[int, Conditionals]]:
        """Yield the mixtures of some conditions, and the index of the first of them."""
        n_given, (n_asked, n_components) = self.given.shape[1], self.components.means.shape
        length = max(1, BLOCK_BYTES // (8 * n_components * (1 + n_given + n_asked)))
        for start in range(0, len(self.given), length):
            yield start, conditionals(self.components, self.given[start : start + length])

    def _of_blocks(self, function: Callable[[Conditionals], np.ndarray]) -> np.ndarray:
        return np.concatenate([function(block) for _, block in self._blocks()])

    def _rows(self, Y: Any) -> tuple[np.ndarray, tuple[int, ...]]:
        """Return rows (M or 1, R, U) in engine units, and the axes that R stands for."""
        values, n_asked = np.asarray(Y, float), len(self.columns)
        if not values.ndim or values.shape[-1] != n_asked:
            raise ValueError(
                f"Expected rows of {n_asked} columns {list(self.columns)}, got shape {values.shape}. "
                "Put the columns on the last axis, for one column Y[:, None]."
            )
        if self.n_conditions is None or values.ndim == 1:
            values = values[None]
        if len(values) not in (1, len(self.given)):
            raise ValueError(
                f"Expected rows for each of {self.n_conditions} conditions, got shape {values.shape}. "
                "Put the conditions on the first axis, or pass Y[None] for the same rows under all."
            )
        scaled = self.affine.forward(values)
        if not (np.abs(scaled) < FARTHEST).all():
            raise ValueError(
                f"Expected finite rows within {FARTHEST:.0e} standard deviations of the data, got "
                f"{values[~(np.abs(scaled) < FARTHEST)][0]}. Leave out such rows, or check the units."
            )
        return scaled.reshape(len(values), -1, n_asked), values.shape[1:-1]

    def _result(self, values: np.ndarray) -> np.ndarray:
        return (values[0] if self.n_conditions is None else values).astype(self.dtype)


def check_levels(q: Any) -> np.ndarray:
    """Return probabilities in (0, 1) with at most one axis."""
    levels = np.asarray(q, float)
    if levels.ndim > 1 or not levels.size or not ((levels > 0) & (levels < 1)).all():
        raise ValueError(
            f"Expected probabilities in (0, 1), got {q!r}. Pass for instance q=0.5 or q=[0.05, 0.95]."
        )
    return levels
