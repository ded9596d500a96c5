"""Warnings point to the line of the user."""

import numpy as np
import pytest

import bayesgmm as bg

ROWS = np.random.default_rng(0).normal(size=(60, 2))


@pytest.mark.parametrize(
    "call",
    [
        lambda: bg.fit(np.r_[ROWS, np.zeros((20, 2))], bg.MixtureSpec(2), engine=bg.EM()),
        lambda: bg.GaussianMixture(2).fit(np.c_[ROWS, np.ones(60)]),
    ],
    ids=["fit", "estimator"],
)
def test_a_warning_names_the_file_that_called(call):
    with pytest.warns(bg.DataWarning) as seen:
        call()
    assert [one.filename for one in seen] == [__file__]
