"""The NumPyro model against the same model written by hand, and in the hands of a user."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
import textbook as tb
from jax.flatten_util import ravel_pytree
from numpyro import handlers
from numpyro.infer import MCMC, NUTS, SVI, Predictive, Trace_ELBO
from numpyro.infer.autoguide import AutoLaplaceApproximation, AutoNormal
from numpyro.infer.util import log_density
from quick import slow_after
from scipy import stats
from textbook import STRUCTURES, assert_close, assert_three_parts

from bayesgmm.data.dataset import Dataset
from bayesgmm.engines.numpyro_model import numpyro_model
from bayesgmm.model.priors import NormalInverseWishart
from bayesgmm.model.resolved import resolve
from bayesgmm.model.spec import MixtureSpec
from bayesgmm.model.weights import Dirichlet, DirichletProcess, SparseDirichlet
from bayesgmm.numerics.precision import to_numpy

N, D, K = 40, 2, 3
CONCENTRATION = 1.7
SCALE = 12.0

every_structure = pytest.mark.parametrize("structure", STRUCTURES, ids=lambda one: one.name)
full = STRUCTURES[0]


@pytest.fixture(scope="module")
def x():
    """Two clusters, in units of their own."""
    rng = np.random.default_rng(8)
    return 50 + 4 * np.concatenate([rng.normal(-3, 1, (N // 2, D)), rng.normal(3, 1, (N // 2, D))])


def spec_of(structure):
    weights, prior = Dirichlet(CONCENTRATION), NormalInverseWishart(scale=SCALE)
    return MixtureSpec(K, covariance=structure.name, weights=weights, prior=prior)


def in_engine_units(structure, x):
    """The rows, and the textbook's prior, in engine units."""
    data = Dataset.from_array(x)
    prior = resolve(spec_of(structure), data).prior
    kappa, nu = float(prior.mean_precision), float(prior.degrees_of_freedom)
    return data.scaled(), tb.Prior(prior.mean, kappa, nu, prior.scale)


# By hand -----------------------------------------------------------------------------------------
#
# Sites as the package documents them; every formula from the textbooks, in matrices.


def stick_proportions(t, alpha):
    """v from its coordinates: both tails of logit v stretched by their rates a and b."""
    a, b = alpha, alpha * jnp.arange(K - 1, 0, -1)
    right = jnp.logaddexp(0, t - jnp.log(1 + 1 / b)) / b
    left = jnp.logaddexp(0, -t - jnp.log(1 + 1 / a)) / a
    return jax.nn.sigmoid(t + right - left)


def weights_at(t, alpha=CONCENTRATION):
    v = stick_proportions(t, alpha)
    return jnp.append(v, 1.0) * jnp.append(1.0, jnp.cumprod(1 - v))


def triangle_at(raw):
    """Bartlett's T for D = 2."""
    return jnp.array([[jnp.exp(raw[0] / 2), 0.0], [raw[2], jnp.exp(raw[1] / 2)]])


def inverse_wishart_at(raw, prior):
    precision = triangle_at(raw).T @ triangle_at(raw)
    lower = jnp.linalg.cholesky(prior.scale)
    return lower @ jnp.linalg.inv(precision) @ lower.T


def matrices_at(structure, raw, prior):
    """Covariance matrices (K, D, D) at the coordinates."""
    if structure.name == "full":
        return jnp.stack([inverse_wishart_at(one, prior) for one in raw])
    if structure.name == "tied":
        return jnp.stack([inverse_wishart_at(raw, prior)] * K)
    variances = prior.scale * jnp.exp(-raw)
    if structure.name == "diag":
        return jax.vmap(jnp.diag)(variances)
    return variances[:, None, None] * jnp.eye(D)


def means_at(noise, matrices, prior):
    chol = jnp.linalg.cholesky(matrices)
    return prior.mean + jnp.einsum("kij,kj->ki", chol, noise) / jnp.sqrt(prior.kappa)


def parameters_at(structure, prior, values):
    """Weights, means and matrices of the values of the sites."""
    matrices = matrices_at(structure, values["covariances"], prior)
    return tb.Parameters(
        weights_at(values["sticks"]), means_at(values["mean_noise"], matrices, prior), matrices
    )


