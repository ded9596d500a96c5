from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from textbook import assert_three_parts

from bayesgmm.model.families import FAMILIES
from bayesgmm.model.priors import NormalInverseWishart
from bayesgmm.model.spec import MixtureSpec
from bayesgmm.model.weights import (
    Dirichlet,
    DirichletProcess,
    MixtureOfFiniteMixtures,
    SparseDirichlet,
)

BAD = {
    "covariance": {"covariance": "round"},
    "covariance of another type": {"covariance": ["full"]},
    "no components": {"n_components": 0},
    "negative": {"n_components": -2},
    "half a component": {"n_components": 2.5},
    "float": {"n_components": 3.0},
    "word": {"n_components": "many"},
    "truth value": {"n_components": True},
    "nothing": {"n_components": None},
    "bound too low": {"n_components": "auto", "max_components": 1},
    "bound a fraction": {"n_components": "auto", "max_components": 7.5},
    "bound a word": {"max_components": "auto"},
    "fixed weights with auto": {"n_components": "auto", "weights": Dirichlet(1.0)},
    "no weights with auto": {"n_components": "auto", "weights": None, "prior": None},
    "weights a number": {"n_components": 3, "weights": 1.0},
    "weights a word": {"n_components": 3, "weights": "uniform"},
    "weights a class": {"n_components": 3, "weights": Dirichlet},
    "prior on components only": {"n_components": 3, "weights": None},
    "prior on weights only": {"n_components": 3, "prior": None},
    "prior a number": {"n_components": 3, "prior": 3.0},
    "prior a class": {"n_components": 3, "prior": NormalInverseWishart},
}


@pytest.mark.parametrize("settings", BAD.values(), ids=BAD)
def test_bad_settings_are_refused_with_three_parts(settings):
    with pytest.raises(ValueError, match="Expected") as caught:
        MixtureSpec(**settings)
    assert_three_parts(str(caught.value))


def test_defaults():
    spec = MixtureSpec()
    assert (spec.n_components, spec.max_components, spec.covariance) == ("auto", 20, "full")
    assert spec.weights == MixtureOfFiniteMixtures()
    assert spec.prior == NormalInverseWishart()
    assert (spec.is_auto, spec.is_maximum_likelihood, spec.size) == (True, False, 20)


def test_a_given_number_has_dirichlet_weights():
    spec = MixtureSpec(3)
    assert spec.weights == Dirichlet(1.0)
    assert (spec.is_auto, spec.size) == (False, 3)


@pytest.mark.parametrize("number", [1, 7, np.int64(3), np.int32(2)])
def test_any_whole_number_counts(number):
    assert MixtureSpec(number).size == number


@pytest.mark.parametrize("covariance", FAMILIES)
def test_maximum_likelihood_has_no_priors(covariance):
    spec = MixtureSpec.maximum_likelihood(3, covariance)
    assert spec.is_maximum_likelihood
    assert (spec.weights, spec.prior, spec.covariance) == (None, None, covariance)


@pytest.mark.parametrize("weights", [SparseDirichlet(0.1), DirichletProcess(2.0)])
def test_growing_weights_serve_auto_and_a_number(weights):
    assert MixtureSpec(max_components=5, weights=weights).size == 5
    assert MixtureSpec(4, weights=weights).size == 4


def test_a_specification_is_static():
    assert MixtureSpec(3) == MixtureSpec(3)
    assert hash(MixtureSpec(3)) == hash(MixtureSpec(3))
    with pytest.raises(FrozenInstanceError):
        MixtureSpec(3).n_components = 4
