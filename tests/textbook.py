"""What textbooks say about Gaussian mixtures, in NumPy and SciPy, one row at a time.

``STRUCTURES`` has one line per covariance family; every harness runs over it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np
from scipy import stats

from bayesgmm.model.families import FAMILIES, Family
from bayesgmm.model.mixture import Diagonal, Full, Mixture, Spherical, Tied


class Parameters(NamedTuple):
    """One mixture in plain matrices: weights (K,), means (K, D), matrices (K, D, D)."""

    weights: np.ndarray
    means: np.ndarray
    matrices: np.ndarray


class Prior(NamedTuple):
    """mean (D,), kappa, nu and the scale in the shape of the structure."""

    mean: np.ndarray
    kappa: float
    nu: float
    scale: np.ndarray


# What one structure is ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Structure:
    """One covariance structure.

    Attributes:
        name: name of the package's family.
        constrain: free matrices (K, D, D) -> the nearest of this structure.
        record: matrices (K, D, D) -> the package's covariance record.
        free: matrices (K, D, D) -> the free variances and covariances, flat.
        pack: scatter matrices (K, D, D) -> the family's shape.
        estimate: counts (K,), scatter (K, D, D) -> maximum-likelihood matrices (K, D, D).
        n_parameters: (K, D) -> number of free covariance parameters.
        scale: positive-definite (D, D) -> prior scale in the family's shape.
        default_nu: D -> default degrees of freedom.
        log_covariance_prior: prior, matrices (K, D, D) -> log density of ``free``.
        dense: covariance parameters in the family's shape, K, D -> matrices (K, D, D).
        nu_gain: counts (K,), D -> what rows add to the degrees of freedom.
        mode: nu_n, scale_n, K, D -> the covariance parameters at the joint mode, family's shape.
        predictive: row, mean, kappa, nu, scale -> log density of the next row of a component.
        absorb: nu, scale, kappa, offset -> (nu, scale) after one more row.
        is_shared: whether all components share nu and scale.
    """

    name: str
    constrain: Callable
    record: Callable
    free: Callable
    pack: Callable
    estimate: Callable
    n_parameters: Callable
    scale: Callable
    default_nu: Callable
    log_covariance_prior: Callable
    dense: Callable
    nu_gain: Callable
    mode: Callable
    predictive: Callable
    absorb: Callable
    is_shared: bool = False

    @property
    def family(self) -> Family:
        return FAMILIES[self.name]


def diagonals(matrices):
    return np.diagonal(matrices, axis1=-2, axis2=-1)


def as_diagonal(variances):
    return variances[..., None] * np.eye(variances.shape[-1])


def as_spherical(variances, size):
    return variances[..., None, None] * np.eye(size)


def lower_triangle(matrix):
    return matrix[np.tril_indices(matrix.shape[-1])]


def log_inverse_gamma(variances, nu, scale):
    return stats.invgamma.logpdf(variances, nu / 2, scale=scale / 2).sum()


def predictive_full(row, mean, kappa, nu, scale):
    """Murphy (2007), equation 258."""
    df = nu - len(row) + 1
    return stats.multivariate_t.logpdf(row, mean, scale * (kappa + 1) / (kappa * df), df=df)


def predictive_diagonal(row, mean, kappa, nu, scale):
    spread = np.sqrt(scale / nu * (kappa + 1) / kappa)
    return stats.t.logpdf(row, nu, loc=mean, scale=spread).sum()


def predictive_spherical(row, mean, kappa, nu, scale):
    shape = scale / nu * (kappa + 1) / kappa * np.eye(len(row))
    return stats.multivariate_t.logpdf(row, mean, shape, df=nu)


STRUCTURES = (
    Structure(
        name="full",
        constrain=lambda matrices: matrices,
        record=lambda matrices: Full(np.linalg.cholesky(matrices)),
        free=lambda matrices: np.concatenate([lower_triangle(one) for one in matrices]),
        pack=lambda scatter: scatter,
        estimate=lambda counts, scatter: scatter / counts[:, None, None],
        n_parameters=lambda K, D: K * D * (D + 1) // 2,
        scale=lambda matrix: matrix,
        default_nu=lambda D: D + 2,
        log_covariance_prior=lambda prior, matrices: sum(
            stats.invwishart.logpdf(one, prior.nu, prior.scale) for one in matrices
        ),
        dense=lambda packed, K, D: packed,
        nu_gain=lambda counts, D: counts,
        mode=lambda nu, scale, K, D: scale / (nu[:, None, None] + D + 2),
        predictive=predictive_full,
        absorb=lambda nu, scale, kappa, offset: (
            nu + 1,
            scale + kappa / (kappa + 1) * np.outer(offset, offset),
        ),
    ),
    Structure(
        name="tied",
        constrain=lambda matrices: np.broadcast_to(matrices[:1], matrices.shape),
        record=lambda matrices: Tied(np.linalg.cholesky(matrices[0])),
        free=lambda matrices: lower_triangle(matrices[0]),
        pack=lambda scatter: scatter,
        estimate=lambda counts, scatter: np.broadcast_to(
            scatter.sum(0) / counts.sum(), scatter.shape
        ),
        n_parameters=lambda K, D: D * (D + 1) // 2,
        scale=lambda matrix: matrix,
        default_nu=lambda D: D + 2,
        log_covariance_prior=lambda prior, matrices: stats.invwishart.logpdf(
            matrices[0], prior.nu, prior.scale
        ),
        dense=lambda packed, K, D: np.broadcast_to(packed, (K, D, D)),
        nu_gain=lambda counts, D: counts.sum(),
        mode=lambda nu, scale, K, D: scale / (nu + D + 1 + K),
        predictive=predictive_full,
        absorb=lambda nu, scale, kappa, offset: (
            nu + 1,
            scale + kappa / (kappa + 1) * np.outer(offset, offset),
        ),
        is_shared=True,
    ),
    Structure(
        name="diag",
        constrain=lambda matrices: as_diagonal(diagonals(matrices)),
        record=lambda matrices: Diagonal(np.sqrt(diagonals(matrices))),
        free=lambda matrices: diagonals(matrices).ravel(),
        pack=diagonals,
        estimate=lambda counts, scatter: as_diagonal(diagonals(scatter) / counts[:, None]),
        n_parameters=lambda K, D: K * D,
        scale=lambda matrix: np.diag(matrix).copy(),
        default_nu=lambda D: 3,
        log_covariance_prior=lambda prior, matrices: log_inverse_gamma(
            diagonals(matrices), prior.nu, prior.scale
        ),
        dense=lambda packed, K, D: as_diagonal(packed),
        nu_gain=lambda counts, D: counts,
        mode=lambda nu, scale, K, D: scale / (nu[:, None] + 3),
        predictive=predictive_diagonal,
        absorb=lambda nu, scale, kappa, offset: (nu + 1, scale + kappa / (kappa + 1) * offset**2),
    ),
    Structure(
        name="spherical",
        constrain=lambda matrices: as_spherical(diagonals(matrices).mean(-1), matrices.shape[-1]),
        record=lambda matrices: Spherical(np.sqrt(matrices[..., 0, 0])),
        free=lambda matrices: matrices[:, 0, 0],
        pack=lambda scatter: np.trace(scatter, axis1=-2, axis2=-1),
        estimate=lambda counts, scatter: as_spherical(
            np.trace(scatter, axis1=-2, axis2=-1) / (counts * scatter.shape[-1]), scatter.shape[-1]
        ),
        n_parameters=lambda K, D: K,
        scale=lambda matrix: np.asarray(np.trace(matrix) / len(matrix)),
        default_nu=lambda D: 3,
        log_covariance_prior=lambda prior, matrices: log_inverse_gamma(
            matrices[:, 0, 0], prior.nu, prior.scale
        ),
        dense=lambda packed, K, D: as_spherical(packed, D),
        nu_gain=lambda counts, D: D * counts,
        mode=lambda nu, scale, K, D: scale / (nu + D + 2),
        predictive=predictive_spherical,
        absorb=lambda nu, scale, kappa, offset: (
            nu + len(offset),
            scale + kappa / (kappa + 1) * offset @ offset,
        ),
    ),
)


# Random cases ------------------------------------------------------------------------------------


def random_matrices(rng, *shape, size):
    """Well-conditioned covariance matrices, (*shape, D, D)."""
    root = rng.normal(size=(*shape, size, size + 3))
    return root @ np.swapaxes(root, -1, -2) / (size + 3) + 0.2 * np.eye(size)


def random_parameters(rng, structure, K, D, spread=1.0):
    return Parameters(
        weights=rng.dirichlet(np.full(K, 2.0)),
        means=spread * rng.normal(size=(K, D)),
        matrices=structure.constrain(random_matrices(rng, K, size=D)),
    )


def random_rows(rng, parameters, n_rows):
    """Draw rows and labels from a mixture."""
    labels = rng.choice(len(parameters.weights), size=n_rows, p=parameters.weights)
    noise = rng.normal(size=(n_rows, parameters.means.shape[1]))
    factors = np.linalg.cholesky(parameters.matrices)[labels]
    return parameters.means[labels] + np.einsum("nij,nj->ni", factors, noise), labels


def mixture_of(structure, *many):
    """The package's Mixture of one point, or of a batch of them along a leading axis."""
    made = [
        Mixture(np.log(one.weights), np.asarray(one.means), structure.record(one.matrices))
        for one in many
    ]
    return made[0] if len(made) == 1 else stack(made)