def by_hand(structure, prior, x):
    """The likelihood as NumPyro's manual would write it; the prior as flat sites."""
    shapes = shapes_of(structure)
    improper = {
        name: numpyro.sample(
            name, dist.ImproperUniform(dist.constraints.real, (), event_shape=shape)
        )
        for name, shape in shapes.items()
    }
    weights, means, matrices = parameters_at(structure, prior, improper)
    components = dist.MultivariateNormal(means, scale_tril=jnp.linalg.cholesky(matrices))
    mixture = dist.MixtureSameFamily(dist.Categorical(weights), components)
    numpyro.sample("x", mixture, obs=x)


def shapes_of(structure):
    raw = {"full": (K, 3), "tied": (3,), "diag": (K, D), "spherical": (K,)}[structure.name]
    return {"sticks": (K - 1,), "covariances": raw, "mean_noise": (K, D)}


def draw_values(structure, seed):
    rng = np.random.default_rng(seed)
    return {
        name: jnp.asarray(rng.normal(size=shape)) for name, shape in shapes_of(structure).items()
    }


def log_prior(structure, prior, values):
    """SciPy's density of the constrained parameters, times the Jacobian of the coordinates."""
    plain = tb.Parameters(*map(np.asarray, parameters_at(structure, prior, values)))
    of_parameters = tb.log_prior(structure, prior, plain, CONCENTRATION)
    return of_parameters + float(log_jacobian(structure, prior, values))


@partial(jax.jit, static_argnums=0)
def log_jacobian(structure, prior, values):
    """log |d (free weights, means, free covariances) / d coordinates|."""
    flat, unravel = ravel_pytree(values)

    def free(flat):
        weights, means, matrices = parameters_at(structure, prior, unravel(flat))
        return jnp.concatenate([weights[:-1], means.ravel(), free_entries(structure, matrices)])

    return jnp.linalg.slogdet(jax.jacfwd(free)(flat))[1]


def free_entries(structure, matrices):
    """The textbook's free covariance entries, traceable."""
    rows, columns = np.tril_indices(D)
    return {
        "full": lambda: matrices[:, rows, columns].ravel(),
        "tied": lambda: matrices[0, rows, columns],
        "diag": lambda: jnp.diagonal(matrices, axis1=1, axis2=2).ravel(),
        "spherical": lambda: matrices[:, 0, 0],
    }[structure.name]()


def log_joint_of(model, *args):
    return lambda values: log_density(model, args, {}, values)[0]


def value_and_gradient(model, *args):
    return jax.jit(jax.value_and_grad(log_joint_of(model, *args)))


@pytest.mark.parametrize("structure", slow_after(2, STRUCTURES, lambda one: one.name))
def test_value_and_gradient_are_scipys_prior_and_the_mixture_by_hand(structure, x):
    with jax.enable_x64(True):
        scaled, prior = in_engine_units(structure, x)
        model = numpyro_model(spec_of(structure), x)
        ours = value_and_gradient(model)
        likelihood = value_and_gradient(by_hand, structure, prior, scaled)
        of_prior = value_and_gradient(handlers.block(model, hide=["log_likelihood"]))
        for values in (draw_values(structure, seed) for seed in range(3)):
            value, gradient = ours(values)
            expected, expected_gradient = likelihood(values)
            _, prior_gradient = of_prior(values)
            assert_close(value, expected + log_prior(structure, prior, values), rtol=1e-9)
            for name, leaf in gradient.items():
                added = expected_gradient[name] + prior_gradient[name]
                assert_close(leaf, added, rtol=1e-9, atol=1e-9 * np.abs(added).max())
        assert_slope(partial(log_prior, structure, prior), values, prior_gradient)


def assert_slope(function, values, gradient, step=1e-5):
    """The gradient, along one direction, is the central difference of the function."""
    rng = np.random.default_rng(6)
    direction = {name: rng.normal(size=value.shape) for name, value in values.items()}
    slope = sum(np.vdot(direction[name], gradient[name]) for name in values)
    forward, backward = (
        function({name: values[name] + h * direction[name] for name in values})
        for h in (step, -step)
    )
    assert_close(slope, (forward - backward) / (2 * step), rtol=1e-6)


