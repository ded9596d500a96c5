import jax
import numpy as np
import numpyro.distributions as dist
import pytest
import textbook as tb
from textbook import STRUCTURES, assert_close, assert_three_parts

from bayesgmm.data.dataset import Dataset
from bayesgmm.model.priors import NormalInverseWishart
from bayesgmm.model.resolved import resolve
from bayesgmm.model.spec import MixtureSpec
from bayesgmm.model.weights import SparseDirichlet

N, D, K = 30, 3, 2

every_structure = pytest.mark.parametrize("structure", STRUCTURES, ids=lambda one: one.name)


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(N, D)) * [1.0, 2.0, 5.0] + [0.0, 10.0, -3.0]


def model_of(x, structure, **settings):
    return resolve(
        MixtureSpec(K, covariance=structure.name, prior=NormalInverseWishart(**settings)),
        Dataset.from_array(x),
    )


def common_scale(x):
    return np.sqrt(x.var(0).mean())


# Defaults ----------------------------------------------------------------------------------------


@every_structure
def test_default_numbers_follow_from_location_and_range(x, structure):
    """Frühwirth-Schnatter, Malsiner-Walli & Grün (2021), section 5.2, with twice their c0 and g0."""
    numbers = model_of(x, structure).prior_in_data_units
    ranges = np.ptp(x, axis=0)
    assert_close(numbers["mean"], (x.min(0) + x.max(0)) / 2)
    assert_close(numbers["mean_precision"], 0.001)
    if structure.name in ("full", "tied"):
        assert_close(numbers["degrees_of_freedom"], D + 4)
        assert_close(numbers["scale_degrees_of_freedom"], D)
        assert_close(numbers["scale_rate"], np.diag(100 * D / (D + 4) / ranges**2))
    else:
        assert_close(numbers["degrees_of_freedom"], 5)
        assert_close(numbers["scale_shape"], 0.5)
        assert_close(numbers["scale_rate"], 10 / structure.scale(np.diag(ranges**2)))


@every_structure
def test_given_scale_has_the_weakest_degrees_of_freedom_with_a_mean(x, structure):
    numbers = model_of(x, structure, scale=2.0).prior_in_data_units
    assert_close(numbers["degrees_of_freedom"], structure.default_nu(D))


@every_structure
def test_engine_units_are_centred_and_divided_by_one_scale(x, structure):
    model, s = model_of(x, structure), common_scale(x)
    prior, numbers = model.prior, model.prior_in_data_units
    assert_close(prior.mean, (numbers["mean"] - x.mean(0)) / s)
    assert_close(model.scale_prior.rate, numbers["scale_rate"] * s**2)
    assert_close(prior.scale, model.scale_prior.mean())
    assert_close(prior.mean_precision, 0.001)
    assert_close(prior.degrees_of_freedom, numbers["degrees_of_freedom"])
    leaves = jax.tree.leaves((prior, model.scale_prior))
    assert all(isinstance(leaf, np.ndarray) for leaf in leaves)
    fixed = model_of(x, structure, scale=2.0)
    assert_close(fixed.prior.scale, fixed.prior_in_data_units["scale"] / s**2)
    assert fixed.scale_prior is None


@every_structure
@pytest.mark.parametrize("factor", [1e-9, 3.7, 1e12])
def test_defaults_do_not_see_offset_and_unit(x, structure, factor):
    shift = factor * np.array([1e4, -20.0, 0.3])
    before = model_of(x, structure)
    after = model_of(factor * x + shift, structure)
    news, olds = (jax.tree.leaves((one.prior, one.scale_prior)) for one in (after, before))
    for new, old in zip(news, olds, strict=True):
        assert_close(new, old, rtol=1e-9, atol=1e-9)
    old, new = before.prior_in_data_units, after.prior_in_data_units
    assert_close(new["mean"], factor * old["mean"] + shift, rtol=1e-9, atol=0)
    assert_close(new["scale_rate"], old["scale_rate"] / factor**2, rtol=1e-9, atol=0)


