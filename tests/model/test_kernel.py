"""The kernel against an explicit loop over rows and components."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import textbook as tb
from jax.test_util import check_grads
from textbook import STRUCTURES, assert_close

from bayesgmm.model import kernel
from bayesgmm.model.kernel import Pass
from bayesgmm.model.mixture import Statistics
from bayesgmm.numerics.rows import Rows, chunk_rows

N, D, K, LENGTH = 50, 3, 4, 16  # four chunks, the last with fourteen rows of padding

every_structure = pytest.mark.parametrize("structure", STRUCTURES, ids=lambda one: one.name)

expectation = jax.jit(kernel.expectation, static_argnums=0)
product_pass = jax.jit(partial(kernel.pass_in, kernel.PRODUCT), static_argnums=0)
residual_pass = jax.jit(partial(kernel.pass_in, kernel.RESIDUAL), static_argnums=0)
assigned_statistics = jax.jit(kernel.assigned_statistics, static_argnums=0)
log_joint = jax.jit(kernel.log_joint, static_argnums=0)
log_likelihood = jax.jit(kernel.log_likelihood, static_argnums=0)

PASSES = {"expectation": expectation, "product": product_pass, "residual": residual_pass}
every_pass = pytest.mark.parametrize("form", PASSES)


class Case(NamedTuple):
    """Two mixtures on the same rows, in both vocabularies."""

    parameters: list
    mixture: object
    x: np.ndarray
    row_weights: np.ndarray
    rows: Rows


def case_of(structure, absent=()):
    """A batch of two mixtures; components (b, k) in ``absent`` have weight zero."""
    rng = np.random.default_rng(7)
    parameters = [tb.random_parameters(rng, structure, K, D) for _ in range(2)]
    for b, k in absent:
        weights = parameters[b].weights.copy()
        weights[k] = 0
        parameters[b] = parameters[b]._replace(weights=weights / weights.sum())
    x = tb.random_rows(rng, parameters[0], N)[0]
    row_weights = rng.uniform(0.2, 3.0, size=N)
    with np.errstate(divide="ignore"):
        mixture = tb.mixture_of(structure, *parameters)
    return Case(parameters, mixture, x, row_weights, chunk_rows(x, LENGTH, row_weights))


def textbook_pass(structure, parameters, x, row_weights):
    weighted = tb.responsibilities(parameters, x) * row_weights[:, None]
    counts, means, scatter = tb.moments(weighted, x)
    total = tb.log_likelihood(parameters, x, row_weights)
    return Pass(total, Statistics(counts, means, structure.pack(scatter)))


def assert_same_pass(actual, expected, rtol=1e-10):
    jax.tree.map(lambda a, b: assert_close(a, b, rtol=rtol), actual, expected)


# Values ------------------------------------------------------------------------------------------


@every_structure
@every_pass
def test_a_pass_is_the_textbook_loop(structure, form):
    case = case_of(structure)
    expected = [textbook_pass(structure, p, case.x, case.row_weights) for p in case.parameters]
    actual = PASSES[form](structure.family, case.mixture, case.rows)
    assert_same_pass(actual, tb.stack(expected))


@every_structure
@every_pass
def test_an_absent_component_changes_nothing_and_owns_nothing(structure, form):
    case = case_of(structure, absent=[(0, 1)])
    keep = np.array([0, 2, 3])
    present = tb.Parameters(*(leaf[keep] for leaf in case.parameters[0]))
    expected = textbook_pass(structure, present, case.x, case.row_weights)
    actual = PASSES[form](structure.family, case.mixture, case.rows)
    first = jax.tree.map(lambda leaf: np.asarray(leaf)[0], actual)
    statistics = jax.tree.map(lambda leaf: leaf[keep], first.statistics)
    assert_same_pass(Pass(first.log_likelihood, statistics), expected)
    assert first.statistics.counts[1] == 0
    assert (first.statistics.scatter[1] == 0).all()
    assert np.isfinite(first.statistics.means).all()


@every_structure
def test_chunks_and_padding_do_not_matter(structure):
    case = case_of(structure)
    whole = chunk_rows(case.x, N, case.row_weights)
    assert_same_pass(
        expectation(structure.family, case.mixture, case.rows),
        expectation(structure.family, case.mixture, whole),
        rtol=1e-12,
    )


@every_structure
def test_log_joint_is_scipys(structure):
    case = case_of(structure)
    actual = log_joint(structure.family, case.mixture, case.x.T)
    expected = np.stack([tb.log_joint(p, case.x).T for p in case.parameters])
    assert_close(actual, expected)


@every_structure
def test_log_likelihood_is_the_sum_of_log_densities(structure):
    case = case_of(structure)
    natural = structure.family.natural(case.mixture)[0]
    expected = tb.log_likelihood(case.parameters[0], case.x, case.row_weights)
    assert_close(log_likelihood(structure.family, natural, case.rows), expected)


@every_structure
def test_assigned_statistics_are_the_explicit_moments(structure):
    case = case_of(structure)
    table = np.random.default_rng(3).dirichlet(np.ones(K), size=N)
    counts, means, scatter = tb.moments(table * case.row_weights[:, None], case.x)
    chunked = chunk_rows(table, LENGTH).values
    actual = assigned_statistics(structure.family, chunked, case.rows)
    expected = Statistics(counts, means, structure.pack(scatter))
    jax.tree.map(assert_close, actual, expected)


@every_structure
def test_assigned_statistics_of_an_empty_component_are_zero(structure):
    case = case_of(structure)
    table = np.zeros((N, K))
    table[:, 0] = 1
    actual = assigned_statistics(structure.family, chunk_rows(table, LENGTH).values, case.rows)
    for leaf in jax.tree.leaves(actual):
        np.testing.assert_array_equal(leaf[1:], 0)


# Symmetries --------------------------------------------------------------------------------------


@every_structure
def test_permuting_components_permutes_the_statistics_only(structure):
    case = case_of(structure)
    order = np.array([2, 0, 3, 1])
    permuted = [tb.Parameters(*(leaf[order] for leaf in p)) for p in case.parameters]
    before = expectation(structure.family, case.mixture, case.rows)
    after = expectation(structure.family, tb.mixture_of(structure, *permuted), case.rows)
    moved = jax.tree.map(lambda leaf: np.asarray(leaf)[:, order], before.statistics)
    assert_same_pass(after, Pass(before.log_likelihood, moved), rtol=1e-12)


@every_structure
def test_two_equal_components_are_one_with_their_joint_weight(structure):
    case = case_of(structure)
    merged, split = [], []
    for p in case.parameters:
        twin = np.array([0, 1, 2, 2])
        halves = p.weights[twin] * np.array([1, 1, 0.3, 0.7])
        total = halves.sum()
        split.append(tb.Parameters(halves / total, p.means[twin], p.matrices[twin]))
        joint = np.array([*p.weights[:3], 0]) / total
        merged.append(tb.Parameters(joint, p.means, p.matrices))
    with np.errstate(divide="ignore"):
        one = expectation(structure.family, tb.mixture_of(structure, *merged), case.rows)
    two = expectation(structure.family, tb.mixture_of(structure, *split), case.rows)
    assert_close(two.log_likelihood, one.log_likelihood, rtol=1e-12)
    counts = np.asarray(two.statistics.counts)
    assert_close(counts[:, 2] + counts[:, 3], one.statistics.counts[:, 2], rtol=1e-12)
    assert_close(two.statistics.means[:, 3], one.statistics.means[:, 2], rtol=1e-12)


# Digits ------------------------------------------------------------------------------------------


def tight_case(structure, width):
    """A cluster of a given width at a distance of about one, beside a cluster of width one."""
    rng = np.random.default_rng(11)
    base = tb.random_parameters(rng, structure, K, D)
    shrink = np.array([1.0, width, 1.0, 1.0])
    if structure.is_shared:
        shrink[:] = width
    parameters = base._replace(
        means=np.sign(base.means) * (0.5 + np.abs(base.means)),
        matrices=base.matrices * (shrink**2)[:, None, None],
    )
    x = tb.random_rows(rng, parameters, N)[0]
    mixture = tb.mixture_of(structure, parameters, parameters)
    return Case([parameters] * 2, mixture, x, np.ones(N), chunk_rows(x, LENGTH))


def scatter_error(actual, expected):
    """Largest error of a scatter relative to its largest entry, over components."""
    error = np.abs(np.asarray(actual.statistics.scatter)[0] - expected.statistics.scatter)
    size = np.abs(expected.statistics.scatter)
    axes = tuple(range(1, error.ndim))
    return (error.max(axes) / size.max(axes)).max()


@every_structure
def test_a_cluster_a_millionth_as_wide_as_the_data_keeps_its_digits(structure):
    """Residuals x - mu are exact in floating point, so the textbook loop needs no more digits."""
    case = tight_case(structure, 1e-6)
    expected = textbook_pass(structure, case.parameters[0], case.x, case.row_weights)
    actual = expectation(structure.family, case.mixture, case.rows)
    product = product_pass(structure.family, case.mixture, case.rows)
    assert scatter_error(product, expected) > 1e-5  # what would be lost
    # The weighted mean itself is rounded by 1e-16 against a width of 1e-6.
    assert scatter_error(actual, expected) < 1e-9
    assert_close(actual.log_likelihood[0], expected.log_likelihood, rtol=1e-9)
    assert_close(actual.statistics.counts[0], expected.statistics.counts, rtol=1e-9)
    assert_close(actual.statistics.means[0], expected.statistics.means, rtol=1e-14, atol=1e-14)


@every_structure
@pytest.mark.parametrize("width", [1e-2, 1e-3, 5e-4, 1e-4, 1e-5])
def test_no_width_loses_more_than_half_of_the_digits(structure, width):
    case = tight_case(structure, width)
    expected = textbook_pass(structure, case.parameters[0], case.x, case.row_weights)
    actual = expectation(structure.family, case.mixture, case.rows)
    half = np.sqrt(np.finfo(float).eps)
    assert scatter_error(actual, expected) < 10 * half
    assert_close(actual.log_likelihood[0] / N, expected.log_likelihood / N, rtol=0, atol=10 * half)


@pytest.mark.parametrize(
    "structure", [one for one in STRUCTURES if not one.is_shared], ids=lambda one: one.name
)
def test_a_tight_component_without_weight_does_not_ask_for_the_residual_form(structure):
    case = tight_case(structure, 1e-6)
    absent = case.mixture._replace(log_weights=np.full((2, K), -np.inf))
    absent.log_weights[:, 2:] = np.log(0.5)
    tightness = np.asarray(structure.family.tightness(absent))
    limit = np.finfo(float).eps ** -0.5
    assert (tightness[:, 1] > limit).all()
    assert (tightness[:, 2:] < limit).all()
    actual = expectation(structure.family, absent, case.rows)
    assert_same_pass(actual, product_pass(structure.family, absent, case.rows), rtol=1e-13)


@every_structure
def test_tightness_bounds_the_terms_that_cancel(structure):
    """(sum_j |mu_j| sqrt(p_j))^2 >= mu^T P mu, and the units of single columns drop out."""
    p = tb.random_parameters(np.random.default_rng(2), structure, K, D)
    precisions = np.linalg.inv(p.matrices)
    roots = np.sqrt(np.diagonal(precisions, axis1=-2, axis2=-1))
    expected = (np.abs(p.means) * roots).sum(-1) ** 2
    actual = structure.family.tightness(tb.mixture_of(structure, p))
    assert_close(actual, expected)
    assert (actual >= np.einsum("ki,kij,kj->k", p.means, precisions, p.means)).all()


# Derivatives -------------------------------------------------------------------------------------


def plain(family, natural, rows):
    """The same sum without a rule for its derivative."""
    return kernel.sum_features(family, natural[None], rows, kernel.responsible())[0][0]


gradient = jax.jit(jax.grad(kernel.log_likelihood, argnums=1), static_argnums=0)
plain_gradient = jax.jit(jax.grad(plain, argnums=1), static_argnums=0)


@every_structure
def test_the_gradient_is_that_of_the_sum_and_holds_the_counts(structure):
    case = case_of(structure)
    natural = structure.family.natural(case.mixture)[0]
    actual = gradient(structure.family, natural, case.rows)
    assert_close(actual, plain_gradient(structure.family, natural, case.rows), rtol=1e-11)
    weighted = tb.responsibilities(case.parameters[0], case.x) * case.row_weights[:, None]
    features = np.asarray(structure.family.features(case.x.T))
    assert_close(actual, weighted.T @ features.T)


@every_structure
def test_derivatives_match_finite_differences_in_both_modes(structure):
    case = case_of(structure)
    natural = structure.family.natural(case.mixture)[0]
    value = jax.jit(lambda eta: kernel.log_likelihood(structure.family, eta, case.rows))
    check_grads(value, (natural,), order=1, modes=("fwd", "rev"), rtol=1e-6, eps=1e-5)


@every_structure
def test_hessian_is_that_of_the_sum(structure):
    case = case_of(structure)
    family, natural = structure.family, structure.family.natural(case.mixture)[0]
    direction = np.random.default_rng(5).normal(size=natural.shape)

    def times_hessian(function):
        slope = jax.grad(lambda eta: function(family, eta, case.rows))
        return jax.jit(lambda eta: jax.jvp(slope, (eta,), (direction,))[1])(natural)

    assert_close(times_hessian(kernel.log_likelihood), times_hessian(plain), rtol=1e-9, atol=1e-8)


def test_reverse_over_reverse_and_forward_over_forward_agree_with_forward_over_reverse():
    structure = STRUCTURES[-1]
    case = case_of(structure)
    natural = structure.family.natural(case.mixture)[0]

    def value(eta):
        return kernel.log_likelihood(structure.family, eta, case.rows)

    expected = jax.jit(jax.hessian(value))(natural)
    assert_close(jax.jit(jax.jacrev(jax.jacrev(value)))(natural), expected, rtol=1e-9, atol=1e-8)
    assert_close(jax.jit(jax.jacfwd(jax.jacfwd(value)))(natural), expected, rtol=1e-9, atol=1e-8)


@every_structure
def test_value_and_gradient_vectorise_over_mixtures(structure):
    case = case_of(structure)
    natural = structure.family.natural(case.mixture)

    def one(eta):
        return kernel.log_likelihood(structure.family, eta, case.rows)

    values, slopes = jax.jit(jax.vmap(jax.value_and_grad(one)))(natural)
    expected = [tb.log_likelihood(p, case.x, case.row_weights) for p in case.parameters]
    assert_close(values, expected)
    for b in range(2):
        assert_close(slopes[b], gradient(structure.family, natural[b], case.rows), rtol=1e-12)


@every_structure
def test_the_gradient_with_respect_to_rows_pulls_them_to_the_components(structure):
    """d/dx log p(x) = sum_k r_k P_k (mu_k - x); for the weight of a row it is log p(x)."""
    case = case_of(structure)
    natural = structure.family.natural(case.mixture)[0]
    by_rows = jax.jit(jax.grad(kernel.log_likelihood, argnums=2), static_argnums=0)
    slopes = by_rows(structure.family, natural, jax.tree.map(jnp.asarray, case.rows))
    p = case.parameters[0]
    pulls = np.einsum(
        "nk,kij,nkj->ni",
        tb.responsibilities(p, case.x) * case.row_weights[:, None],
        np.linalg.inv(p.matrices),
        p.means - case.x[:, None],
    )
    actual = np.swapaxes(slopes.values, 1, 2).reshape(-1, D)
    assert_close(actual[:N], pulls)
    np.testing.assert_array_equal(actual[N:], 0)
    log_density = np.logaddexp.reduce(tb.log_joint(p, case.x), axis=1)
    assert_close(slopes.weights.ravel()[:N], log_density)


def test_the_gradient_goes_to_parameters_and_rows_at_once():
    """A caller whose rows are a function of parameters: a shift of the rows and the means."""
    structure = STRUCTURES[0]
    case = case_of(structure)
    one = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), case.mixture)

    def shifted(shift):
        natural = structure.family.natural(one._replace(means=one.means + shift))
        rows = Rows(case.rows.values + shift[:, None], jnp.asarray(case.rows.weights))
        return kernel.log_likelihood(structure.family, natural, rows)

    assert_close(jax.jit(jax.grad(shifted))(jnp.full(D, 0.3)), np.zeros(D), atol=1e-9)
