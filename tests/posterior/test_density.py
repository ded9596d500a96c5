import numpy as np
import pytest
from clustered import handmade
from quick import quick_compilation
from scipy.stats import multivariate_normal
from textbook import assert_close

import bayesgmm as bg

TRUTH = np.repeat([0, 1], [60, 40])


def rows_in(n_columns):
    centres = np.array([[0.0, 0.0], [5.0, 1.0]])[:, :n_columns]
    return np.random.default_rng(1).normal(centres[TRUTH])


@pytest.mark.parametrize("n_columns", [1, 2])
def test_density_integrates_to_one(n_columns):
    fit = handmade(rows_in(n_columns), TRUTH, [1.0, 1.0])
    # The trapezoidal rule on a smooth density that vanishes at both ends errs by next to nothing.
    axis = np.linspace(-12, 17, 300)
    grid = np.stack(np.meshgrid(*[axis] * n_columns), -1).reshape(-1, n_columns)
    total = np.exp(bg.log_density(fit, grid)).sum() * (axis[1] - axis[0]) ** n_columns
    assert_close(total, 1.0, rtol=1e-8)


def test_error_is_that_of_the_mean_over_draws():
    fit = handmade(rows_in(2), TRUTH, [1.0, 1.0])
    new = np.array([[0.0, 0.0], [2.5, 0.5], [8.0, 4.0]])
    found = bg.log_density_with_error(fit, new)
    assert_close(found.log_density, bg.log_density(fit, new))
    # These draws are independent; the error of a standard deviation from 40 batches is 1 / sqrt(80).
    draws = np.array([density(fit, draw, new) for draw in np.ndindex(2, 400)])
    expected = draws.std(0) / draws.mean(0) / np.sqrt(800)
    assert (np.abs(found.error / expected - 1) < 4 / np.sqrt(80)).all()
    assert_close(found.log_density, np.log(draws.mean(0)))


def density(fit, draw, rows):
    """p(x | draw) in SciPy."""
    mixture = fit.mixture
    components = zip(mixture.means[draw], mixture.covariance.chol[draw], strict=True)
    each = [multivariate_normal(mean, chol @ chol.T).pdf(rows) for mean, chol in components]
    return np.exp(mixture.log_weights[draw]) @ each


def test_error_takes_a_posterior():
    fit = bg.fit(rows_in(2), bg.MixtureSpec.maximum_likelihood(2))
    with pytest.raises(ValueError, match="Expected at least four draws per chain, got 1"):
        bg.log_density_with_error(fit, rows_in(2))


@pytest.mark.slow
def test_averaging_over_draws_predicts_better_than_maximum_likelihood():
    gains = []
    engine = bg.Gibbs(n_chains=2, n_warmup=200, n_draws=200, thin=2, progress=False)
    with quick_compilation():
        for seed in range(12):
            rng = np.random.default_rng(seed)
            old, new = rng.normal(np.tile([[0.0, 0.0], [3.0, 0.0]], (520, 1))).reshape(2, -1, 2)
            old = old[:40]
            posterior = bg.fit(old, bg.MixtureSpec(2), engine=engine, seed=seed)
            point = bg.fit(old, bg.MixtureSpec.maximum_likelihood(2), engine=bg.EM(n_init=5))
            gains.append((bg.log_density(posterior, new) - bg.log_density(point, new)).mean())
    error = np.std(gains, ddof=1) / np.sqrt(len(gains))
    assert np.mean(gains) > 2 * error
