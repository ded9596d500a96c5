"""The M-steps of the fourteen structures: their optimum by SciPy, and what must be true of it."""

import itertools
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from decompositions import NAMES, SKLEARN, best_value, contains, matrices_of, sizes, value
from quick import quick_compilation
from textbook import assert_close, assert_three_parts

from bayesgmm.model.families import BY_NAME, CONSTRAINED, FAMILIES, family_named
from bayesgmm.model.families.least_rows import least_rows
from bayesgmm.model.mixture import Diagonal, Mixture, Spherical, Statistics
from bayesgmm.model.spec import MixtureSpec

SHAPES = ((2, 3), (3, 2))
N_CASES = 3
# One length throughout, so that a structure is compiled once for each shape.
N_TOGETHER = 4 * N_CASES
PACKED = {
    Spherical: lambda scatter: np.trace(scatter, axis1=-2, axis2=-1),
    Diagonal: lambda scatter: np.diagonal(scatter, axis1=-2, axis2=-1),
}
every_name = pytest.mark.parametrize("name", NAMES)
every_shape = pytest.mark.parametrize(("D", "K"), SHAPES)


@cache
def program(name):
    """The M-step as plain matrices, and which of them are singular."""
    family = family_named(name)

    def run(statistics, ridge, last):
        record = family.maximise(statistics, ridge, last)
        mixture = Mixture(statistics.counts, statistics.means, record)
        singular = jnp.broadcast_to(family.is_singular(mixture), statistics.counts.shape)
        return family.matrices(mixture), singular

    return jax.jit(run)


def estimated(name, counts, scatter, ridge=0.0, last=None):
    """Matrices (..., K, D, D) of the M-step, and which are singular (..., K)."""
    packed = PACKED.get(family_named(name).record, lambda scatter: scatter)(scatter)
    means = np.zeros(scatter.shape[:-1])
    with quick_compilation():
        matrices, singular = program(name)(Statistics(counts, means, packed), ridge, last)
    return np.asarray(matrices), np.asarray(singular)


def estimated_alone(name, counts, scatter, ridge=0.0):
    """The same for one problem (K, ...)."""
    many = (np.broadcast_to(part, (N_TOGETHER, *part.shape)) for part in (counts, scatter))
    matrices, singular = estimated(name, *many, ridge)
    return matrices[0], singular[0]


@cache
def problems(D, K):
    """Counts (C, K) and scatter (C, K, D, D), from alike to unlike components."""
    rng = np.random.default_rng(D)
    counts = rng.uniform(5, 50, size=(N_CASES, K))
    spread = np.exp(np.arange(N_CASES)[:, None, None, None] * rng.normal(size=(N_CASES, K, D, 1)))
    axes = np.linalg.qr(rng.normal(size=(N_CASES, K, D, D)))[0]
    root = axes @ (np.sqrt(spread) * rng.normal(size=(N_CASES, K, D, D + 2)))
    return counts, counts[..., None, None] * root @ np.swapaxes(root, -1, -2)


@cache
def rotation(D):
    return np.linalg.qr(np.random.default_rng(7).normal(size=(D, D)))[0]


@cache
def variants(name, D, K):
    """Estimates (4, C, K, D, D): as is, components in reverse, rotated, in another unit."""
    counts, scatter = problems(D, K)
    turn = rotation(D)
    turned = (scatter, scatter[:, ::-1], turn @ scatter @ turn.T, 1e-6 * scatter)
    counted = (counts, counts[:, ::-1], counts, counts)
    matrices, singular = estimated(name, np.concatenate(counted), np.concatenate(turned))
    assert not singular.any()
    return matrices.reshape(4, N_CASES, K, D, D)


# The optimum -------------------------------------------------------------------------------------


@every_shape
@every_name
def test_the_value_is_that_of_the_best_numerical_optimum(name, D, K):
    rng = np.random.default_rng(0)
    for counts, scatter, matrices in zip(*problems(D, K), variants(name, D, K)[0], strict=True):
        expected = best_value(name, counts, scatter, rng, n_starts=6)
        assert_close(value(counts, scatter, matrices), expected, rtol=1e-9, atol=1e-9)


@every_shape
@every_name
def test_the_estimate_is_of_the_structure(name, D, K):
    matrices = variants(name, D, K)[0]
    volumes = np.linalg.det(matrices)[..., None, None] ** (1 / D)
    forms = matrices / volumes
    shapes = np.linalg.eigvalsh(forms)
    volume, shape, orientation = name
    if volume == "E":
        assert_close(volumes, np.broadcast_to(volumes[:, :1], volumes.shape), rtol=1e-12)
    if shape != "V":
        first = shapes[:, :1] if shape == "E" else np.ones_like(shapes[:, :1])
        assert_close(shapes, np.broadcast_to(first, shapes.shape), rtol=1e-8)
    if orientation == "I":
        assert np.array_equal(matrices, matrices * np.eye(D))
    if orientation == "E":
        products = forms[:, :, None] @ forms[:, None]
        assert_close(products, np.swapaxes(products, -1, -2), rtol=1e-8, atol=1e-8 * shapes.max())
    if shape == "E" and orientation == "E":
        assert_close(forms, np.broadcast_to(forms[:, :1], forms.shape), rtol=1e-8)