# A user's numbers --------------------------------------------------------------------------------


@every_structure
def test_a_users_prior_is_a_density_in_the_users_units(x, structure):
    """log p(theta in engine units) = log p(theta in data units) + log |d theta / d engine|."""
    rng = np.random.default_rng(1)
    textbook = tb.random_prior(rng, structure, D)
    model = model_of(
        x,
        structure,
        mean=textbook.mean,
        mean_precision=textbook.kappa,
        degrees_of_freedom=textbook.nu,
        scale=textbook.scale,
    )
    p = tb.random_parameters(rng, structure, K, D)
    s = common_scale(x)
    scaled = p._replace(means=(p.means - x.mean(0)) / s, matrices=p.matrices / s**2)
    actual = model.prior.log_density(scaled.means, structure.record(scaled.matrices))
    n_variances = structure.n_parameters(K, D)
    log_det = (K * D + 2 * n_variances) * np.log(s)
    assert_close(actual, tb.log_component_prior(structure, textbook, p) + log_det)


@every_structure
def test_a_scale_may_be_a_number_or_a_diagonal(x, structure):
    number = model_of(x, structure, scale=2.5).prior_in_data_units["scale"]
    assert_close(number, structure.scale(2.5 * np.eye(D)))
    diagonal = model_of(x, structure, scale=[1.0, 2.0, 6.0]).prior_in_data_units["scale"]
    assert_close(diagonal, structure.scale(np.diag([1.0, 2.0, 6.0])))


def test_one_number_serves_as_the_mean_of_every_column(x):
    model = model_of(x, STRUCTURES[0], mean=2.0)
    np.testing.assert_array_equal(model.prior_in_data_units["mean"], [2.0, 2.0, 2.0])


def test_weights_become_explicit(x):
    sparse = resolve(MixtureSpec(weights=SparseDirichlet()), Dataset.from_array(x))
    assert float(sparse.weights.concentration.rate) == 20
    assert sparse.n_components == 20
    without = resolve(MixtureSpec.maximum_likelihood(2), Dataset.from_array(x))
    assert without.weights is None
    assert without.prior is None


@every_structure
def test_number_of_parameters(x, structure):
    expected = K - 1 + K * D + structure.n_parameters(K, D)
    assert model_of(x, structure).n_parameters == expected


# Printing ----------------------------------------------------------------------------------------


@every_structure
@pytest.mark.parametrize("factor", [1e-7, 1.0, 1e7])
def test_a_model_prints_every_number_in_the_data_units(x, structure, factor):
    """Four digits of every number can be read back from the text, whatever the units."""
    model = model_of(factor * x, structure)
    text = str(model)
    shown = numbers_in(text[text.index("mean ") :])
    for name, value in model.prior_in_data_units.items():
        assert name in text
        for number in np.ravel(value):
            assert np.isclose(shown, number, rtol=6e-4, atol=0).any(), (name, number, text)


def numbers_in(text):
    for bracket in "[]=":
        text = text.replace(bracket, " ")
    found = []
    for word in text.split():
        try:
            found.append(float(word))
        except ValueError:
            continue
    return np.array(found)


def test_a_model_prints_names_size_and_weights(x):
    data = Dataset.from_array(x, names=["height", "width", "depth"])
    spec = MixtureSpec(max_components=7, weights=SparseDirichlet())
    text = str(resolve(spec, data))
    for word in (
        "at most 7",
        "full",
        "height, width, depth",
        "SparseDirichlet",
        "Gamma",
        "rate=20",
    ):
        assert word in text
    assert "no prior" in str(resolve(MixtureSpec.maximum_likelihood(2), data))


# Refusals ----------------------------------------------------------------------------------------

TILTED = [[1.0, 0.5, 0.0], [0.1, 1.0, 0.0], [0.0, 0.0, 1.0]]
INDEFINITE = [[1.0, 2.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 1.0]]

