"""Fits to report: a point, and a short posterior of real rows."""

import warnings

import matplotlib
import pytest

import bayesgmm as bg

matplotlib.use("Agg")


@pytest.fixture(scope="session")
def frame():
    return bg.datasets.penguins().frame[["flipper_length_mm", "bill_depth_mm", "body_mass_g"]]


@pytest.fixture(scope="session")
def point(frame):
    return bg.fit(frame, bg.MixtureSpec.maximum_likelihood(3), engine=bg.EM(n_init=3))


@pytest.fixture(scope="session")
def posterior(frame):
    engine = bg.Gibbs(n_chains=2, n_warmup=100, n_draws=150)
    return bg.fit(frame.iloc[:, :2], bg.MixtureSpec(max_components=8), engine=engine)


@pytest.fixture(scope="session")
def pages(point, posterior):
    with warnings.catch_warnings():
        # So short a run may leave chains apart, which is told.
        warnings.simplefilter("ignore", UserWarning)
        return {"point": bg.report(point), "posterior": bg.report(posterior, title="Penguins")}