@every_shape
def test_what_contains_another_fits_no_worse(D, K):
    values = {name: value(*problems(D, K), variants(name, D, K)[0]) for name in NAMES}
    pairs = [(a, b) for a in NAMES for b in NAMES if a != b and contains(a, b)]
    assert len(pairs) > len(NAMES)
    for wide, narrow in pairs:
        loss = values[narrow] - values[wide]
        assert (loss <= 1e-10 * np.abs(values[narrow])).all(), (wide, narrow)


@every_name
def test_components_that_are_alike_share_what_they_have(name):
    counts, scatter = (part[0] for part in problems(2, 3))
    own = scatter[0] / counts[0]
    expected = own * np.eye(2) if name[2] == "I" else own
    if name[1] == "I":
        expected = np.trace(own) / 2 * np.eye(2)
    actual, _ = estimated_alone(name, counts, counts[:, None, None] * own)
    assert_close(actual, np.broadcast_to(expected, actual.shape), rtol=1e-7)


@pytest.mark.parametrize("name", ["EVE", "VVE"])
def test_a_search_that_goes_on_ends_no_worse_than_it_began(name):
    """Common axes have several optima: what EM came from is one of the starts."""
    rng = np.random.default_rng(3)
    n_cases, K, D = 20, 4, 3
    counts = rng.uniform(5, 50, size=(n_cases, K))
    root = np.exp(rng.normal(size=(n_cases, K, D, 1))) * rng.normal(size=(n_cases, K, D, D + 1))
    scatter = counts[..., None, None] * root @ np.swapaxes(root, -1, -2)
    before = matrices_of(name, rng.normal(size=(n_cases, sum(sizes(name, K, D)))), K, D)
    for _ in range(2):
        last = family_named(name).from_matrices(before)
        after, _ = estimated(name, counts, scatter, last=last)
        assert (value(counts, scatter, after) >= value(counts, scatter, before) - 1e-9).all()
        before = after


# What must not matter ----------------------------------------------------------------------------


@every_shape
@every_name
def test_components_have_no_order(name, D, K):
    as_is, reverse, _, _ = variants(name, D, K)
    assert_close(reverse[:, ::-1], as_is, rtol=1e-6, atol=1e-6 * np.abs(as_is).max())


@every_shape
@every_name
def test_the_unit_does_not_matter(name, D, K):
    as_is, _, _, scaled = variants(name, D, K)
    assert_close(1e6 * scaled, as_is, rtol=1e-6, atol=1e-6 * np.abs(as_is).max())


@every_shape
@every_name
def test_axes_that_are_estimated_turn_with_the_data(name, D, K):
    as_is, _, rotated, _ = variants(name, D, K)
    expected = rotation(D) @ as_is @ rotation(D).T
    distance = np.abs(rotated - expected).max() / np.abs(expected).max()
    turns = name[2] != "I" or name[1] == "I"
    assert (distance < 1e-6) == turns, distance


# One of each kind: sharing along columns, one form, common axes, own axes.
@pytest.mark.parametrize("name", ["VEI", "VEE", "VVE", "EEV"])
def test_leading_axes_are_a_loop(name):
    one_by_one = [estimated(name, *case)[0] for case in zip(*problems(2, 3), strict=True)]
    assert_close(variants(name, 2, 3)[0], one_by_one, rtol=1e-6, atol=1e-8)


@every_name
def test_the_ridge_is_added_to_every_component_before_they_share(name):
    counts, scatter = (part[1] for part in problems(2, 3))
    wider = scatter + 0.3 * counts[:, None, None] * np.eye(2)
    expected, _ = estimated_alone(name, counts, wider)
    actual, _ = estimated_alone(name, counts, scatter, ridge=0.3)
    assert_close(actual, expected, rtol=1e-6, atol=1e-8)


# Where there is little to estimate from ----------------------------------------------------------


def few_rows(n_rows, D, K):
    """Counts and scatter of components of which the first has few rows."""
    rng = np.random.default_rng(n_rows)
    lengths = [n_rows, *range(20, 20 + 10 * (K - 1), 10)]
    blocks = [rng.normal(size=(length, D)) for length in lengths]
    scatter = [(block - block.mean(0)).T @ (block - block.mean(0)) for block in blocks]
    return np.array(lengths, float), np.array(scatter)


def assert_regular(matrices):
    assert np.isfinite(matrices).all()
    assert (np.linalg.eigvalsh(matrices) > 0).all()


@every_shape
@every_name
def test_rows_in_a_plane_are_singular_where_shapes_and_axes_are_free(name, D, K):
    """D rows span D - 1 directions; what others share fills up the last."""
    matrices, singular = estimated_alone(name, *few_rows(D, D, K))
    if name != "EVE":
        # For EVE a flat component is one optimum out of several.
        assert singular[0] == (name[1] == "V" and name[2] != "I")
    assert not singular[1:].any()
    assert_regular(matrices[singular.sum() :])


