"""Predictive checks of single columns: histograms with the predictive density and its band."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from ..posterior.condition import marginal as predictive_of
from ..result import Fit
from .clusters import FACE, histogram_bins
from .marginal import densities, marginal
from .ppc_draws import GROUPS, N_SAMPLE, PROB, Drawn, axis_ends, positions_of
from .style import GREY, INK, axes_or_new, bare
from .view import column_view

MOST_PANELS = 6
PANEL = (3.2, 2.5)  # inches
N_GRID = 400
# Bins are at least this part of the axis, of which the rows may fill little.
MOST_BINS = 100
# Beyond this number of rows across the axis their ticks blur.
MOST_TICKS = 200


def density_panels(
    fit: Fit, group: str, columns: Any, n_draws: int, ax: Axes | None
) -> Axes | np.ndarray:
    """Draw the panels of kind "density", see ``ppc``."""
    chosen = columns_to_draw(fit, columns)
    if ax is not None and len(chosen) > 1:
        raise ValueError(
            f"Expected one column with ax, got {len(chosen)}. Leave ax out, or pass for instance "
            f"columns=[{fit.model.names[chosen[0]]!r}]."
        )
    drawn = GROUPS[group](fit, n_draws)
    axes = single_panel(ax) if len(chosen) == 1 else grid_of_panels(len(chosen))
    for one, column in zip(axes, chosen, strict=True):
        values, weights = fit.data.column(column)
        ends = axis_ends(values[:, None], central_rows(drawn.average, column))[0]
        draw_rows(one, values, weights, ends)
        draw_predictive(one, drawn, column, ends)
        one.set(xlabel=fit.model.names[column], xlim=ends)
    draw_legend(axes)
    return axes[0] if len(axes) == 1 else np.array(axes)


def columns_to_draw(fit: Fit, columns: Any) -> list[int]:
    """Return the positions of the columns, the first six by default."""
    if columns is None:
        return list(range(min(fit.model.n_columns, MOST_PANELS)))
    chosen = positions_of(fit.model, columns)
    if not chosen:
        raise ValueError(
            f"Expected at least one column, got none. Name some of {list(fit.model.names)}."
        )
    return chosen


def grid_of_panels(n_panels: int) -> list[Axes]:
    """Return the axes of a new figure, two or three side by side."""
    n_across = 2 if n_panels in (2, 4) else 3
    shape = (-(-n_panels // n_across), n_across)
    size = (PANEL[0] * shape[1], PANEL[1] * shape[0] + 0.3)
    figure, axes = plt.subplots(*shape, figsize=size, layout="constrained", squeeze=False)
    for unused in axes.flat[n_panels:]:
        figure.delaxes(unused)
    for one in axes.flat[:n_panels]:
        bare(one).locator_params(nbins=5)
    for one in axes[:, 0]:
        one.set_ylabel("density")
    return list(axes.flat[:n_panels])


def single_panel(ax: Axes | None) -> list[Axes]:
    """Return the given axes, or those of a new figure."""
    one = bare(axes_or_new(ax))
    one.set_ylabel("density")
    return [one]


def central_rows(average: Fit, column: int) -> np.ndarray:
    """Return the ends of the central 90 % of predicted rows of a column, (2, 1)."""
    predicted = predictive_of(average, [column]).sample(N_SAMPLE, seed=0)
    return np.quantile(predicted, [(1 - PROB) / 2, (1 + PROB) / 2], axis=0)


def draw_rows(ax: Axes, values: np.ndarray, weights: np.ndarray | None, ends: np.ndarray) -> None:
    """Draw the histogram of a column and, of few rows, a tick for each at its foot."""
    ax.hist(
        values,
        bins=bins_of(values, np.ptp(ends) / MOST_BINS).tolist(),
        weights=weights,
        density=True,
        histtype="stepfilled",
        fc=FACE,
        ec=GREY,
        lw=0.6,
        label="data",
    )
    if len(values) <= MOST_TICKS * np.ptp(values) / np.ptp(ends):
        feet = np.full(len(values), 0.02)
        ax.plot(values, feet, "|", color=INK, ms=7, mew=0.6, transform=ax.get_xaxis_transform())


def bins_of(values: np.ndarray, narrowest: float) -> np.ndarray:
    """Return edges of bins that hold equally many steps of rounded values, so that heights compare."""
    low, high = values.min(), values.max()
    if low == high:
        return low + narrowest * np.array([-0.5, 0.5])
    width = max(narrowest, np.ptp(histogram_bins(values)[:2]))
    step = np.diff(np.unique(values)).min()
    width = step * max(1, round(width / step))
    start = low - step / 2
    return start + width * np.arange(np.floor((high - start) / width) + 2)


def draw_predictive(ax: Axes, drawn: Drawn, column: int, ends: np.ndarray) -> None:
    """Draw the average density and, of more than one draw, its band over draws."""
    grid = np.linspace(ends[0], ends[1], N_GRID)
    ax.plot(
        grid,
        curves_of(drawn.average, column, grid).mean(0),
        color=drawn.colour,
        lw=1.6,
        label=drawn.name,
    )
    if drawn.draws.log_likelihood.size > 1:
        curves = curves_of(drawn.draws, column, grid)
        low, high = np.quantile(curves, [(1 - PROB) / 2, (1 + PROB) / 2], axis=0)
        ax.fill_between(
            grid, low, high, color=drawn.colour, alpha=0.22, lw=0, label=f"{PROB:.0%} band"
        )


def curves_of(draws: Fit, column: int, grid: np.ndarray) -> np.ndarray:
    """Return the density of a column in each draw, per unit of the column, (S, G)."""
    every = np.arange(draws.log_likelihood.size)
    return densities(marginal(draws, every, column_view(draws, [column])), grid)


def draw_legend(axes: list[Axes]) -> None:
    """Name what is drawn: once, on the only axes or above all of them."""
    handles, names = axes[0].get_legend_handles_labels()
    if len(axes) == 1:
        axes[0].legend(handles, names, frameon=False, fontsize="small")
    else:
        axes[0].figure.legend(
            handles, names, frameon=False, fontsize="small", ncols=3, loc="outside upper center"
        )