def stack(mixtures):
    return jax.tree.map(lambda *leaves: np.stack(leaves), *mixtures)


def parameters_of(structure, mixture):
    """Plain matrices of one of the package's mixtures."""
    with jax.enable_x64(True):
        matrices = np.asarray(structure.family.matrices(mixture))
    return Parameters(np.exp(mixture.log_weights), np.asarray(mixture.means), matrices)


def random_prior(rng, structure, D):
    return Prior(
        mean=rng.normal(size=D),
        kappa=0.7,
        nu=D + 4.5,
        scale=structure.scale(3 * random_matrices(rng, size=D)),
    )


def prior_of(structure, prior):
    """The package's conjugate prior."""
    arrays = map(np.asarray, (prior.mean, prior.kappa, prior.nu, prior.scale))
    return structure.family.prior(*arrays)


# Density and EM ----------------------------------------------------------------------------------


def log_joint(parameters, x):
    """log w_k + log N(x | k), (N, K)."""
    return np.stack(
        [
            np.log(w) + stats.multivariate_normal.logpdf(x, mean, matrix)
            for w, mean, matrix in zip(*parameters, strict=True)
        ],
        axis=1,
    ).reshape(len(x), -1)


def log_likelihood(parameters, x, row_weights=None):
    log_density = np.logaddexp.reduce(log_joint(parameters, x), axis=1)
    return log_density.sum() if row_weights is None else row_weights @ log_density


