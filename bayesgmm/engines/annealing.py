r"""Deterministic annealing: EM updates whose responsibilities are tempered, before EM itself.

With an inverse temperature beta the E-step is

    r_nk  proportional to  ( w_k N(x_n | mu_k, Sigma_k) )^beta

(Ueda & Nakano 1998, Neural Networks 11, 271-282). It is the E-step of another mixture, with covariances
Sigma_k / beta and weights proportional to w_k^beta |Sigma_k|^((1 - beta) / 2), so the pass over the rows
stays as it is.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from ..model.families.base import Family, log_constant
from ..model.kernel import expectation
from ..model.mixture import Mixture
from ..numerics.rows import Rows
from .climb import Objective, choose, maximisation

BETAS = np.linspace(0.7, 1.0, 40)


@partial(jax.jit, static_argnums=0)
def annealed(
    family: Family, objective: Objective, mixture: Mixture, rows: Rows, betas: ArrayLike
) -> Mixture:
    """Return B mixtures after one tempered update for each of the inverse temperatures.

    A mixture whose update would be singular keeps its parameters.

    Args:
        family: the covariance family.
        objective: what the M-step maximises.
        mixture: (B, K, ...).
        rows: the rows.
        betas: inverse temperatures in turn, > 0, (T,).
    """

    def update(mixture: Mixture, beta: Array) -> tuple[Mixture, None]:
        statistics = expectation(family, tempered(family, mixture, beta), rows).statistics
        new = maximisation(family, objective, statistics, mixture)
        singular = family.is_singular(new) | ~jnp.isfinite(new.means).all(-1)
        return choose(~singular.any(-1), new, mixture), None

    return jax.lax.scan(update, mixture, jnp.asarray(betas))[0]


def tempered(family: Family, mixture: Mixture, beta: Array) -> Mixture:
    """Return the mixture (..., K, ...) whose responsibilities are the tempered ones.

    Its weights do not sum to one.
    """
    covariance = family.scale_by(mixture.covariance, beta**-0.5)
    wide = Mixture(jnp.zeros_like(mixture.log_weights), mixture.means, covariance)
    log_weights = beta * log_constant(family, mixture) - log_constant(family, wide)
    return wide._replace(log_weights=log_weights)
