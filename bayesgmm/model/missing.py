r"""Rows with missing cells: the mixture as their observed cells see it, and the E-step.

Rows are taken by pattern. With o the observed columns of a pattern, a row has density
sum_k w_k N(x_o | mu_ko, Sigma_koo). It is that of a full mixture in all columns whose missing ones are
standard normal by themselves, at rows whose missing cells are zero, times (2 pi)^(m/2) for m of them: so
every density and responsibility of the package serves rows with missing cells as it is.

Given component k the whole row has mean and covariance

    mu_k + B_k (x_o - mu_ko),   B_k = Sigma_k[:, o] Sigma_koo^-1
    C_k = Sigma_k - B_k Sigma_k[o, :]

so that the expected moments of the E-step follow from those of the observed cells by one transform for
each pattern and component (Ghahramani & Jordan 1994, Advances in Neural Information Processing Systems
6, 120-127; Little & Rubin 2019, Statistical Analysis with Missing Data, section 11.2).
"""

import jax
import jax.numpy as jnp
from jax import Array

from ..numerics.linalg import cholesky, matvec, outer, whitening
from ..numerics.rows import Rows
from .families import FAMILIES
from .families.base import Family, centre, log_constant
from .lanes import Lanes
from .mixture import Full, Mixture, Statistics
from .responsibilities import clamped, normalise

FULL = FAMILIES["full"]


def visible(family: Family, mixture: Mixture, observed: Array) -> Mixture:
    """Return the full mixture that rows with these cells observed (D,) see, (..., K, ...).

    Its log weights hold the factor (2 pi)^(m/2) as well and do not sum to one.
    """
    size = observed.shape[-1]
    both = observed[:, None] & observed
    matrices = jnp.where(both, family.matrices(mixture), jnp.eye(size))
    constant = (size - observed.sum()) / 2 * jnp.log(2 * jnp.pi)
    means = jnp.where(observed, mixture.means, 0.0)
    return Mixture(mixture.log_weights + constant, means, Full(cholesky(matrices)))


def observed_pass(
    family: Family, mixture: Mixture, rows: Rows, lanes: Lanes | None = None
) -> tuple[Array, Statistics]:
    """Return the log-likelihood (B,) and expected statistics (B, K, ...) of rows with missing cells."""
    matrices = family.matrices(mixture)

    def chunk(carry: tuple[Array, ...], rows: Rows) -> tuple[tuple[Array, ...], None]:
        assert rows.observed is not None
        seen = visible(family, mixture, rows.observed)
        residuals = FULL.residuals(seen, rows.values)
        log_joint = log_constant(FULL, seen)[..., None] - (residuals**2).sum(-2) / 2
        log_joint = clamped(log_joint, rows.labels, lanes)
        log_density, weights = normalise(log_joint, rows.weights, lanes)
        moments = (
            weights.sum(-1),
            jnp.einsum("bkn,bkdn->bkd", weights, residuals),
            FULL.second_moment(weights, residuals),
        )
        new = (log_density, *completed(matrices, seen, rows.observed, moments))
        return jax.tree.map(jnp.add, carry, new), None

    shape, dtype = mixture.means.shape, mixture.means.dtype
    n_totals = shape[0] if lanes is None else len(lanes.sizes) + 1
    start = [jnp.zeros(size, dtype) for size in (n_totals, shape[:2], shape, (*shape, shape[-1]))]
    (total, counts, first, second), _ = jax.lax.scan(chunk, tuple(start), rows)
    moments = centre(counts, first, second, mixture.means, outer)
    return total, moments._replace(scatter=family.scatter_from_matrices(moments.scatter))


def completed(
    matrices: Array, seen: Mixture, observed: Array, moments: tuple[Array, Array, Array]
) -> tuple[Array, Array, Array]:
    """Turn whitened moments of observed cells about the means into expected ones of whole rows.

    Args:
        matrices: covariances, (B, K, D, D).
        seen: ``visible`` mixture.
        observed: (D,).
        moments: counts (B, K), first (B, K, D) and second (B, K, D, D) whitened moments.

    Returns:
        Counts, and first and second moments about the means in engine units.
    """
    counts, first, second = moments
    # B_k coloured: Sigma_k[:, o] L^-T with L the factor of Sigma_koo.
    transform = jnp.where(observed, matrices, 0.0) @ jnp.swapaxes(
        whitening(seen.covariance.chol), -1, -2
    )
    missing = ~observed[:, None] & ~observed
    left = jnp.where(missing, matrices - transform @ jnp.swapaxes(transform, -1, -2), 0.0)
    spread = transform @ second @ jnp.swapaxes(transform, -1, -2)
    return counts, matvec(transform, first), spread + counts[..., None, None] * left


def log_joint_of_chunk(family: Family, mixture: Mixture, rows: Rows) -> Array:
    """Return log w_k + log N(x | k) of one chunk of rows, observed cells only, (B, K, n)."""
    seen = mixture if rows.observed is None else visible(family, mixture, rows.observed)
    kind = family if rows.observed is None else FULL
    residuals = kind.residuals(seen, rows.values)
    return log_constant(kind, seen)[..., None] - (residuals**2).sum(-2) / 2
