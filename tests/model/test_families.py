"""What every covariance family owes the engines, but for its prior (test_conjugacy)."""

import jax
import numpy as np
import pytest
import textbook as tb
from textbook import STRUCTURES, assert_close

from bayesgmm.model.families import FAMILIES, family_named
from bayesgmm.model.mixture import Mixture, Statistics

D, K = 3, 4

every_structure = pytest.mark.parametrize("structure", STRUCTURES, ids=lambda one: one.name)


def batch(structure, seed=0):
    """Two textbook mixtures and the package's record of them, leading axis 2."""
    rng = np.random.default_rng(seed)
    many = [tb.random_parameters(rng, structure, K, D) for _ in range(2)]
    return many, tb.mixture_of(structure, *many)


def test_every_family_has_its_line_in_the_textbook():
    assert {one.name for one in STRUCTURES} == set(FAMILIES)
    assert all(family.name == name for name, family in FAMILIES.items())


def test_families_are_static_settings():
    for family in FAMILIES.values():
        assert type(family)() == family
        assert hash(type(family)()) == hash(family)
        assert family_named(family.name) is family


@pytest.mark.parametrize("name", ["Full", "", None, 3, ["full"]])
def test_an_unknown_name_is_refused_with_the_known_ones(name):
    with pytest.raises(ValueError, match=r"Expected .*'diag', 'full', 'spherical', 'tied'.*got"):
        family_named(name)


@every_structure
@pytest.mark.parametrize(("n_components", "n_columns"), [(1, 1), (1, 5), (4, 1), (4, 3)])
def test_numbers_of_parameters_and_features(structure, n_components, n_columns):
    expected = structure.n_parameters(n_components, n_columns)
    family = structure.family
    assert family.n_covariance_parameters(n_components, n_columns) == expected
    matrices = structure.constrain(
        tb.random_matrices(np.random.default_rng(0), n_components, size=n_columns)
    )
    assert len(structure.free(matrices)) == expected
    features = family.features(np.ones((n_columns, 2)))
    assert features.shape == (family.n_features(n_columns), 2)


@every_structure
def test_natural_parameters_give_the_log_joint_density(structure):
    many, mixture = batch(structure)
    x = np.random.default_rng(1).normal(size=(7, D))
    natural = np.asarray(structure.family.natural(mixture))
    assert natural.shape == (2, K, structure.family.n_features(D))
    actual = natural @ np.asarray(structure.family.features(x.T))
    assert_close(actual, np.stack([tb.log_joint(p, x).T for p in many]))


@every_structure
def test_residuals_are_white(structure):
    many, mixture = batch(structure)
    x = np.random.default_rng(2).normal(size=(7, D))
    residuals = np.asarray(structure.family.residuals(mixture, x.T))
    assert residuals.shape == (2, K, D, 7)
    for b, p in enumerate(many):
        offsets = x - p.means[:, None]
        squared = np.einsum("kni,kij,knj->kn", offsets, np.linalg.inv(p.matrices), offsets)
        assert_close((residuals[b] ** 2).sum(-2), squared)


@every_structure
def test_half_log_det(structure):
    many, mixture = batch(structure)
    actual = np.broadcast_to(structure.family.half_log_det(mixture), (2, K))
    expected = [np.linalg.slogdet(p.matrices)[1] / 2 for p in many]
    assert_close(actual, expected)


@every_structure
def test_matrices_and_records_are_inverse_to_each_other(structure):
    family = structure.family
    many, mixture = batch(structure)
    dense = np.asarray(family.matrices(mixture))
    assert_close(dense, [p.matrices for p in many], rtol=1e-12)
    own = dense[:, 0] if structure.is_shared else dense
    record = family.from_matrices(own)
    assert isinstance(record, family.record)
    jax.tree.map(lambda a, b: assert_close(a, b, rtol=1e-12), record, mixture.covariance)


@every_structure
def test_factors_are_the_lower_roots_of_the_matrices(structure):
    _, mixture = batch(structure)
    factors = np.asarray(structure.family.factors(mixture))
    assert np.array_equal(factors, np.tril(factors))
    squared = factors @ factors.swapaxes(-1, -2)
    assert_close(squared, structure.family.matrices(mixture), rtol=1e-12)