@pytest.mark.parametrize("make", [SparseDirichlet, DirichletProcess])
@pytest.mark.parametrize("alpha", [0.3, 2.0])
def test_concentration_has_its_hyperprior_and_the_sticks_follow_it(make, alpha, x):
    prior = NormalInverseWishart(scale=SCALE)
    model = numpyro_model(MixtureSpec(max_components=K, weights=make(), prior=prior), x)
    with jax.enable_x64(True):
        values = draw_values(full, 3) | {"concentration": jnp.asarray(alpha)}
        trace = handlers.trace(handlers.substitute(model, data=values)).get_trace()
        log_probs = [
            float(trace[name]["fn"].log_prob(values[name])) for name in ("concentration", "sticks")
        ]
        rate = 20 if make is SparseDirichlet else 4
        shape = 1 if make is SparseDirichlet else 2
        a, b = make(alpha).sticks(alpha, K)
        expected = log_stick_density(values["sticks"], a, b)
    assert_close(log_probs, [stats.gamma.logpdf(alpha, shape, scale=1 / rate), expected], rtol=1e-9)


def log_stick_density(t, a, b):
    """SciPy's Beta density of v(t), times |dv / dt|."""

    def proportions(t):
        right = jnp.logaddexp(0, t - jnp.log(1 + 1 / b)) / b
        left = jnp.logaddexp(0, -t - jnp.log(1 + 1 / a)) / a
        return jax.nn.sigmoid(t + right - left)

    slope = jnp.diagonal(jax.jacfwd(proportions)(t))
    return stats.beta.logpdf(proportions(t), a, b).sum() + np.log(slope).sum()


# In a user's hands -------------------------------------------------------------------------------


@pytest.mark.parametrize("structure", STRUCTURES[:2], ids=lambda one: one.name)
def test_prior_predictive_draws_rows_in_the_units_of_the_data(structure, x):
    model = numpyro_model(spec_of(structure), x)
    with jax.enable_x64(True):
        predictive = Predictive(model, num_samples=50)
        draws = to_numpy(predictive(jax.random.key(1), observed=False))
    assert draws["x"].shape == (50, N, D)
    assert draws["weights"].shape == (50, K)
    assert draws["covariance_matrices"].shape == (50, K, D, D)
    assert_close(draws["weights"].sum(-1), np.ones(50))
    assert (np.linalg.eigvalsh(np.asarray(draws["covariance_matrices"])) > 0).all()
    middle = (x.min(0) + x.max(0)) / 2
    assert (np.abs(np.median(np.asarray(draws["x"]), (0, 1)) - middle) < 10 * np.ptp(x, 0)).all()


@pytest.mark.slow
def test_drawn_rows_follow_the_drawn_mixture(x):
    """Rows of one drawn mixture, against its own density's first moment."""
    model = numpyro_model(spec_of(full), x)
    with jax.enable_x64(True):
        trace = handlers.trace(handlers.seed(model, jax.random.key(3))).get_trace(observed=False)
        values = {name: trace[name]["value"] for name in ("sticks", "covariances")}
        fixed = handlers.substitute(model, data=values | {"mean_noise": jnp.zeros((K, D))})
        draws = Predictive(fixed, num_samples=200)(jax.random.key(4), observed=False)
    weights, means, matrices = (
        np.asarray(draws[name][0]) for name in ("weights", "means", "covariance_matrices")
    )
    rows, centre = np.asarray(draws["x"]), weights @ means
    offsets = rows - centre
    second = np.einsum("k,kij->ij", weights, matrices + outer(means - centre))
    tb.assert_mean(rows.mean(1), centre)
    tb.assert_mean(np.einsum("sni,snj->sij", offsets, offsets) / N, second)


def outer(vectors):
    return vectors[:, :, None] * vectors[:, None, :]


def with_regression(model, z, y):
    """A larger model around the mixture: y depends on z, and the mixture stands beside it."""
    mixture = model()
    slope = numpyro.sample("slope", dist.Normal(0, 10))
    numpyro.sample("y", dist.Normal(slope * z + mixture.means.mean(), 1.0), obs=y)


@cache
def regression_data():
    rng = np.random.default_rng(2)
    z = rng.normal(size=30)
    return z, 2.5 * z + 50 + rng.normal(size=30)


