"""Predictive checks of two columns: the rows beside drawn ones, in regions of highest density.

A region of highest density that holds mass p is {x: f(x) >= c}, c the (1 - p)-quantile of f at rows
drawn from f (Hyndman 1996, The American Statistician 50, 120-126).
"""

from typing import Any

import jax
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ..diagnostics.predictive_checks import MOST_ROWS, directions_of, predictive_check
from ..diagnostics.replicates import key_of, rows_of_mixtures
from ..numerics.precision import in_float64
from ..posterior.condition import marginal
from ..posterior.density import flat_draws
from ..posterior.predictive import Predictive
from ..result import Fit
from .ppc_draws import GROUPS, MOST_POINTS, N_SAMPLE, axis_ends, positions_of
from .style import INK, bare, counted

REGIONS = {0.5: "-", 0.9: "--"}
N_GRID = 150


def pair_panels(fit: Fit, group: str, columns: Any, n_draws: int, ax: Axes | None) -> np.ndarray:
    """Draw the panels of kind "pairs", see ``ppc``."""
    if ax is not None:
        raise ValueError(
            'Expected ax=None with kind="pairs", which has two panels, got axes. Leave ax out.'
        )
    chosen = pair_to_draw(fit, group, columns)
    drawn = GROUPS[group](fit, n_draws)
    kept = fit.data.representative(MOST_POINTS)
    predictive = marginal(drawn.average, chosen)
    levels, inside = regions(predictive)
    ends = axis_ends(fit.data.values[:, chosen], inside)
    axes = two_panels([fit.model.names[j] for j in chosen], ends)
    draw_dots(
        axes[0], fit.data.values[kept][:, chosen], INK, title_of_data(len(kept), fit.data.n_rows)
    )
    draw_dots(
        axes[1],
        replicated_rows(drawn.draws, len(kept))[:, chosen],
        drawn.colour,
        f"drawn from the {drawn.source}",
    )
    draw_regions(axes, predictive, levels, ends)
    return axes


def pair_to_draw(fit: Fit, group: str, columns: Any) -> list[int]:
    """Return the positions of two columns."""
    names = list(fit.model.names)
    if len(names) == 1:
        raise ValueError(
            f'Expected two columns or more for kind="pairs", got a fit of {names} alone. Use '
            'kind="density".'
        )
    if columns is None:
        return worst_pair(fit) if group == "posterior" and len(names) > 2 else [0, 1]
    chosen = positions_of(fit.model, columns)
    if len(chosen) != 2:
        raise ValueError(
            f'Expected two columns for kind="pairs", got {len(chosen)}. Pass for instance '
            f"columns={names[:2]}."
        )
    return chosen


def worst_pair(fit: Fit) -> list[int]:
    """Return the two columns in which the predictive check finds the rows farthest from the fit."""
    rows = fit.data.scaled()[fit.data.representative(MOST_ROWS)]
    directions = directions_of(fit.data.names, rows)
    of_pairs = slice(fit.data.n_columns, None)
    worst = directions.names[of_pairs].index(str(predictive_check(fit).loc["pairs", "worst"]))
    return np.flatnonzero(directions.vectors[of_pairs][worst]).tolist()


@in_float64
def replicated_rows(drawn: Fit, n_rows: int) -> np.ndarray:
    """Draw rows (M, D) in the data's units from the middle one of all draws."""
    middle = slice(drawn.log_likelihood.size // 2, drawn.log_likelihood.size // 2 + 1)
    mixture = jax.tree.map(lambda leaf: np.asarray(leaf)[middle], flat_draws(drawn))
    random = np.random.default_rng(key_of(drawn))
    (rows,) = rows_of_mixtures(random, drawn.model.family, mixture, n_rows)
    return drawn.model.affine.inverse(rows)


def two_panels(names: list[str], ends: np.ndarray) -> np.ndarray:
    """Return the axes of a new figure, with the same limits and names."""
    _, axes = plt.subplots(1, 2, figsize=(8.4, 4.2), layout="constrained", sharex=True, sharey=True)
    axes[0].set(xlim=ends[0], ylim=ends[1], ylabel=names[1])
    for ax in axes:
        bare(ax).set_xlabel(names[0])
    return axes


def title_of_data(n_shown: int, n_rows: int) -> str:
    """Return the title of the rows, with their number if some are left out."""
    return "data" if n_shown == n_rows else f"data, {n_shown:,} of {counted(n_rows, 'row')}"


def draw_dots(ax: Axes, xy: np.ndarray, colour: str, title: str) -> None:
    """Draw rows (M, 2), smaller the more there are, and say how many are beyond the limits."""
    size = float(np.clip(4_000 / len(xy), 4, 16))
    ax.scatter(xy[:, 0], xy[:, 1], s=size, c=colour, alpha=0.55, linewidths=0, gid="rows", zorder=2)
    lower, upper = np.transpose([ax.get_xlim(), ax.get_ylim()])
    n_beyond = int(((xy < lower) | (xy > upper)).any(1).sum())
    beyond = f" ({counted(n_beyond, 'row')} outside)" if n_beyond else ""
    ax.set_title(title + beyond, fontsize="medium")


def draw_regions(
    axes: np.ndarray, predictive: Predictive, levels: np.ndarray, ends: np.ndarray
) -> None:
    """Draw the regions of highest density in both panels, and name them once."""
    across, up = np.linspace(ends[:, 0], ends[:, 1], N_GRID).T
    heights = predictive.log_density(np.stack(np.meshgrid(across, up), -1))
    for ax in axes:
        for level, style in zip(levels, REGIONS.values(), strict=True):
            ax.contour(
                across, up, heights, [level], colors=INK, linestyles=style, linewidths=1.1, zorder=3
            )
    handles = [
        Line2D([], [], color=INK, lw=1.1, ls=style, label=f"holds {mass:.0%} of new rows")
        for mass, style in REGIONS.items()
    ]
    axes[0].figure.legend(
        handles=handles, frameon=False, fontsize="small", ncols=2, loc="outside lower center"
    )


def regions(predictive: Predictive) -> tuple[np.ndarray, np.ndarray]:
    """Return the log densities at the edges of the regions, and drawn rows inside the largest."""
    rows = predictive.sample(N_SAMPLE, seed=0)
    heights = predictive.log_density(rows)
    levels = np.quantile(heights, 1 - np.array(list(REGIONS)))
    return levels, rows[heights >= levels.min()]