@every_shape
@every_name
def test_a_single_row_is_singular_where_volumes_are_free(name, D, K):
    matrices, singular = estimated_alone(name, *few_rows(1, D, K))
    assert singular[0] == (name[0] == "V")
    assert not singular[1:].any()
    assert_regular(matrices[singular.sum() :])


@every_name
def test_an_empty_component_leaves_the_others_their_optimum(name):
    counts, scatter = few_rows(1, 2, 3)
    counts[0] = 0
    matrices, singular = estimated_alone(name, counts, scatter)
    assert singular.tolist() == [name[0] == "V", False, False]
    rest = (counts[1:], scatter[1:])
    expected = best_value(name, *rest, np.random.default_rng(0), n_starts=6)
    assert_close(value(*rest, matrices[1:]), expected, rtol=1e-9)


@every_shape
@every_name
def test_single_rows_with_a_ridge_are_spheres(name, D, K):
    matrices, singular = estimated_alone(name, np.ones(K), np.zeros((K, D, D)), ridge=0.1)
    assert_close(matrices, np.broadcast_to(0.1 * np.eye(D), matrices.shape))
    assert not singular.any()


@every_name
def test_in_one_column_only_the_volume_counts(name):
    counts, scatter = np.array([10.0, 20.0]), np.array([5.0, 40.0])
    expected = scatter / counts if name[0] == "V" else np.full(2, 45 / 30)
    matrices, _ = estimated(name, counts, scatter[:, None, None])
    assert_close(matrices[:, 0, 0], expected)


def divisions(n_rows, K):
    """Numbers of rows of K components, at least one each, in falling order."""
    every = itertools.product(range(1, n_rows + 1), repeat=K)
    return [one for one in every if sum(one) == n_rows and list(one) == sorted(one, reverse=True)]


def has_regular_estimate(name, n_rows, D, K):
    """Whether some division of so many random rows leaves no covariance singular."""
    rng = np.random.default_rng(n_rows)
    for lengths in divisions(n_rows, K):
        blocks = [rng.normal(size=(length, D)) for length in lengths]
        scatter = [(block - block.mean(0)).T @ (block - block.mean(0)) for block in blocks]
        if not estimated_alone(name, np.array(lengths, float), np.array(scatter))[1].any():
            return True
    return False


# A shape of all components with volumes of their own: rows that span few directions may outweigh.
OUTWEIGHED = {("VEV", 2, 3), ("VEE", 3, 2)}


@every_name
@pytest.mark.parametrize(("D", "K"), [(1, 2), *SHAPES])
def test_with_fewer_rows_every_division_is_singular(name, D, K):
    needed = least_rows(family_named(name), K, D)
    assert not has_regular_estimate(name, needed - 1, D, K)
    assert has_regular_estimate(name, needed, D, K) == ((name, D, K) not in OUTWEIGHED)


# Names -------------------------------------------------------------------------------------------


@every_name
@pytest.mark.parametrize(("K", "D"), [(1, 1), (1, 4), (3, 1), (2, 5)])
def test_numbers_of_parameters(name, K, D):
    assert family_named(name).n_covariance_parameters(K, D) == sum(sizes(name, K, D))


def test_numbers_of_parameters_are_those_of_mclust():
    """nVarParams(name, d = 4, G = 3) of mclust 6.0.0."""
    counts = (1, 3, 4, 6, 10, 12, 10, 12, 16, 18, 22, 24, 28, 30)
    assert tuple(family_named(name).n_covariance_parameters(3, 4) for name in NAMES) == counts


def test_the_names_of_scikit_learn_and_of_mclust_are_one_table():
    assert set(BY_NAME) == set(NAMES) | set(FAMILIES)
    assert set(CONSTRAINED) == set(NAMES) - set(SKLEARN)
    assert all(family_named(name).name == name for name in CONSTRAINED)
    for name, known in SKLEARN.items():
        assert family_named(name) is FAMILIES[known]
        assert MixtureSpec(covariance=name) == MixtureSpec(covariance=known)


def test_structures_are_static_settings():
    assert len(set(BY_NAME.values())) == len(NAMES)
    assert all(hash(family) == hash(family_named(name)) for name, family in BY_NAME.items())


@every_name
def test_numbers_keep_their_type(name):
    """Shapes of covariances are read off a dry run in single precision."""
    family = family_named(name)
    counts, means = jnp.ones(3, jnp.float32), jnp.ones((3, 2), jnp.float32)
    packed = PACKED.get(family.record, np.asarray)(np.ones((3, 2, 2), np.float32))
    run = partial(family.maximise, Statistics(counts, means, packed), 0.0)
    for last in (None, jax.eval_shape(run)):
        assert {leaf.dtype for leaf in jax.eval_shape(run, last)} == {jnp.dtype(jnp.float32)}


@pytest.mark.parametrize("name", CONSTRAINED)
def test_a_prior_is_refused_where_there_is_none(name):
    with pytest.raises(ValueError, match=name) as caught:
        MixtureSpec(3, covariance=name)
    assert_three_parts(str(caught.value), "MixtureSpec.maximum_likelihood", "full")
    assert MixtureSpec.maximum_likelihood(3, name).covariance == name