@pytest.mark.slow
def test_larger_model_samples_with_the_users_own_nuts(x):
    z, y = regression_data()
    model = partial(with_regression, numpyro_model(MixtureSpec(2), x), z, y)
    with jax.enable_x64(True):
        mcmc = MCMC(NUTS(model), num_warmup=100, num_samples=100, progress_bar=False)
        mcmc.run(jax.random.key(0))
        draws = to_numpy(mcmc.get_samples())
    assert draws["weights"].shape == (100, 2)
    assert_close(draws["weights"].sum(-1), np.ones(100))
    assert abs(float(draws["slope"].mean()) - 2.5) < 1


@pytest.mark.slow
@pytest.mark.parametrize("is_double", slow_after(1, [True, False]))
def test_svi_descends_in_the_precision_of_the_caller(x, is_double):
    model = numpyro_model(MixtureSpec(2), x)
    with jax.enable_x64(is_double):
        optimiser = numpyro.optim.Adam(0.02)
        svi = SVI(model, AutoNormal(model), optimiser, Trace_ELBO())
        run = jax.jit(lambda key: svi.run(key, 300, progress_bar=False).losses)
        losses = np.asarray(run(jax.random.key(0)))
    assert losses.dtype == (np.float64 if is_double else np.float32)
    assert np.isfinite(losses).all()
    assert losses[-50:].mean() < losses[:50].mean()


def test_single_precision_agrees_with_double(x):
    model = numpyro_model(spec_of(full), x)
    values = jax.tree.map(np.asarray, draw_values(full, 6))
    single = jax.tree.map(np.float32, values)
    value, gradient = value_and_gradient(model)(single)
    with jax.enable_x64(True):
        exact, exact_gradient = value_and_gradient(model)(values)
        exact, exact_gradient = jax.tree.map(np.asarray, (exact, exact_gradient))
    assert value.dtype == np.float32
    assert_close(value, exact, rtol=1e-3)
    for name, leaf in gradient.items():
        assert leaf.dtype == np.float32
        size = np.abs(exact_gradient[name]).max()
        assert_close(leaf, exact_gradient[name], rtol=0, atol=1e-3 * size)


@pytest.mark.slow
def test_hessian_is_the_difference_of_gradients(x):
    with jax.enable_x64(True):
        log_joint = log_joint_of(numpyro_model(spec_of(full), x))
        values = draw_values(full, 7)
        flat, unravel = ravel_pytree(values)
        gradient = jax.jit(jax.grad(lambda flat: log_joint(unravel(flat))))
        hessian = jax.jit(jax.jacfwd(gradient))(flat)
        steps = 1e-5 * jnp.eye(flat.size)
        numeric = jax.vmap(lambda step: (gradient(flat + step) - gradient(flat - step)) / 2e-5)(
            steps
        )
    assert_close(hessian, hessian.T, atol=1e-8 * np.abs(hessian).max())
    assert_close(hessian, numeric, rtol=1e-5, atol=1e-6 * np.abs(numeric).max())


@pytest.mark.slow
def test_laplace_approximation_works(x):
    model = numpyro_model(MixtureSpec(1), x)
    with jax.enable_x64(True):
        guide = AutoLaplaceApproximation(model)
        svi = SVI(model, guide, numpyro.optim.Adam(0.05), Trace_ELBO())
        parameters = svi.run(jax.random.key(0), 500, progress_bar=False).params
        draws = guide.sample_posterior(jax.random.key(1), parameters, sample_shape=(20,))
        assert np.isfinite(np.asarray(draws["means"])).all()


def test_log_likelihood_site_is_scipys(x):
    with jax.enable_x64(True):
        seeded = handlers.seed(numpyro_model(spec_of(full), x), jax.random.key(11))
        trace = handlers.trace(seeded).get_trace()
        mixture = seeded()
        scale = float(Dataset.from_array(x).affine.scale)
        factor = trace["log_likelihood"]["fn"].log_factor
    expected = tb.log_likelihood(tb.parameters_of(full, mixture), x)
    assert_close(factor, expected + N * D * np.log(scale), rtol=1e-9)


def test_refuses_a_model_without_priors(x):
    with pytest.raises(ValueError, match="maximum likelihood") as error:
        numpyro_model(MixtureSpec.maximum_likelihood(2), x)
    assert_three_parts(str(error.value), "bg.EM()")
