r"""The distribution of some columns given others: one Gaussian mixture over all draws.

With the columns ordered as given (g), then asked (a), a component N(mu, L L^T) is a regression:

    y = L_gg^-1 (x_g - mu_g)
    log N(x_g) = -|y|^2 / 2 - log det L_gg - G/2 log 2 pi
    x_a | x_g ~ N(mu_a + L_ag y, L_aa L_aa^T)

(Bishop 2006, Pattern Recognition and Machine Learning, equations 2.81 and 2.82, L_aa L_aa^T being
the Schur complement). A mixture given x_g is the mixture of these with weights proportional to
w_k N_k(x_g) (exercise 9.10). L comes from the factor of the covariance by an orthogonal
triangularisation of its reordered rows, so that no covariance is ever squared or subtracted.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy.optimize.elementwise import find_root
from scipy.special import log_softmax, logsumexp, ndtr, ndtri

from ..numerics.linalg import whitening
from ..numerics.precision import in_float64
from ..result import Fit
from .density import BLOCK_BYTES, flat_draws

# In engine units, where the data have unit spread.
ROOT_TOLERANCE = 1e-15
# Likewise; farther out squares would overflow.
FARTHEST = 1e100


class Regressions(NamedTuple):
    """T weighted Gaussians, each a regression of U columns on G others, in engine units.

    Components are on the last axis, where NumPy runs through them in one go.

    Attributes:
        log_weights: of all draws together, up to a constant, (T,).
        centres: means of the given columns, (G, T).
        white: inverses of L_gg, (G, G, T).
        means: means of the asked columns, (U, T).
        slopes: L_ag, (U, G, T).
        factors: L_aa, triangular with diagonals of any sign, (U, U, T).
    """

    log_weights: np.ndarray
    centres: np.ndarray
    white: np.ndarray
    means: np.ndarray
    slopes: np.ndarray
    factors: np.ndarray


class Conditionals(NamedTuple):
    """B mixtures of T components that share their covariances.

    Attributes:
        log_weights: normalised, (B, T).
        means: (U, B, T).
        factors: (U, U, T).
    """

    log_weights: np.ndarray
    means: np.ndarray
    factors: np.ndarray


@in_float64
def regressions(fit: Fit, given: list[int], asked: list[int]) -> Regressions:
    """Order the columns of all components of all draws; absent components are left out."""
    draws = flat_draws(fit)
    present = np.isfinite(draws.log_weights)
    order, n_given = [*given, *asked], len(given)
    rows = np.asarray(fit.model.family.factors(draws))[present][:, order]
    factors = np.linalg.qr(rows.swapaxes(-1, -2), mode="r").swapaxes(-1, -2)
    white, factors = last(np.asarray(whitening(factors))), last(factors)
    means = last(np.asarray(draws.means)[present][:, order])
    return Regressions(
        log_weights=np.asarray(draws.log_weights)[present],
        centres=means[:n_given],
        white=white[:n_given, :n_given],
        means=means[n_given:],
        slopes=factors[n_given:, :n_given],
        factors=factors[n_given:, n_given:],
    )


def last(table: np.ndarray) -> np.ndarray:
    """Return a table with its first axis, that of components, laid out last."""
    return np.ascontiguousarray(np.moveaxis(table, 0, -1))


def conditionals(components: Regressions, given: np.ndarray) -> Conditionals:
    """Return the mixtures given rows (B, G)."""
    offsets = given.T[..., None] - components.centres[:, None]
    y = np.einsum("ght,hbt->gbt", components.white, offsets)
    log_joint = components.log_weights + log_det(components.white) - (y**2).sum(0) / 2
    return Conditionals(
        log_weights=log_softmax(log_joint, axis=1),
        means=components.means[:, None] + np.einsum("ugt,gbt->ubt", components.slopes, y),
        factors=components.factors,
    )


def log_det(white: np.ndarray) -> np.ndarray:
    """Return the log determinants of triangular matrices (E, E, T), (T,)."""
    return np.log(np.abs(np.einsum("eet->et", white))).sum(0)


def mean_and_variance(block: Conditionals, variances: np.ndarray) -> np.ndarray:
    """Return means and variances of the columns, (B, 2, U), from those inside components, (U, T)."""
    weights = np.exp(block.log_weights)
    mean = np.einsum("bt,ubt->bu", weights, block.means)
    between = np.einsum("bt,ubt->bu", weights, (block.means - mean.T[..., None]) ** 2)
    return np.stack([mean, between + weights @ variances.T], 1)


def covariance(block: Conditionals, within: np.ndarray) -> np.ndarray:
    """Return covariances (B, U, U) from those inside components, (U, U, T)."""
    weights = np.exp(block.log_weights)
    mean = np.einsum("bt,ubt->ub", weights, block.means)
    offsets = block.means - mean[..., None]
    between = np.einsum("ubt,vbt->buv", weights * offsets, offsets)
    return between + np.tensordot(weights, within, (1, 2))


@in_float64
def log_normaliser(factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return inverses (U, U, T) and log constants (T,) of Gaussians with these factors."""
    white = last(np.asarray(whitening(np.moveaxis(factors, -1, 0))))
    return white, log_det(white) - len(factors) / 2 * np.log(2 * np.pi)