@every_structure
def test_from_matrices_takes_the_nearest_of_the_structure(structure):
    free = tb.random_matrices(np.random.default_rng(3), K, size=D)
    record = structure.family.from_matrices(free[0] if structure.is_shared else free)
    mixture = Mixture(np.zeros(K), np.zeros((K, D)), record)
    assert_close(structure.family.matrices(mixture), structure.constrain(free), rtol=1e-12)


@every_structure
def test_scaling_the_data_scales_the_covariance(structure):
    many, mixture = batch(structure)
    scaled = mixture._replace(covariance=structure.family.scale_by(mixture.covariance, 2.5))
    actual = structure.family.matrices(scaled)
    assert_close(actual, [6.25 * p.matrices for p in many], rtol=1e-12)


@every_structure
@pytest.mark.parametrize("ridge", [0.0, 0.3])
def test_maximise_is_the_weighted_covariance(structure, ridge):
    rng = np.random.default_rng(4)
    x, table = rng.normal(size=(30, D)), rng.dirichlet(np.ones(K), size=30)
    counts, means, scatter = tb.moments(table, x)
    record = structure.family.maximise(
        Statistics(counts, means, np.asarray(structure.pack(scatter))), ridge
    )
    actual = structure.family.matrices(Mixture(np.zeros(K), means, record))
    assert_close(actual, structure.estimate(counts, scatter) + ridge * np.eye(D))


@every_structure
def test_maximise_has_the_highest_likelihood_among_neighbours(structure):
    rng = np.random.default_rng(5)
    x, labels = rng.normal(size=(40, D)), np.repeat(np.arange(K), 10)
    counts, means, scatter = tb.moments(np.eye(K)[labels], x)
    record = structure.family.maximise(
        Statistics(counts, means, np.asarray(structure.pack(scatter))), 0.0
    )
    at_best = Mixture(np.zeros(K), means, record)
    best = tb.log_complete_likelihood(tb.parameters_of(structure, at_best), x, labels)
    for _ in range(20):
        moved = jax.tree.map(lambda leaf: leaf * (1 + 0.02 * rng.normal(size=leaf.shape)), record)
        nearby = tb.parameters_of(structure, at_best._replace(covariance=moved))
        assert tb.log_complete_likelihood(nearby, x, labels) < best


@every_structure
def test_singular_covariances_are_seen_and_small_ones_are_not(structure):
    family = structure.family
    p = tb.random_parameters(np.random.default_rng(6), structure, K, D)
    small = tb.mixture_of(structure, p._replace(matrices=1e-20 * p.matrices))
    assert not np.asarray(family.is_singular(small)).any()
    record = small.covariance
    for bad in (0.0, np.nan):
        leaf = np.array(record[0])
        leaf.flat[0] = bad
        broken = np.asarray(family.is_singular(small._replace(covariance=type(record)(leaf))))
        assert broken.flat[0]
        assert not broken.flat[1:].any()


@pytest.mark.parametrize("name", ["full", "tied"])
def test_a_perfect_correlation_is_singular(name):
    """The factor of a rounded rank-one matrix has a pivot of rounding size, not zero."""
    structure = next(one for one in STRUCTURES if one.name == name)
    chol = np.array([[1.0, 0.0], [1.0, 1e-8]])
    record = structure.family.record(chol if structure.is_shared else chol[None])
    mixture = Mixture(np.zeros(1), np.zeros((1, 2)), record)
    assert np.asarray(structure.family.is_singular(mixture)).all()
    regular = jax.tree.map(lambda leaf: leaf + np.diag([0, 1e-6]), mixture)
    regular = mixture._replace(covariance=regular.covariance)
    assert not np.asarray(structure.family.is_singular(regular)).any()


@every_structure
def test_default_degrees_of_freedom_are_those_of_the_textbook(structure):
    for n_columns in (1, 2, 7):
        default = structure.family.default_degrees_of_freedom(n_columns)
        assert default == structure.default_nu(n_columns)
        assert default > structure.family.lowest_degrees_of_freedom(n_columns)


@every_structure
def test_a_prior_scale_takes_the_shape_of_the_family(structure):
    per_column = np.array([0.5, 1.0, 3.0])
    actual = structure.family.prior_scale(per_column)
    assert_close(actual, structure.scale(np.diag(per_column)), rtol=1e-14)
