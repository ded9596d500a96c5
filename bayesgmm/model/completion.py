r"""Labels and missing cells of rows, drawn from their posterior given one mixture.

A row's label is drawn from the density of its observed cells, so that its missing cells never hold it
back, and these then from their law given label and observed cells. With P_k the precision matrix of the
component, o observed and m missing,

    x_m | x_o, k  ~  N(mu_km - P_kmm^-1 P_kmo (x_o - mu_ko),  P_kmm^-1)

(van Dyk & Meng 2001, Journal of Computational and Graphical Statistics 10, 1-50; Rue & Held 2005,
Gaussian Markov Random Fields, theorem 2.5).
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from ..numerics.linalg import cholesky, whitening
from ..numerics.rows import Rows
from .allocation import (
    Allocation,
    barrier,
    label_type,
    labelled_statistics,
    one_hot,
    pick,
    row_uniforms,
    summed_statistics,
)
from .families.base import Family
from .kernel import is_tight
from .missing import log_joint_of_chunk
from .mixture import Mixture
from .responsibilities import clamped


def whole_rows(rows: Rows, values: Array | None) -> Rows:
    """Return rows with values in their missing cells; None where no cell is missing."""
    return rows if values is None else rows._replace(values=values, observed=None)


def allocate_and_complete(keys: Array, family: Family, mixture: Mixture, rows: Rows) -> Allocation:
    """Draw labels and missing cells under one mixture, (1, K, ...).

    Args:
        keys: its key, (1,).
        family: the covariance family.
        mixture: the mixture.
        rows: rows with missing cells.
    """
    kind = label_type(mixture.log_weights.shape[-1])

    def chunk(total: Array, part: Any) -> tuple[Array, Array]:
        rows, uniforms = part
        joint = clamped(log_joint_of_chunk(family, mixture, rows), rows.labels)
        labels, log_density = pick(uniforms, joint)
        return total + log_density @ rows.weights, labels.astype(kind)

    start = jnp.zeros(1, mixture.means.dtype)
    total, labels = jax.lax.scan(chunk, start, (rows, row_uniforms(keys, rows)))
    return complete(keys, family, mixture, rows, labels, total)


def complete(
    keys: Array, family: Family, mixture: Mixture, rows: Rows, labels: Array, total: Array
) -> Allocation:
    """Draw the missing cells given labels (n_chunks, 1, chunk), and join both to an allocation."""
    single = jax.tree.map(lambda leaf: leaf[0], mixture)
    values = barrier(draw_cells(jax.random.fold_in(keys[0], 1), family, single, rows, labels[:, 0]))
    whole, n_components = whole_rows(rows, values), mixture.log_weights.shape[-1]
    statistics = jax.lax.cond(
        is_tight(family, mixture),
        lambda: labelled_statistics(family, labels, n_components, whole),
        lambda: summed_statistics(family, labels, n_components, whole),
    )
    return Allocation(labels, statistics, total, values)


def draw_cells(key: Array, family: Family, mixture: Mixture, rows: Rows, labels: Array) -> Array:
    """Draw the missing cells of rows with labels (n_chunks, chunk), (n_chunks, D, chunk)."""
    n_components, size = mixture.means.shape
    white = whitening(family.factors(mixture))
    precision = jnp.swapaxes(white, -1, -2) @ white
    noise = jax.random.normal(key, rows.values.shape, rows.values.dtype)

    def chunk(part: tuple[Rows, Array, Array]) -> Array:
        rows, labels, noise = part
        assert rows.observed is not None
        there = rows.observed[:, None]
        inner = jnp.where(there | rows.observed, jnp.eye(size), precision)
        back = whitening(cholesky(inner))
        away = jnp.where(there, rows.values - mixture.means[..., None], 0.0)
        pulled = noise - back @ jnp.where(there, 0.0, precision @ away)
        drawn = mixture.means[..., None] + jnp.swapaxes(back, -1, -2) @ pulled
        own = (drawn * one_hot(labels, n_components, drawn.dtype)[:, None]).sum(0)
        return jnp.where(there, rows.values, own)

    return jax.lax.map(chunk, (rows, labels, noise))
