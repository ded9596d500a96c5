"""Whether the draws of a run will fit into memory, known before any work."""

from functools import partial
from typing import Any

import jax

from ..model.resolved import Model

GIB = 2.0**30
# The draws of all slices, and these laid end to end.
COPIES = 2


def draw_bytes(model: Model, n_chains: int) -> int:
    """Return the size of one draw of all chains, in bytes."""
    draw: Any = partial(model.prior.draw, shape=(n_chains, model.n_components))
    means, covariance = jax.eval_shape(draw, jax.random.key(0))
    return sum(8 * leaf.size for leaf in (*jax.tree.leaves(covariance), means))


def require_memory(
    model: Model, n_chains: int, n_draws: int, n_buffered: int, n_kept_rows: int, limit: float
) -> None:
    """Raise if the draws, and densities of rows beside them, would take more than ``limit`` GiB.

    Args:
        model: the resolved model.
        n_chains: chains.
        n_draws: draws kept per chain.
        n_buffered: draws in the program's own buffer.
        n_kept_rows: rows of which the program keeps the densities under all components.
        limit: GiB.

    Raises:
        ValueError: they would not fit; the message says what would.
    """
    each = draw_bytes(model, n_chains) / GIB
    beside = 8 * n_chains * model.n_components * n_kept_rows / GIB
    needed = each * (COPIES * n_draws + n_buffered) + beside
    if needed <= limit:
        return
    most_draws = int(((limit - beside) / each - n_buffered) / COPIES)
    fewer = f"n_draws to {most_draws}" if most_draws > 0 else "n_draws"
    most = max(1, int(model.n_components * limit / needed))
    name = "max_components" if model.spec.is_auto else "n_components"
    raise ValueError(
        f"Expected draws that fit into memory={limit:g} GiB, got {needed:.1f} GiB for {n_chains} chains of "
        f"{n_draws} draws of {model.n_components} components in {model.n_columns} columns. Lower {fewer} or "
        f"{name} to {most}, or raise memory."
    )