def responsibilities(parameters, x):
    joint = log_joint(parameters, x)
    return np.exp(joint - np.logaddexp.reduce(joint, axis=1)[:, None])


class Moments(NamedTuple):
    """counts (K,), means (K, D), scatter about the means (K, D, D)."""

    counts: np.ndarray
    means: np.ndarray
    scatter: np.ndarray


def moments(weights, x):
    """Weighted moments of each component, weights (N, K), one component at a time."""
    means = np.array([w @ x / w.sum() for w in weights.T])
    scatter = [
        (w[:, None] * (x - mean)).T @ (x - mean) for w, mean in zip(weights.T, means, strict=True)
    ]
    return Moments(weights.sum(0), means, np.array(scatter))


def em_step(structure, parameters, x, ridge=0.0):
    """One step of maximum likelihood (Bishop 2006, equations 9.24-9.26)."""
    counts, means, scatter = moments(responsibilities(parameters, x), x)
    matrices = structure.estimate(counts, scatter) + ridge * np.eye(x.shape[1])
    return Parameters(counts / counts.sum(), means, matrices)


def map_step(structure, parameters, x, prior, concentration):
    """One step of MAP (Murphy 2012, section 11.4.2.8): the mode of the expected posterior."""
    K, D = parameters.means.shape
    counts, means, scatter = moments(responsibilities(parameters, x), x)
    kappa, offsets = prior.kappa + counts, means - prior.mean
    shrunk = np.einsum("k,ki,kj->kij", prior.kappa * counts / kappa, offsets, offsets)
    gain = structure.pack(scatter + shrunk)
    scale = prior.scale + (gain.sum(0) if structure.is_shared else gain)
    nu = prior.nu + structure.nu_gain(counts, D)
    weights = counts + concentration - 1
    return Parameters(
        weights / weights.sum(),
        (prior.kappa * prior.mean + counts[:, None] * means) / kappa[:, None],
        structure.dense(structure.mode(nu, scale, K, D), K, D),
    )


