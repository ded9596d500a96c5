"""Fits to judge: a point by EM, and posteriors of independent draws written down by hand."""

import numpy as np
import pytest
from diagnostics.draws import posterior_of_draws

import bayesgmm as bg


@pytest.fixture(scope="session")
def data():
    random = np.random.default_rng(5)
    rows = np.concatenate([random.normal(0, 1, (40, 2)), random.normal(6, 1, (30, 2))])
    return bg.Dataset.from_array(rows, names=["length", "width"])


@pytest.fixture(scope="session")
def point(data):
    spec = bg.MixtureSpec.maximum_likelihood(2)
    return bg.fit(data, spec, engine=bg.EM(n_init=4, tol=1e-9, max_iter=500), seed=1)


@pytest.fixture(scope="session")
def posterior(data):
    """Four chains of 300 independent draws: everything a sampler could wish for."""
    return posterior_of_draws(data, bg.MixtureSpec(max_components=4), n_chains=4, n_draws=300)
