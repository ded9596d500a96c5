r"""A predictive check of all columns at once: distances of rows to their components.

For x drawn from a mixture and its component z drawn given x, (x - mu_z)^T Sigma_z^-1 (x - mu_z) is
chi-square with D degrees of freedom, whatever the mixture. So the i-th smallest of M such distances,
u_(i) ~ Beta(i, M + 1 - i) on the scale of probability, has quantiles in closed form: the band is what
rows drawn from the draws would show, without drawing them.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from matplotlib.axes import Axes
from scipy.stats import beta, chi

from ..diagnostics.predictive_checks import squared_distances
from ..diagnostics.replicates import key_of
from ..model.families.base import Family
from ..model.mixture import Mixture
from ..numerics.precision import in_float64
from ..posterior.density import flat_draws
from ..result import Fit
from .ppc_draws import MOST_POINTS, PROB, from_posterior
from .style import GREY, INK, axes_or_new, bare


def distance_panel(fit: Fit, group: str, columns: Any, n_draws: int, ax: Axes | None) -> Axes:
    """Draw the panel of kind "distances", see ``ppc``."""
    require_posterior_of_all_columns(group, columns)
    rows = complete(fit.data.scaled()[fit.data.representative(MOST_POINTS)])
    drawn = from_posterior(fit, n_draws)
    found = ordered_distances(drawn.draws, rows, n_draws).mean(0)
    lower, median, upper = expected_distances(*rows.shape)
    ax = bare(axes_or_new(ax, (5.0, 4.6)))
    ax.fill_between(
        median, lower, upper, color=drawn.colour, alpha=0.22, lw=0, label=f"{PROB:.0%} band"
    )
    ax.plot(median[[0, -1]], median[[0, -1]], color=GREY, lw=1, label="as expected")
    ax.plot(median, found, ".", color=INK, ms=dot_size(len(rows)), mew=0, label="data")
    ax.set_xlabel("expected distance from its component")
    ax.set_ylabel("distance of a row from its component")
    ax.legend(frameon=False, fontsize="small", loc="upper left")
    return ax


def complete(rows: np.ndarray) -> np.ndarray:
    """Return the rows (M, D) without missing cells, which alone have a distance in all columns."""
    kept = rows[~np.isnan(rows).any(1)]
    if not len(kept):
        raise ValueError(
            'Expected rows without missing cells for kind="distances", got none. Use kind="density".'
        )
    return kept


def require_posterior_of_all_columns(group: str, columns: Any) -> None:
    """Refuse what distances are not defined for, or say nothing in."""
    if group == "prior":
        raise ValueError(
            'Expected group="posterior" with kind="distances", got "prior": mixtures drawn before '
            "the rows are seen have no component near them, and their distances tell only how wide "
            'the prior is. Use kind="density".'
        )
    if columns is not None:
        raise ValueError(
            f'Expected columns=None with kind="distances", which are in all columns, got {columns!r}. '
            "Leave columns out."
        )


@in_float64
def ordered_distances(fit: Fit, rows: np.ndarray, n_draws: int) -> np.ndarray:
    """Return the sorted distances of rows (M, D) in engine units in each draw, (S, M).

    A point fit counts as ``n_draws`` equal draws: components are drawn anew in each.
    """
    draws = flat_draws(fit)
    repeated = n_draws if fit.is_point else len(draws.log_weights)
    keys = jax.random.split(jax.random.key(key_of(fit)[-1]), repeated)
    found = np.empty((repeated, len(rows)))
    for s, key in enumerate(keys):
        mixture = jax.tree.map(lambda leaf, s=s: leaf[s % len(leaf)], draws)
        found[s] = sorted_distances(fit.model.family, mixture, key, rows)
    return found


@partial(jax.jit, static_argnums=0)
def sorted_distances(family: Family, mixture: Mixture, key: Array, rows: Array) -> Array:
    """Return the sorted distances of rows to components drawn given them, (M,)."""
    return jnp.sort(jnp.sqrt(squared_distances(family, mixture, key, rows)))


def expected_distances(n_rows: int, n_columns: int) -> np.ndarray:
    """Return lower end of the band, median and upper end for each rank, (3, M)."""
    ranks = np.arange(1, n_rows + 1)
    levels = np.array([(1 - PROB) / 2, 0.5, (1 + PROB) / 2])[:, None]
    return chi.ppf(beta.ppf(levels, ranks, n_rows + 1 - ranks), n_columns)


def dot_size(n_rows: int) -> float:
    """Return the size of a dot in points, smaller the more there are."""
    return float(np.clip(150 / np.sqrt(n_rows), 3, 7))