def log_densities(
    block: Conditionals, white: np.ndarray, log_norm: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    """Return the log densities of rows (B or 1, R, U), (B, R), some rows at a time."""
    length = max(1, BLOCK_BYTES // (8 * block.means.size))
    found = np.empty((len(block.log_weights), rows.shape[1]))
    for start in range(0, rows.shape[1], length):
        here = slice(start, start + length)
        some = np.moveaxis(rows[:, here], -1, 0)
        y = np.einsum("uvt,vbrt->ubrt", white, some[..., None] - block.means[:, :, None])
        log_joint = (block.log_weights + log_norm)[:, None] - (y**2).sum(0) / 2
        found[:, here] = logsumexp(log_joint, axis=-1)
    return found


def quantiles(block: Conditionals, levels: np.ndarray) -> np.ndarray:
    """Invert the distribution function of each column at levels (Q,), (B, Q, U)."""
    scales = np.sqrt((block.factors**2).sum(1))
    # The smaller of the two tails is compared: its probability keeps its digits.
    side, tail = np.where(levels > 0.5, -1.0, 1.0), np.minimum(levels, 1 - levels)
    tails = Tails(np.exp(block.log_weights), block.means, scales)
    return find_root(
        tails.excess,
        quantile_brackets(block.means, scales, ndtri(levels)),
        args=(
            np.arange(len(block.log_weights))[:, None, None],
            np.arange(len(scales)),
            side[:, None],
            tail[:, None],
        ),
        tolerances={"xatol": ROOT_TOLERANCE},
    ).x


def quantile_brackets(
    means: np.ndarray, scales: np.ndarray, z: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return bounds (B, Q, U): a mixture's quantile lies between its components' quantiles."""
    lower = [(means + (level - 1) * scales[:, None]).min(-1).T for level in z]
    upper = [(means + (level + 1) * scales[:, None]).max(-1).T for level in z]
    return np.stack(lower, 1), np.stack(upper, 1)


class Tails(NamedTuple):
    """The distribution functions of the columns of B mixtures.

    Attributes:
        weights: (B, T).
        means: (U, B, T).
        scales: standard deviations, (U, T).
    """

    weights: np.ndarray
    means: np.ndarray
    scales: np.ndarray

    def excess(self, x: Any, mixture: Any, column: Any, side: Any, tail: Any) -> np.ndarray:
        """Return by how much x is beyond a quantile in probability; rises with x.

        Args:
            x: points, of any shape; the rest broadcasts against it.
            mixture: which of the B.
            column: which of the U.
            side: 1 for the lower tail, -1 for the upper.
            tail: its probability at the quantile.
        """
        points = np.broadcast_arrays(x, mixture, column, side)
        found = self.probabilities(*(axis.ravel() for axis in points))
        return side * (found.reshape(points[0].shape) - tail)

    def probabilities(self, x: Any, mixture: Any, column: Any, side: Any) -> np.ndarray:
        """Return probabilities of tails that end at points (n,), some points at a time."""
        found = np.empty(len(x))
        # Four tables of this length live at a time.
        length = max(1, BLOCK_BYTES // (32 * len(self.weights[0])))
        for start in range(0, len(x), length):
            here = slice(start, start + length)
            row, of = mixture[here], column[here]
            z = side[here, None] * (x[here, None] - self.means[of, row]) / self.scales[of]
            found[here] = np.einsum("nt,nt->n", self.weights[row], ndtr(z))
        return found


def rows_from_noise(block: Conditionals, uniform: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Pick components by uniform numbers (B, n) and give noise (B, n, U) their law."""
    cumulative = np.cumsum(np.exp(block.log_weights), axis=1)
    rows = np.empty_like(noise)
    for b, ladder in enumerate(cumulative):
        picked = np.searchsorted(ladder, uniform[b] * ladder[-1])
        coloured = np.einsum("uvn,nv->nu", block.factors[..., picked], noise[b])
        rows[b] = block.means[:, b, picked].T + coloured
    return rows