def log_prior(structure, prior, parameters, concentration):
    """log density of (weights, means, covariances) under Dirichlet x normal-inverse-Wishart."""
    K = len(parameters.weights)
    of_weights = stats.dirichlet.logpdf(parameters.weights, np.full(K, concentration))
    return of_weights + log_component_prior(structure, prior, parameters)


def log_component_prior(structure, prior, parameters):
    of_means = sum(
        stats.multivariate_normal.logpdf(mean, prior.mean, matrix / prior.kappa)
        for mean, matrix in zip(parameters.means, parameters.matrices, strict=True)
    )
    return of_means + structure.log_covariance_prior(prior, parameters.matrices)


def log_complete_likelihood(parameters, x, labels):
    """log p(x | labels, parameters)."""
    return sum(
        stats.multivariate_normal.logpdf(row, parameters.means[k], parameters.matrices[k])
        for row, k in zip(x, labels, strict=True)
    )


def log_marginal(structure, prior, x, labels, K):
    """log p(x | labels), parameters integrated out: the product of sequential predictives."""
    means, kappas = [prior.mean] * K, [prior.kappa] * K
    shared = [(prior.nu, prior.scale)] * (1 if structure.is_shared else K)
    total = 0.0
    for row, k in zip(x, labels, strict=True):
        slot = 0 if structure.is_shared else k
        nu, scale = shared[slot]
        total += structure.predictive(row, means[k], kappas[k], nu, scale)
        offset = row - means[k]
        shared[slot] = structure.absorb(nu, scale, kappas[k], offset)
        means[k] = means[k] + offset / (kappas[k] + 1)
        kappas[k] = kappas[k] + 1
    return total


# Comparing ---------------------------------------------------------------------------------------


def assert_close(actual: Any, expected: Any, rtol=1e-10, atol=1e-10):
    np.testing.assert_allclose(np.asarray(actual), np.asarray(expected), rtol=rtol, atol=atol)


def assert_three_parts(message, *words):
    """What was expected, what came, what to do: two sentences at least, the last an advice."""
    assert message.startswith(("Expected", "EM needs")), message
    assert "got" in message, message
    assert len([part for part in re.split(r"(?<=\.) ", message) if part]) >= 2, message
    for word in words:
        assert word in message, message


def assert_mean(draws, expected, n_standard_errors=4):
    """The average of independent draws along axis 0 is ``expected`` within Monte Carlo error."""
    draws, expected = np.asarray(draws), np.asarray(expected)
    error = draws.std(0, ddof=1) / np.sqrt(len(draws))
    distance = np.abs(draws.mean(0) - expected)
    assert (distance <= n_standard_errors * error + 1e-12).all(), (distance, error)
