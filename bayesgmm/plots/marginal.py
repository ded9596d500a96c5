r"""The components of some draws, as a view sees them.

A marginal of a mixture is the mixture of the marginals: p(x_A) = sum_k w_k N(x_A | mu_kA, Sigma_kAA).
"""

from collections.abc import Iterator
from functools import reduce
from typing import NamedTuple

import jax
import numpy as np
from scipy.stats import chi2, norm

from ..model.mixture import Mixture
from ..numerics.precision import in_float64
from ..result import Fit
from .view import View

N_VERTICES = 90


class Marginal(NamedTuple):
    """Components of S draws on the d axes of a view.

    Attributes:
        weights: (S, K).
        means: (S, K, d).
        covariances: (S, K, d, d).
        occupied: which components hold rows, (S, K).
        shares: share of the fitted rows in each component, (S, K).
    """

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray
    occupied: np.ndarray
    shares: np.ndarray


@in_float64
def marginal(fit: Fit, draws: np.ndarray, view: View) -> Marginal:
    """Return some draws of a fit as a view sees them.

    Args:
        fit: any fit; a point counts as one draw.
        draws: indices of draws, chains after one another, (S,).
        view: what is looked at.

    Returns:
        The components.
    """
    n_leading = fit.log_likelihood.ndim
    flat: Mixture = jax.tree.map(
        lambda leaf: leaf.reshape(-1, *leaf.shape[n_leading:])[draws], fit.mixture
    )
    dense = np.asarray(fit.model.family.matrices(flat))
    weights = np.exp(flat.log_weights)
    counts = None if fit.counts is None else fit.counts.reshape(-1, fit.counts.shape[-1])[draws]
    return Marginal(
        weights=weights,
        means=(np.asarray(flat.means) - view.centre) @ view.matrix,
        covariances=view.matrix.T @ dense @ view.matrix,
        occupied=weights > 0 if counts is None else counts > 0,
        shares=weights if counts is None else counts / counts.sum(-1, keepdims=True),
    )


def ellipses(means: np.ndarray, covariances: np.ndarray, prob: float) -> np.ndarray:
    """Return closed outlines that hold ``prob`` of each two-column Gaussian, (M, V, 2)."""
    angles = np.linspace(0, 2 * np.pi, N_VERTICES)
    circle = np.sqrt(chi2.ppf(prob, 2)) * np.stack([np.cos(angles), np.sin(angles)])
    offsets = np.linalg.cholesky(covariances) @ circle
    return means[:, None] + offsets.swapaxes(-1, -2)


def densities(components: Marginal, grid: np.ndarray) -> np.ndarray:
    """Return the density of each draw on its one axis at a grid (G,), (S, G)."""
    return reduce(np.add, of_components(components, grid))


def cluster_densities(components: Marginal, shares: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Return the part of the density that each cluster has, averaged over draws, (J, G).

    Args:
        components: components of S draws on one axis.
        shares: part of each component that stands for each cluster, (S, K, J).
        grid: (G,).
    """
    parts = enumerate(of_components(components, grid))
    return reduce(np.add, (shares[:, k].T @ values for k, values in parts)) / len(shares)


def of_components(components: Marginal, grid: np.ndarray) -> Iterator[np.ndarray]:
    """Yield w_k N(x | k) of each component in turn, (S, G)."""
    scales = np.sqrt(components.covariances[..., 0, 0])
    for k in range(components.weights.shape[1]):
        values = norm.pdf(grid, components.means[:, k], scales[:, k, None])
        yield components.weights[:, k, None] * values
