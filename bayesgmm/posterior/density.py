"""Densities and responsibilities of a mixture at rows, in blocks of one compiled shape."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import logsumexp

from ..data.table import match_columns
from ..model.families.base import Family
from ..model.kernel import log_joint
from ..model.missing import FULL, visible
from ..model.mixture import Mixture, Tied
from ..numerics.precision import in_float64
from ..result import Fit

BLOCK_BYTES = 32 * 2**20
LONGEST_BLOCK = 8192


def scaled_rows(fit: Fit, X: Any) -> np.ndarray:
    """Return rows (M, D) in engine units, checked against the columns of the fit.

    Rows with missing cells, NaN, are served by the cells that are there.
    """
    model = fit.model
    values = match_columns(X, model.names, model.named, np.dtype(float), missing=True)
    if np.isnan(values).all(1).any():
        row = int(np.isnan(values).all(1).argmax())
        raise ValueError(
            f"Expected some observed cell in every row, got none in row {row}: nothing can be said of it. "
            "Drop such rows."
        )
    return model.affine.forward(values)


def log_unit(fit: Fit, scaled: np.ndarray) -> np.ndarray:
    """Return what takes log densities of rows (M, D) from the data's units to the engine's, (M,)."""
    return (~np.isnan(scaled)).sum(1) * np.log(fit.model.affine.scale)


def over_rows(
    function: Callable[[Family, Mixture, Any], Array],
    family: Family,
    mixtures: Mixture,
    scaled: np.ndarray,
    bytes_per_row: int,
) -> Iterator[np.ndarray]:
    """Apply a compiled function of mixtures and columns (D, n) to blocks of rows.

    Rows with missing cells, NaN, are taken by pattern and come in a single block.
    """
    missing = np.isnan(scaled)
    if not missing.any():
        yield from in_blocks(partial(function, family, mixtures), scaled, bytes_per_row)
        return
    patterns, pattern_of = np.unique(missing, axis=0, return_inverse=True)
    parts: list[np.ndarray] = []
    places: list[np.ndarray] = []
    for index, absent in enumerate(patterns):
        places.append(np.flatnonzero(pattern_of.ravel() == index))
        seen = visible_to(family, mixtures, ~absent)
        rows = np.where(absent, 0.0, scaled[places[-1]])
        parts += in_blocks(partial(function, FULL, seen), rows, bytes_per_row)
    yield np.concatenate(parts, axis=-1)[..., np.argsort(np.concatenate(places))]


visible_to = jax.jit(visible, static_argnums=0)


def in_blocks(
    function: Callable[[Any], Array], scaled: np.ndarray, bytes_per_row: int
) -> Iterator[np.ndarray]:
    """Apply a compiled function of columns (D, n) to blocks of rows of equal, padded length.

    Yields:
        Results with the rows along the last axis, padding cut off.
    """
    fitting = max(1, BLOCK_BYTES // max(bytes_per_row, 1))
    longest = min(LONGEST_BLOCK, 2 ** int(np.log2(fitting)))
    length = min(longest, 1 << max(len(scaled) - 1, 1).bit_length())
    for start in range(0, len(scaled), length):
        block = scaled[start : start + length]
        columns = np.zeros((scaled.shape[1], length))
        columns[:, : len(block)] = block.T
        yield np.asarray(function(columns))[..., : len(block)]


@partial(jax.jit, static_argnums=0)
def log_density_at(family: Family, mixture: Mixture, columns: Array) -> Array:
    """Return log p(x) for a point mixture, (n,)."""
    return logsumexp(log_joint(family, mixture, columns), axis=-2)


@partial(jax.jit, static_argnums=0)
def log_responsibilities_at(family: Family, mixture: Mixture, columns: Array) -> Array:
    """Return log p(k | x) for a point mixture, (K, n)."""
    joint = log_joint(family, mixture, columns)
    return joint - logsumexp(joint, axis=-2, keepdims=True)


@partial(jax.jit, static_argnums=0)
def log_responsibilities_of_draws(family: Family, mixtures: Mixture, columns: Array) -> Array:
    """Return log p(k | x) for S mixtures, one at a time, (S, K, n)."""
    return jax.lax.map(lambda one: log_responsibilities_at(family, one, columns), mixtures)


@partial(jax.jit, static_argnums=0)
def log_densities_at(family: Family, mixtures: Mixture, columns: Array) -> Array:
    """Return log p(x) for S mixtures, one at a time, (S, n)."""
    return jax.lax.map(lambda one: log_density_at(family, one, columns), mixtures)


def flat_draws(fit: Fit) -> Mixture:
    """Return the draws of a fit with one leading axis (C S, ...); a point has one draw."""
    n_leading = fit.log_likelihood.ndim
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[n_leading:]), fit.scaled)


@in_float64
def log_density(fit: Fit, X: Any) -> np.ndarray:
    """Return the log density of rows in the data's units.

    For a posterior this is the log posterior predictive density, the logarithm of the density
    averaged over draws.

    Args:
        fit: a fit.
        X: rows (M, D) with the columns of the fit.

    Returns:
        (M,), in the type of the fitted data.

    Raises:
        ValueError: another number of columns or other names.
    """
    scaled = scaled_rows(fit, X)
    draws = flat_draws(fit)
    n_draws = len(draws.log_weights)
    width = 8 * n_draws + 8 * draws.means.shape[-2] * (scaled.shape[1] + 2)
    blocks = over_rows(_log_mean_density, fit.model.family, draws, scaled, width)
    result = np.concatenate(list(blocks)) - log_unit(fit, scaled)
    return result.astype(fit.model.dtype)


class DensityEstimate(NamedTuple):
    """A log posterior predictive density and its Monte Carlo standard error, (M,) each."""

    log_density: np.ndarray
    error: np.ndarray


@in_float64
def log_density_with_error(fit: Fit, X: Any) -> DensityEstimate:
    """Return the log posterior predictive density of rows with its Monte Carlo error.

    The error is that of the average over correlated draws, by batch means with about as many
    batches as draws in each (Flegal & Jones 2010, Annals of Statistics 38, 1034-1070), taken to the
    logarithm by the delta method.

    Args:
        fit: a posterior of at least four draws per chain.
        X: rows (M, D) with the columns of the fit.

    Returns:
        Estimate and standard error, (M,) each; the error in nats.

    Raises:
        ValueError: a fit with too few draws, or other columns.
    """
    n_draws = 1 if fit.is_point else fit.log_likelihood.shape[1]
    if n_draws < 4:
        raise ValueError(
            f"Expected at least four draws per chain, got {n_draws}: no error can be told from them. "
            "Use bg.log_density(fit, X), or a posterior with more draws."
        )
    scaled, draws = scaled_rows(fit, X), flat_draws(fit)
    batches = (len(fit.log_likelihood), int(np.sqrt(n_draws)))
    width = 16 * len(draws.log_weights) + 8 * draws.means.shape[-2] * (scaled.shape[1] + 2)

    def function(family: Family, draws: Mixture, columns: Any) -> Array:
        return _mean_and_error(family, batches, draws, columns)

    blocks = list(over_rows(function, fit.model.family, draws, scaled, width))
    table = np.concatenate(blocks, axis=-1)
    table[0] -= log_unit(fit, scaled)
    return DensityEstimate(*table.astype(fit.model.dtype))


@partial(jax.jit, static_argnums=(0, 1))
def _mean_and_error(
    family: Family, batches: tuple[int, int], draws: Mixture, columns: Array
) -> Array:
    n_chains, n_batches = batches
    log_densities = log_densities_at(family, draws, columns)
    log_mean = logsumexp(log_densities, axis=0) - jnp.log(log_densities.shape[0])
    relative = jnp.exp(log_densities - log_mean).reshape(n_chains, -1, columns.shape[1])
    length = relative.shape[1] // n_batches
    whole = relative[:, : n_batches * length].reshape(n_chains * n_batches, length, -1)
    error = whole.mean(1).std(0, ddof=1) / jnp.sqrt(n_chains * n_batches)
    return jnp.stack([log_mean, error])


@partial(jax.jit, static_argnums=0)
def _log_mean_density(family: Family, draws: Mixture, columns: Array) -> Array:
    densities = log_densities_at(family, draws, columns)
    return logsumexp(densities, axis=0) - jnp.log(densities.shape[0])


@in_float64
def pointwise_log_likelihood(fit: Fit) -> np.ndarray:
    """Return log p(x_n | draw) for the fitted rows, labels summed out, (C, S, N) or (N,).

    Of rows whose label is known it is log p(x_n, label | draw), what they contribute to the posterior.
    """
    return np.concatenate(list(log_likelihood_blocks(fit)), axis=-1)


def log_likelihood_blocks(fit: Fit, rows: Any = slice(None)) -> Iterator[np.ndarray]:
    """Yield log p(x_n | draw) of blocks of fitted rows, labels summed out, (C, S, n) or (n,)."""
    scaled, draws = fit.data.scaled()[rows], flat_draws(fit)
    labels = None if fit.data.labels is None else fit.data.labels[rows]
    n_components, n_columns = draws.means.shape[-2:]
    width = 8 * len(draws.log_weights) + 8 * n_components * (n_columns + 2)
    units, done = log_unit(fit, scaled), 0
    for block in over_rows(log_densities_at, fit.model.family, draws, scaled, width):
        part = slice(done, done + block.shape[-1])
        if labels is not None:
            block = with_known(fit.model.family, draws, scaled[part], labels[part], block, width)
        done = part.stop
        yield (block - units[part]).reshape(*fit.log_likelihood.shape, -1)


def with_known(
    family: Family,
    draws: Mixture,
    scaled: np.ndarray,
    labels: np.ndarray,
    log_densities: np.ndarray,
    width: int,
) -> np.ndarray:
    """Put log p(x, label) in the place of log p(x), (S, n), of rows whose label is known."""
    found = log_densities.copy()
    for label in np.unique(labels[labels >= 0]):
        one = slice(label, label + 1)
        covariance = draws.covariance
        if not isinstance(covariance, Tied):
            covariance = jax.tree.map(lambda leaf, one=one: leaf[:, one], covariance)
        alone = Mixture(draws.log_weights[:, one], draws.means[:, one], covariance)
        blocks = over_rows(log_densities_at, family, alone, scaled[labels == label], width)
        found[:, labels == label] = np.concatenate(list(blocks), -1)
    return found


@in_float64
def log_responsibilities(fit: Fit, X: Any) -> np.ndarray:
    """Return log p(k | x) of a point fit, (M, K), in the type of the fitted data.

    Raises:
        ValueError: a fit that is not a point, or other columns.
    """
    if not fit.is_point:
        raise ValueError(
            f"Expected a point fit, got a {fit.kind}: components of single draws have no common "
            "labels. Use bg.partition(fit) and its membership probabilities."
        )
    scaled = scaled_rows(fit, X)
    width = 8 * fit.model.n_components * (scaled.shape[1] + 2)
    blocks = list(over_rows(log_responsibilities_at, fit.model.family, fit.scaled, scaled, width))
    return np.concatenate(blocks, axis=-1).T.astype(fit.model.dtype)


def draw_rows(
    fit: Fit, n_rows: int, random: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """Draw new rows: for a posterior each row from a draw of its own.

    The component is drawn first, then the row, so the cost does not grow with K.

    Args:
        fit: a fit.
        n_rows: number of rows, M >= 1.
        random: source of randomness.

    Returns:
        Rows (M, D) in the data's units, and the component of each within its draw (M,), the rows
        of a point fit grouped by component as scikit-learn returns them.
    """
    if n_rows < 1:
        raise ValueError(
            f"Invalid value for 'n_samples': {n_rows}. The sampling requires at least one sample. Pass a number >= 1."
        )
    draws = flat_draws(fit)
    chosen = np.sort(random.randint(len(draws.log_weights), size=n_rows))
    weights = np.exp(draws.log_weights[chosen])
    cumulative = np.cumsum(weights / weights.sum(1, keepdims=True), 1)
    labels = (random.uniform(size=(n_rows, 1)) > cumulative[:, :-1]).sum(1)
    if fit.is_point:
        labels = np.sort(labels)
    means = draws.means[chosen, labels]
    noise = random.standard_normal(means.shape)
    rows = means + _colour(draws, chosen, labels, noise)
    return fit.model.affine.inverse(rows).astype(fit.model.dtype), labels


def _colour(
    draws: Mixture, chosen: np.ndarray, labels: np.ndarray, noise: np.ndarray
) -> np.ndarray:
    """Give noise (M, D) the covariance of the chosen components."""
    (factor,) = draws.covariance
    picked = factor[chosen] if isinstance(draws.covariance, Tied) else factor[chosen, labels]
    if picked.ndim == 3:
        return np.einsum("nij,nj->ni", picked, noise)
    return noise * (picked if picked.ndim == 2 else picked[:, None])
