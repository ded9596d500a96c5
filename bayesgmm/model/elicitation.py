r"""Choosing a concentration by the number of clusters it leads to.

Let f(alpha) = p(low <= K+ <= high | N, alpha) under the exact prior of K+ (``cluster_prior``). More
concentration, more clusters: f rises to one maximum and falls again. The concentrations with
f >= prob are then an interval, open below if one cluster is inside [low, high], and above if the
greatest possible number is:

* with one end, the answer is this end, where f = prob;
* with two ends, it is between them where p(K+ < low) = p(K+ > high), or the end nearest to that;
* with none, every concentration will do and the statement says nothing; if f stays below prob, no
  concentration will do. Both are refused.

A family with one free number cannot give both tails; compare Greve, Grün, Malsiner-Walli &
Frühwirth-Schnatter (2022), Australian & New Zealand Journal of Statistics 64, 205-229.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.special import logsumexp

from ..numerics.precision import in_float64
from .cluster_prior import check_n_rows, check_size, is_whole, log_clusters_given

# log alpha, wide enough for every family to be at its limits.
GRID = np.linspace(-25.0, 25.0, 401)


class Masses(NamedTuple):
    """Prior probabilities of K+ below, inside and above an interval, each (...)."""

    below: np.ndarray
    inside: np.ndarray
    above: np.ndarray


class Statement(NamedTuple):
    """What is to hold: low <= K+ <= high with this probability."""

    low: int
    high: int
    prob: float


@in_float64
def with_expected_clusters[W: Any](
    weights: W, low: int, high: int, *, prob: float, n_rows: int, size: int | None
) -> W:
    """Return a weight prior with the concentration that makes a statement about K+ true.

    Args:
        weights: the prior, its concentration without meaning.
        low: least number of clusters that is expected.
        high: greatest number of clusters that is expected.
        prob: prior probability of low <= K+ <= high.
        n_rows: number of rows, N.
        size: number of components or bound on it; None is the bound of ``MixtureSpec``.

    Returns:
        The prior with a fixed concentration.

    Raises:
        ValueError: settings outside their domain; no concentration gives the interval ``prob``, or
            every one does.
    """
    size = check_size(size)
    n_rows = check_n_rows(n_rows)
    statement = check_statement(low, high, prob, min(size, n_rows))
    log_law = log_clusters_given(weights.resolve(), n_rows, size)

    def masses(log_alpha: Any) -> Masses:
        return split(log_law(np.exp(np.atleast_1d(log_alpha))), low, high)

    log_alpha = balanced(masses, statement, f"{type(weights).__name__} with {n_rows} rows")
    return replace(weights, concentration=math.exp(log_alpha))


def check_statement(low: Any, high: Any, prob: Any, most: int) -> Statement:
    """Return a checked statement about at most so many clusters.

    Raises:
        ValueError: not 1 <= low <= high <= most, or not 0 < prob < 1.
    """
    if not (is_whole(low) and is_whole(high) and 1 <= low <= high <= most):
        raise ValueError(
            f"Expected whole numbers 1 <= low <= high <= {most}, the smaller of the numbers of components "
            f"and of rows, got low={low!r} and high={high!r}. Move the interval, or raise that bound."
        )
    if np.ndim(prob) or np.asarray(prob).dtype.kind not in "iuf" or not 0 < prob < 1:
        raise ValueError(
            f"Expected prob to be a number between 0 and 1, got {prob!r}. Pass for instance prob=0.9."
        )
    return Statement(int(low), int(high), float(prob))


def split(log_law: np.ndarray, low: int, high: int) -> Masses:
    """Return the masses of log p(K+ = 1, 2, ...), up to a constant, (..., most)."""
    law = np.exp(log_law - logsumexp(log_law, axis=-1, keepdims=True))
    parts = law[..., : low - 1], law[..., low - 1 : high], law[..., high:]
    return Masses(*(part.sum(-1) for part in parts))


def balanced(masses: Callable[[Any], Masses], statement: Statement, owner: str) -> float:
    """Return log alpha by the rule of the module's head.

    Raises:
        ValueError: no concentration reaches the probability, or every one does.
    """

    def excess(log_alpha: float) -> float:
        return masses(log_alpha).inside.item() - statement.prob

    def imbalance(log_alpha: float) -> float:
        found = masses(log_alpha)
        return found.below.item() - found.above.item()

    on_grid = masses(GRID).inside
    best = highest(excess, int(on_grid.argmax()))
    if excess(best) < 0:
        raise unreachable(statement, excess(best) + statement.prob, owner)
    ends = ends_around(best, excess, GRID[on_grid < statement.prob])
    if not ends:
        raise vacuous(statement, owner)
    low, high = ends[0], ends[-1]
    if imbalance(low) <= 0 or low == high:
        return low
    return high if imbalance(high) >= 0 else float(brentq(imbalance, low, high, xtol=1e-10))


def highest(excess: Callable[[float], float], index: int) -> float:
    """Return where a function is highest, known to be near ``GRID[index]``."""
    bounds = GRID[max(index - 1, 0)], GRID[min(index + 1, len(GRID) - 1)]
    found = minimize_scalar(
        lambda u: -excess(u), bounds=bounds, method="bounded", options={"xatol": 1e-8}
    )
    return max((float(found.x), float(GRID[index])), key=excess)


def ends_around(best: float, excess: Callable[[float], float], short: np.ndarray) -> list[float]:
    """Return where the probability is just reached, between the best and those that fall short."""
    nearest = (*short[short < best][-1:], *short[short > best][:1])
    return [float(brentq(excess, best, outside, xtol=1e-10)) for outside in nearest]


def unreachable(statement: Statement, best: float, owner: str) -> ValueError:
    """Say how much probability the interval can have."""
    low, high, prob = statement
    reachable = math.floor(best * 1e4) / 1e4
    return ValueError(
        f"Expected prob <= {reachable:g}, the most that {owner} can give to {low} <= K+ <= {high} by its "
        f"concentration, got {prob:g}. Lower prob, widen the interval, or state a prior of the number of "
        "components with bg.MixtureOfFiniteMixtures(n_components_minus_one=...)."
    )


def vacuous(statement: Statement, owner: str) -> ValueError:
    """Say that the statement does not single out a concentration."""
    low, high, prob = statement
    return ValueError(
        f"Expected a statement that depends on the concentration, got {low} <= K+ <= {high} with prob="
        f"{prob:g}, which {owner} fulfils with any. Narrow the interval, raise prob, or give a concentration."
    )
