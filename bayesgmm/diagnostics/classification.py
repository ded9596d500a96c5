"""How surely rows belong to components: classification entropy and overlap, without labels.

Of a draw, with p_nk the probability that row n belongs to component k,

    entropy = mean_n [- sum_k p_nk log2 p_nk],   overlap = mean_n [1 - max_k p_nk],

the bits of doubt per row (Celeux & Soromenho 1996, Journal of Classification 13, 195-212) and the share of
rows that even the best rule would misclassify. Neither depends on how components are numbered.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import entr

from ..model.families.base import Family
from ..model.mixture import Mixture
from ..posterior.density import flat_draws, log_responsibilities_at, over_rows
from ..posterior.partition import evenly
from ..result import Fit

MOST_DRAWS = 200
MOST_ROWS = 1_000


def entropy_and_overlap(fit: Fit) -> np.ndarray:
    """Return both, averaged over up to 200 draws and 1,000 of the fitted rows, (2,)."""
    rows = fit.data.scaled()[fit.data.representative(MOST_ROWS)]
    draws = evenly(fit.log_likelihood.size, MOST_DRAWS)
    mixtures = jax.tree.map(lambda leaf: np.asarray(leaf)[draws], flat_draws(fit))
    width = 8 * fit.model.n_components * (rows.shape[1] + 2)
    blocks = over_rows(doubt, fit.model.family, mixtures, rows, width)
    return np.concatenate(list(blocks), axis=1).mean(1)


@partial(jax.jit, static_argnums=0)
def doubt(family: Family, mixtures: Mixture, columns: Array) -> Array:
    """Return entropy and overlap of columns (D, n), averaged over draws, (2, n)."""

    def one(mixture: Mixture) -> Array:
        p = jnp.exp(log_responsibilities_at(family, mixture, columns))
        return jnp.stack([entr(p).sum(0) / jnp.log(2.0), 1 - p.max(0)])

    return jax.lax.map(one, mixtures).mean(0)
