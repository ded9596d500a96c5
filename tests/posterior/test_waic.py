import arviz as az
import numpy as np
import pytest
from diagnostics.draws import posterior_of_draws
from textbook import assert_close, assert_three_parts

import bayesgmm as bg
from bayesgmm.posterior import density


@pytest.fixture(scope="module")
def fit():
    random = np.random.default_rng(5)
    rows = np.concatenate([random.normal(0, 1, (40, 2)), random.normal(6, 1, (30, 2))])
    return posterior_of_draws(
        bg.Dataset.from_array(rows), bg.MixtureSpec(max_components=3), n_chains=4, n_draws=100
    )


@pytest.mark.parametrize("longest", [16, 8192])
def test_it_is_the_formula(fit, longest, monkeypatch):
    monkeypatch.setattr(density, "LONGEST_BLOCK", longest)
    found = bg.waic(fit)
    values = bg.pointwise_log_likelihood(fit).reshape(400, 70)
    variances = values.var(0, ddof=1)
    elpd_i = np.log(np.exp(values).mean(0)) - variances
    assert_close(found.elpd_i, elpd_i)
    assert_close(found.elpd, elpd_i.sum())
    assert_close(found.se, np.sqrt(70 * elpd_i.var(ddof=1)))
    assert_close(found.p, variances.sum())
    assert (found.n_samples, found.n_data_points, found.warning) == (400, 70, False)


def test_it_is_near_leave_one_out(fit):
    """Where both can be trusted they differ by less than the parameters they count."""
    assert abs(bg.waic(fit).elpd - bg.loo(fit).elpd) < 0.1 * bg.loo(fit).p


def test_the_estimator_gives_the_same(fit):
    model = bg.BayesianGaussianMixture()
    model.fit_ = fit
    assert model.waic().elpd == bg.waic(fit).elpd


def test_arviz_compares_it(fit):
    table = az.compare({"one": bg.waic(fit), "other": bg.waic(fit)})
    assert list(table["rank"]) == [0, 1]


def test_a_row_with_a_large_variance_is_warned_of():
    rows = np.random.default_rng(1).normal(size=(60, 2))
    rows[17] = 9
    data = bg.Dataset.from_array(rows)
    wide = posterior_of_draws(data, bg.MixtureSpec(3), n_chains=1, n_draws=200)
    with pytest.warns(UserWarning, match="variance") as said:
        assert bg.waic(wide).warning
    assert_three_parts(str(said[0].message), "of 60 rows", "bg.loo")
    assert said[0].filename == __file__
