"""Replicated data follow the mixture they were drawn from."""

from dataclasses import replace

import numpy as np
import pytest
from diagnostics.draws import posterior_of_draws
from numpy.testing import assert_allclose

import bayesgmm as bg
from bayesgmm.diagnostics.replicates import replicated_data
from bayesgmm.model.mixture import Diagonal, Full, Mixture, Spherical, Tied

N = 20_000
WEIGHTS = np.array([0.7, 0.0, 0.3])
MEANS = np.array([[0.0, 1.0], [np.nan, np.nan], [2.0, -1.0]])
CHOL = np.array([[0.5, 0.0], [0.3, 0.4]])
RECORDS = {
    "full": Full(np.stack([CHOL, CHOL, 2 * CHOL])),
    "tied": Tied(CHOL),
    "diag": Diagonal(np.array([[0.5, 1.0], [1.0, 1.0], [2.0, 0.1]])),
    "spherical": Spherical(np.array([0.5, 1.0, 0.2])),
}


def fit_of(family):
    """One draw, its second component absent; engine units are far from the data's."""
    data = bg.Dataset.from_array(np.random.default_rng(0).normal([1e4, 0], 50, (N, 2)))
    spec = bg.MixtureSpec(n_components=3)
    fit = posterior_of_draws(data, spec, n_chains=1, n_draws=1)
    with np.errstate(divide="ignore"):
        scaled = Mixture(np.log(WEIGHTS), MEANS, RECORDS[family])
    leading = Mixture(*(np.asarray(leaf)[None, None] for leaf in scaled[:2]), None)
    record = type(scaled.covariance)(scaled.covariance[0][None, None])
    model = bg.resolve(replace(spec, covariance=family), data)
    return replace(fit, model=model, scaled=leading._replace(covariance=record))


@pytest.mark.parametrize("family", RECORDS)
def test_means_and_covariances_are_those_of_the_mixture(family):
    fit = fit_of(family)
    (rows,) = fit.model.affine.forward(replicated_data(fit, np.array([0])))
    record = RECORDS[family]
    matrices = [
        {
            "full": lambda k: record[0][k] @ record[0][k].T,
            "tied": lambda _: CHOL @ CHOL.T,
            "diag": lambda k: np.diag(record[0][k] ** 2),
            "spherical": lambda k: record[0][k] ** 2 * np.eye(2),
        }[family](k)
        for k in (0, 2)
    ]
    weights, means = WEIGHTS[[0, 2]], MEANS[[0, 2]]
    centre = weights @ means
    away = means - centre
    covariance = sum(
        w * (m + np.outer(a, a)) for w, m, a in zip(weights, matrices, away, strict=True)
    )
    # 5 standard errors each; that of a product from the products themselves.
    errors = 5 * np.sqrt(np.diag(covariance) / N)
    assert (np.abs(rows.mean(0) - centre) < errors).all()
    products = (rows - centre)[:, :, None] * (rows - centre)[:, None]
    assert (np.abs(products.mean(0) - covariance) < 5 * products.std(0) / np.sqrt(N)).all()


def test_rows_come_in_no_order():
    fit = fit_of("spherical")
    (rows,) = fit.model.affine.forward(replicated_data(fit, np.array([0])))
    is_right = rows[:, 0] > 1
    halves = is_right[: N // 2].mean(), is_right[N // 2 :].mean()
    # 5 standard errors of the difference of two shares of 0.3.
    assert_allclose(*halves, rtol=0, atol=5 * np.sqrt(2 * 0.21 / (N / 2)))
