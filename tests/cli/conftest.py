"""Tables to read, and a sampler that takes no time."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
from command_line import repeated

import bayesgmm as bg
from bayesgmm.cli import plan, results

matplotlib.use("Agg")


@pytest.fixture(scope="session")
def frame():
    random = np.random.default_rng(0)
    values = np.concatenate([random.normal(0, 1, (20, 2)), random.normal(8, 1, (15, 2))])
    return pd.DataFrame(values, columns=["a", "b"])


@pytest.fixture
def table(tmp_path, frame):
    """Two columns of numbers and one of text."""
    path = tmp_path / "table.csv"
    frame.assign(name="text").to_csv(path, index=False)
    return path


@pytest.fixture
def numbers(tmp_path, frame):
    """Two columns of numbers."""
    path = tmp_path / "numbers.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture
def quick(monkeypatch):
    """No sampling, and a short page: the report has its own tests."""

    def short(fit, path, title, speech, **known):
        path.write_text(f"<h1>{title}</h1>", encoding="utf-8")

    monkeypatch.setattr(plan, "sample", repeated)
    monkeypatch.setattr(results, "write_report", short)


@pytest.fixture(scope="session")
def point(frame):
    return bg.fit(frame, bg.MixtureSpec.maximum_likelihood(2), engine=bg.EM())


@pytest.fixture(scope="session")
def posterior(frame):
    return repeated(bg.Dataset.from_array(frame), bg.MixtureSpec(2), bg.Gibbs(), 0)


@pytest.fixture
def fit_file(tmp_path, point):
    path = tmp_path / "fit.nc"
    bg.save(point, path)
    return path


@pytest.fixture
def posterior_file(tmp_path, posterior):
    path = tmp_path / "posterior.nc"
    bg.save(posterior, path)
    return path
