"""Quadrature over a concentration: one node for a number, a fine rule for a hyperprior.

A hyperprior is integrated on the scale u = log alpha, where densities of positive numbers fall off
exponentially to both sides: the window that holds the mass is found by zooming in on where the
density is high, and covered with panels of Gauss and Legendre's eight points.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .weights import is_random

LOG_LIMIT = 690.0  # exp(690) is near the largest float
LOG_DEPTH = 45.0
GRID_SIZE = 4096
N_ZOOMS = 6
N_PANELS = 64
PANEL_WIDTH = 0.25
N_REFINEMENTS = 4
MASS_TOLERANCE = 1e-6


class Quadrature(NamedTuple):
    """Nodes (A,) and logarithms of weights (A,), which sum to one."""

    concentrations: np.ndarray
    log_weights: np.ndarray


def quadrature(concentration: Any) -> Quadrature:
    """Return a rule that integrates over a resolved concentration.

    Raises:
        ValueError: the hyperprior's mass could not be integrated to one.
    """
    if not is_random(concentration):
        return Quadrature(np.array([concentration], float), np.zeros(1))

    def log_density(u: np.ndarray) -> np.ndarray:
        # At the ends of the scale densities overflow, on the way to a zero.
        with np.errstate(all="ignore"):
            found = np.asarray(concentration.log_prob(np.exp(u)), float) + u
        return np.where(np.isnan(found), -np.inf, found)

    low, high = window(log_density, *log_support(concentration))
    rule = refined(log_density, low, high)
    mass = np.exp(rule.log_weights).sum()
    if abs(mass - 1) > MASS_TOLERANCE:
        raise ValueError(
            f"Expected a hyperprior whose density integrates to 1 over (1e-300, 1e300), got "
            f"{type(concentration).__name__} with mass {mass:.7g}. Use for instance "
            "numpyro.distributions.Gamma(1, 20), or a number."
        )
    return Quadrature(np.exp(rule.concentrations), rule.log_weights - np.log(mass))


def log_support(concentration: Any) -> tuple[float, float]:
    """Return the interval of log alpha on which the hyperprior lives."""
    lower = np.asarray(getattr(concentration.support, "lower_bound", 0.0), float)
    upper = np.asarray(getattr(concentration.support, "upper_bound", np.inf), float)
    with np.errstate(divide="ignore"):
        low, high = np.log(lower), np.log(upper)
    return float(np.clip(low, -LOG_LIMIT, LOG_LIMIT)), float(np.clip(high, -LOG_LIMIT, LOG_LIMIT))


def window(log_density: Callable, low: float, high: float) -> tuple[float, float]:
    """Return the part of an interval outside of which the density is negligible."""
    for _ in range(N_ZOOMS):
        step = (high - low) / GRID_SIZE
        grid = low + step * (np.arange(GRID_SIZE) + 0.5)
        heights = log_density(grid)
        kept = grid[heights >= heights.max() - LOG_DEPTH]
        low, high = max(low, kept[0] - step), min(high, kept[-1] + step)
    return low, high


def refined(log_density: Callable, low: float, high: float) -> Quadrature:
    """Return a rule in log alpha, its panels halved until the mass is one or it is of no use."""
    n_panels = max(N_PANELS, int(np.ceil((high - low) / PANEL_WIDTH)))
    for refinement in range(N_REFINEMENTS):
        rule = panels(log_density, low, high, n_panels * 2**refinement)
        if abs(np.exp(rule.log_weights).sum() - 1) < MASS_TOLERANCE / 100:
            break
    return rule


def panels(log_density: Callable, low: float, high: float, n_panels: int) -> Quadrature:
    """Return Gauss and Legendre's rule on equal panels, weights times the density."""
    points, weights = np.polynomial.legendre.leggauss(8)
    half = (high - low) / n_panels / 2
    middles = low + half * (2 * np.arange(n_panels) + 1)
    nodes = (middles[:, None] + half * points).ravel()
    log_weights = np.log(np.tile(half * weights, n_panels))
    return Quadrature(nodes, log_weights + log_density(nodes))
