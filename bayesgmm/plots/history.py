"""How EM climbed: the log-likelihood after each update, its estimated limit, and the other restarts."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ..result import Fit
from .style import GREY, INK, axes_or_new, bare, colour, counted

# Updates are marked one by one where there are fewer.
FEW = 40
# A first update that gains so many times what all later ones gain is left out of sight.
FAR = 5


def history(fit: Fit, *, ax: Axes | None = None) -> Axes:
    """Draw the log-likelihood after each update of EM.

    The dashed line is Aitken's estimate of the maximum that further updates would reach; ticks at the right
    are where the other restarts ended.

    Args:
        fit: a point fit.
        ax: axes to draw on; a new figure by default.

    Returns:
        The axes.

    Raises:
        ValueError: draws, which have a ``trace``.

    Reference:
        McLachlan & Krishnan (2008), The EM Algorithm and Extensions, section 4.9.
    """
    if not fit.is_point:
        raise ValueError(
            "Expected a point fit, got draws, which do not climb. Use bg.plots.trace(fit)."
        )
    ax = bare(axes_or_new(ax, (6.0, 3.6)))
    values = np.atleast_1d(fit.history.get("log_likelihood", fit.log_likelihood))
    few = len(values) < FEW
    ax.plot(
        np.arange(len(values)), values, color=colour(0), lw=1.4, marker="o" if few else "", ms=3.5
    )
    leave_out_start(ax, values)
    draw_limit(ax, fit, values[-1])
    draw_restarts(ax, fit)
    ax.set(xlabel="updates", ylabel="log-likelihood")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_title(fit.status.message, fontsize="small", color=INK, loc="left", wrap=True)
    return ax


def leave_out_start(ax: Axes, values: np.ndarray) -> None:
    """Let the axis begin after the first update if that gained far more than all later ones."""
    if len(values) < 3 or values[1] - values[0] <= FAR * (values[-1] - values[1]):
        return
    margin = 0.05 * (values[-1] - values[1])
    ax.set_ylim(values[1] - margin, values[-1] + 2 * margin)
    text = f"starts at {values[0]:,.6g}"
    ax.text(0, 0.02, text, transform=ax.transAxes, fontsize="small", color=GREY, va="bottom")


def draw_limit(ax: Axes, fit: Fit, last: float) -> None:
    """Draw the estimated maximum, where there is an estimate."""
    gain = float(fit.history.get("remaining_gain", np.inf))
    if np.isfinite(gain):
        text = f"estimated maximum: {gain:.2g} more"
        ax.axhline(last + gain, color=GREY, lw=1, ls="--", zorder=0, label=text)
        ax.legend(frameon=False, fontsize="small", loc="lower right")


def draw_restarts(ax: Axes, fit: Fit) -> None:
    """Mark where the restarts ended at the right edge, if there are several."""
    ends = np.atleast_1d(fit.history.get("restart_log_likelihood", np.empty(0)))
    if len(ends) < 2:
        return
    shown = ends[ends >= ax.get_ylim()[0]]
    ax.plot(
        np.ones(len(shown)),
        shown,
        "_",
        color=colour(1),
        ms=11,
        mew=1.3,
        transform=ax.get_yaxis_transform(),
        clip_on=False,
        zorder=4,
        label=f"ends of {counted(len(ends), 'restart')}",
    )
    ax.legend(frameon=False, fontsize="small", loc="lower right")
