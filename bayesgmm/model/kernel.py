r"""The one kernel: every engine's pass over the rows.

For every family log w_k + log N(x | k) = <T(x), eta_k>, so a pass is two matrix products per chunk,
L = eta T(X) and R T(X)^T, with a log-sum-exp between them. Memory is one chunk, never N x K.

Two forms of the same pass:

* the product form above, which squares coordinates measured from the centre of the data;
* the residual form, which whitens x - mu_k first. It costs about twice as much and is taken when a
  component is so tight for its distance from the centre that the product form would lose more
  than half of the digits (``Family.tightness`` above 1 / sqrt(eps)).

Mixtures carry one leading axis B here (restarts, chains); it widens the products. Mixtures of
different K come with ``Lanes``, which lay their components out on one axis.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.custom_derivatives import SymbolicZero

from ..numerics.moments import weighted_sums
from ..numerics.rows import Rows, sum_chunks
from .families.base import Family, log_constant
from .lanes import Lanes, apart, side_by_side
from .missing import FULL, observed_pass, visible
from .mixture import Mixture, Statistics
from .responsibilities import clamped, normalise


class Pass(NamedTuple):
    """What one pass over the rows returns.

    Attributes:
        log_likelihood: sum over rows of log p(x), (B,).
        statistics: moments weighted by the responsibilities, (B, K, ...).
    """

    log_likelihood: Array
    statistics: Statistics


def expectation(family: Family, mixture: Mixture, rows: Rows, lanes: Lanes | None = None) -> Pass:
    """Run the E-step: log-likelihood and expected statistics of B mixtures.

    Args:
        family: the covariance family.
        mixture: (B, K, ...).
        rows: the rows.
        lanes: how many of the K components each mixture has; all by default.
    """
    if lanes is None:
        return one_pass(family, mixture, rows)
    n_lanes, n_components = mixture.log_weights.shape
    family, flat = side_by_side(family, mixture, lanes)
    total, statistics = one_pass(family, flat, rows, lanes)
    return Pass(total[:n_lanes], apart(statistics, lanes, n_components))


def one_pass(family: Family, mixture: Mixture, rows: Rows, lanes: Lanes | None = None) -> Pass:
    """Run the pass in the form that the rows and the components ask for."""
    if rows.observed is not None:
        return Pass(*observed_pass(family, mixture, rows, lanes))

    forms = (partial(pass_in, form, family, lanes=lanes) for form in (RESIDUAL, PRODUCT))
    return jax.lax.cond(is_tight(family, mixture), *forms, mixture, rows)


def is_tight(family: Family, mixture: Mixture) -> Array:
    """Say whether the product form would lose more than half of the digits, ()."""
    limit = jnp.finfo(mixture.means.dtype).eps ** -0.5
    return jnp.any(family.tightness(mixture) * jnp.isfinite(mixture.log_weights) > limit)


# (log_joint (B, K, n), rows, given) -> log densities summed over rows (B,), weights of rows (B, K, n).
Assign = Callable[[Array, Rows, Any], tuple[Array, Array]]


class Assignment(NamedTuple):
    """How rows are shared among components.

    Attributes:
        assign: for one chunk.
        given: what it takes beside the rows, cut as they are.
    """

    assign: Assign
    given: Any = None


def responsible(lanes: Lanes | None = None) -> Assignment:
    """Share rows by their responsibilities."""

    def assign(log_joint: Array, rows: Rows, _: Any) -> tuple[Array, Array]:
        return normalise(clamped(log_joint, rows.labels, lanes), rows.weights, lanes)

    return Assignment(assign)


class Form(NamedTuple):
    """One form of the pass.

    Attributes:
        sums: (family, mixture, rows, assignment) -> log-likelihood (B,) and sums of the rows of each
            component: arrays that add up over rows, blocks and machines.
        read: (family, mixture, sums) -> what they say.
    """

    sums: Callable[[Family, Mixture, Rows, Assignment], Any]
    read: Callable[[Family, Mixture, Any], Pass]


def pass_in(
    form: Form, family: Family, mixture: Mixture, rows: Rows, lanes: Lanes | None = None
) -> Pass:
    """Run the pass in one form."""
    return form.read(family, mixture, form.sums(family, mixture, rows, responsible(lanes)))


def product_sums(family: Family, mixture: Mixture, rows: Rows, assignment: Assignment) -> Any:
    """Sum by two products with the natural parameters."""
    return sum_features(family, family.natural(mixture), rows, assignment)


def read_product(family: Family, mixture: Mixture, sums: Any) -> Pass:
    """Read the sums of the product form."""
    return Pass(sums[0], family.statistics(sums[1], mixture.means.shape[-1]))


def sum_features(
    family: Family, natural: Array, rows: Rows, assignment: Assignment
) -> tuple[Array, Array]:
    """Return the log-likelihood (B,) and the weighted feature sums (B, K, F) of natural (B, K, F)."""
    shape = natural.shape
    flat = natural.reshape(-1, shape[-1])

    def chunk(part: tuple[Rows, Any]) -> tuple[Array, Array]:
        rows, given = part
        features = family.features(rows.values)
        log_joint = (flat @ features).reshape(*shape[:2], -1)
        log_density, weights = assignment.assign(log_joint, rows, given)
        return log_density, weighted_sums(features, weights.reshape(len(flat), -1))

    total, sums = sum_chunks(chunk, (rows, assignment.given))
    return total, sums.T.reshape(shape)


def residual_sums(family: Family, mixture: Mixture, rows: Rows, assignment: Assignment) -> Any:
    """Sum whitened residuals, which loses no digits to the centre of the data."""
    constant = log_constant(family, mixture)

    def chunk(part: tuple[Rows, Any]) -> tuple[Array, ...]:
        rows, given = part
        residuals = family.residuals(mixture, rows.values)
        log_joint = constant[..., None] - (residuals**2).sum(-2) / 2
        log_density, weights = assignment.assign(log_joint, rows, given)
        first = jnp.einsum("bkn,bkdn->bkd", weights, residuals)
        second = family.second_moment(weights, residuals)
        return log_density, weights.sum(-1), first, second

    return sum_chunks(chunk, (rows, assignment.given))


def read_residual(family: Family, mixture: Mixture, sums: Any) -> Pass:
    """Read the sums of the residual form."""
    total, counts, first, second = sums
    return Pass(total, family.statistics_about(mixture, counts, first, second))


PRODUCT = Form(product_sums, read_product)
RESIDUAL = Form(residual_sums, read_residual)


def assigned_statistics(
    family: Family,
    assigned: Array,
    rows: Rows,
    expand: Callable[[Array], Array] = lambda responsibilities: responsibilities,
) -> Statistics:
    """Return the statistics of given responsibilities, in two passes: means, then scatter.

    Args:
        family: the covariance family.
        assigned: responsibilities (n_chunks, K, chunk), or whatever ``expand`` makes them of.
        rows: the rows.
        expand: turns one chunk of ``assigned`` into responsibilities (K, chunk).

    Returns:
        Statistics with leading axes (K, ...).
    """

    def moments(part: tuple[Array, Rows]) -> tuple[Array, Array]:
        weights = expand(part[0]) * part[1].weights
        return weights.sum(-1), weights @ part[1].values.T

    counts, first = sum_chunks(moments, (assigned, rows))
    means = first / (counts + 10 * jnp.finfo(counts.dtype).eps)[:, None]

    def spread(part: tuple[Array, Rows]) -> Array:
        weights = expand(part[0]) * part[1].weights
        return family.second_moment(weights, part[1].values - means[..., None])

    return Statistics(counts, means, sum_chunks(spread, (assigned, rows)))


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def log_likelihood(family: Family, natural: Array, rows: Rows) -> Array:
    """Return sum_n log sum_k exp <T(x_n), eta_k> for natural parameters (K, F), ().

    Its derivative with respect to eta is R^T T(X), the statistics of the same pass: value and
    gradient cost one EM iteration. Stated as a JVP, so that forward mode and Hessians work too.
    """
    return sum_features(family, natural[None], rows, responsible())[0][0]


def _log_likelihood_jvp(family: Family, primals: Any, tangents: Any) -> tuple[Array, Array]:
    natural, rows = primals
    direction, rows_direction = tangents
    if not all(map(is_zero, jax.tree.leaves(rows_direction, is_leaf=is_zero))):
        return _differentiate_through(family, primals, tangents)
    total, sums = sum_features(family, natural[None], rows, responsible())
    return total[0], jnp.vdot(sums[0], materialise(direction))


def _differentiate_through(family: Family, primals: Any, tangents: Any) -> tuple[Array, Array]:
    """Differentiate the pass itself, for the rare caller whose rows are a function of parameters."""
    plain = jax.tree.map(materialise, tangents, is_leaf=is_zero)
    return jax.jvp(
        lambda eta, rows: sum_features(family, eta[None], rows, responsible())[0][0], primals, plain
    )


def is_zero(tangent: Any) -> bool:
    """Say whether a tangent is known to be zero before anything is computed."""
    return isinstance(tangent, SymbolicZero)


def materialise(tangent: Any) -> Array:
    """Return a tangent as an array."""
    return jnp.zeros(tangent.shape, tangent.dtype) if is_zero(tangent) else tangent


log_likelihood.defjvp(_log_likelihood_jvp, symbolic_zeros=True)


def mixture_log_likelihood(family: Family, mixture: Mixture, rows: Rows) -> Array:
    """Return the log-likelihood of a mixture (K, ...) with the derivative of ``log_likelihood``, ().

    Rows with missing cells are those of the mixture their pattern sees, chunk by chunk.
    """
    if rows.observed is None:
        return log_likelihood(family, family.natural(mixture), rows)
    seen = jax.vmap(partial(visible, family, mixture))(rows.observed)

    def chunk(part: tuple[Array, Rows]) -> Array:
        natural, one = part
        return log_likelihood(FULL, natural, jax.tree.map(lambda leaf: leaf[None], one))

    plain = rows._replace(observed=None, position=None)
    return jax.lax.map(chunk, (FULL.natural(seen), plain)).sum()


def log_joint(family: Family, mixture: Mixture, columns: Array) -> Array:
    """Return log w_k + log N(x | k) for columns (D, n) and a mixture (..., K), (..., K, n).

    The residual form: exact for every component, however tight.
    """
    residuals = family.residuals(mixture, columns)
    return log_constant(family, mixture)[..., None] - (residuals**2).sum(-2) / 2