BAD_PRIORS = {
    "degrees of freedom at the bound": {"degrees_of_freedom": D - 1},
    "degrees of freedom below": {"degrees_of_freedom": -1.0},
    "degrees of freedom nan": {"degrees_of_freedom": np.nan},
    "degrees of freedom infinite": {"degrees_of_freedom": np.inf},
    "degrees of freedom many": {"degrees_of_freedom": [5.0, 6.0]},
    "mean precision zero": {"mean_precision": 0.0},
    "mean precision negative": {"mean_precision": -0.1},
    "mean precision nan": {"mean_precision": np.nan},
    "mean precision infinite": {"mean_precision": np.inf},
    "mean precision many": {"mean_precision": [1.0, 2.0]},
    "mean too long": {"mean": np.zeros(D + 1)},
    "mean a table": {"mean": np.zeros((1, D))},
    "mean nan": {"mean": [0.0, np.nan, 0.0]},
    "scale zero": {"scale": 0.0},
    "scale negative": {"scale": [1.0, -1.0, 1.0]},
    "scale nan": {"scale": [1.0, np.nan, 1.0]},
    "scale too long": {"scale": np.ones(D + 1)},
    "scale too large": {"scale": np.eye(D + 1)},
    "scale indefinite": {"scale": INDEFINITE},
    "scale asymmetric": {"scale": TILTED},
    "scale asymmetric in small units": {"scale": 1e-12 * np.array(TILTED)},
}


@pytest.mark.parametrize("settings", BAD_PRIORS.values(), ids=BAD_PRIORS)
def test_a_prior_outside_its_domain_is_refused(x, settings):
    with pytest.raises(ValueError, match="Expected") as caught:
        model_of(x, STRUCTURES[0], **settings)
    assert_three_parts(str(caught.value), "NormalInverseWishart")


@every_structure
def test_degrees_of_freedom_have_the_bound_of_the_family(x, structure):
    bound = 0 if structure.name in ("diag", "spherical") else D - 1
    assert structure.family.lowest_degrees_of_freedom(D) == bound
    model_of(x, structure, degrees_of_freedom=bound + 1e-3)
    with pytest.raises(ValueError, match=structure.name) as caught:
        model_of(x, structure, degrees_of_freedom=bound)
    assert_three_parts(str(caught.value))


@pytest.mark.parametrize("structure", STRUCTURES[2:], ids=lambda one: one.name)
def test_a_matrix_is_no_scale_of_independent_columns(x, structure):
    with pytest.raises(ValueError, match="shape") as caught:
        model_of(x, structure, scale=np.eye(D))
    assert_three_parts(str(caught.value))


@pytest.mark.filterwarnings("ignore:Columns .* are constant")
def test_a_constant_column_needs_a_scale(x):
    x[:, 1] = 4.0
    with pytest.raises(ValueError, match="x1") as caught:
        model_of(x, STRUCTURES[0])
    assert_three_parts(str(caught.value))
    assert model_of(x, STRUCTURES[0], scale=1.0).prior is not None


def test_more_components_than_rows_or_distinct_rows_are_refused(x):
    for rows in (x[:4], np.repeat(x[:4], 5, axis=0)):
        with pytest.raises(ValueError, match="n_components") as caught:
            resolve(MixtureSpec(5), Dataset.from_array(rows))
        assert_three_parts(str(caught.value))
        assert resolve(MixtureSpec(4), Dataset.from_array(rows)).n_components == 4


def test_a_bound_may_exceed_the_rows(x):
    assert resolve(MixtureSpec(max_components=20), Dataset.from_array(x[:4])).n_components == 20


def test_a_bad_concentration_is_refused_when_the_model_is_made(x):
    spec = MixtureSpec(weights=SparseDirichlet(dist.Normal(0, 1)))
    with pytest.raises(ValueError, match="SparseDirichlet") as caught:
        resolve(spec, Dataset.from_array(x))
    assert_three_parts(str(caught.value))
