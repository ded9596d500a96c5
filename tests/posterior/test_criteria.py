import numpy as np
import pytest
import sklearn.mixture
import textbook as tb
from diagnostics.draws import posterior_of_draws
from textbook import assert_close, assert_three_parts

import bayesgmm as bg
from bayesgmm.posterior import density

X = np.random.default_rng(3).normal([[0, 0, 1]] * 50 + [[3, 1, 0]] * 40) * [1, 20, 0.3] + [5, 0, 9]
NEW = np.random.default_rng(4).normal(size=(17, 3)) * [1, 20, 0.3] + [5, 0, 9]


@pytest.fixture(scope="module", params=tb.STRUCTURES, ids=lambda one: one.name)
def structure(request):
    return request.param


@pytest.fixture(scope="module")
def fit(structure):
    spec = bg.MixtureSpec.maximum_likelihood(2, structure.name)
    return bg.fit(X, spec, engine=bg.EM(max_iter=20, tol=0, progress=False))


@pytest.fixture(scope="module")
def peer(fit, structure):
    """scikit-learn's mixture with the same parameters, counted as of its structure."""
    parameters = tb.parameters_of(structure, fit.mixture)
    counted = sklearn.mixture.GaussianMixture(2, covariance_type=structure.name).fit(X)
    full = sklearn.mixture.GaussianMixture(2).fit(X)
    full.weights_, full.means_ = parameters.weights, parameters.means
    full.precisions_cholesky_ = np.linalg.cholesky(np.linalg.inv(parameters.matrices))
    full._n_parameters = counted._n_parameters
    return full


@pytest.mark.parametrize("rows", [None, NEW], ids=["fitted", "new"])
def test_aic_and_bic_are_those_of_scikit_learn(fit, peer, rows):
    ours, seen = bg.information_criteria(fit, rows), X if rows is None else rows
    assert ours.n_parameters == peer._n_parameters()
    assert_close(ours.log_likelihood, peer.score_samples(seen).sum())
    assert_close(ours.aic, peer.aic(seen))
    assert_close(ours.bic, peer.bic(seen))


def test_icl_by_hand(fit, structure):
    ours = bg.information_criteria(fit)
    largest = tb.responsibilities(tb.parameters_of(structure, fit.mixture), X).max(1)
    assert_close(ours.icl, ours.bic - 2 * np.log(largest).sum())
    assert ours.icl > ours.bic


def test_log_likelihood_is_that_of_the_fit(fit):
    assert_close(bg.information_criteria(fit).log_likelihood, fit.log_likelihood)


def test_blocks_of_rows_add_up(fit, monkeypatch):
    whole = bg.information_criteria(fit)
    monkeypatch.setattr(density, "LONGEST_BLOCK", 16)
    assert_close(bg.information_criteria(fit), whole, rtol=1e-13)


def test_icl_is_bic_where_no_row_is_in_doubt(structure):
    apart = np.concatenate([X, X + 1000])
    spec = bg.MixtureSpec.maximum_likelihood(2, structure.name)
    ours = bg.information_criteria(bg.fit(apart, spec, engine=bg.EM(progress=False)))
    assert ours.icl == pytest.approx(ours.bic, rel=1e-12)


def test_the_estimator_gives_the_same_numbers():
    model = bg.GaussianMixture(2, random_state=0).fit(X)
    expected = bg.information_criteria(model.fit_, NEW)
    assert model.aic(NEW) == expected.aic
    assert model.bic(NEW) == expected.bic
    assert model.icl(NEW) == expected.icl


def test_a_posterior_is_referred_to_loo():
    data = bg.Dataset.from_array(X[:, :2])
    posterior = posterior_of_draws(data, bg.MixtureSpec(3), n_chains=1, n_draws=2)
    with pytest.raises(ValueError, match="Expected a point fit") as refused:
        bg.information_criteria(posterior)
    assert_three_parts(str(refused.value), "posterior", "bg.loo", "bg.waic")
