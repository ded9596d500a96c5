import numpy as np
import pytest
from quick import quick_compilation

import bayesgmm as bg

ROWS = np.concatenate(
    [np.random.default_rng(0).normal(c, 1, (40, 2)) for c in ((0, 0), (6, 0), (0, 6))]
)


@pytest.fixture(scope="module")
def point():
    return bg.fit(ROWS, bg.MixtureSpec.maximum_likelihood(3), engine=bg.EM(n_init=2))


@pytest.fixture(scope="module")
def posterior():
    engine = bg.Gibbs(n_chains=2, n_warmup=20, n_draws=30)
    with quick_compilation():
        return bg.fit(ROWS, bg.MixtureSpec(max_components=6), engine=engine)


@pytest.mark.parametrize("name", ["point", "posterior"])
def test_a_fit_prints_in_ten_lines_and_says_what_is_next(name, request):
    fit = request.getfixturevalue(name)
    lines = str(fit).splitlines()
    assert len(lines) <= 10
    assert "120 x 2 (x0, x1)" in lines[1]
    assert "bg.diagnose(fit)" in lines[-1]
    assert fit.status.message in str(fit)


def test_what_came_out_is_said(point, posterior):
    assert str(point).startswith("Gaussian mixture, point estimate by EM")
    assert "33.3%" in point.described["components"]
    assert str(posterior).startswith("Gaussian mixture, posterior by Gibbs: 2 chains of 30 draws")
    numbers, counts = np.unique(posterior.n_clusters, return_counts=True)
    best = counts.argmax()
    share = counts[best] / counts.sum()
    assert posterior.described["clusters"].startswith(f"{numbers[best]} ({share:.2f})")


def test_notebooks_show_it_as_a_table(point):
    html = point._repr_html_()
    assert html.count("<tr>") == len(point.described)
    assert "point estimate by EM" in html
    odd = bg.Dataset.from_array(ROWS, names=["<a>", "b&c"])
    fit = bg.fit(odd, bg.MixtureSpec.maximum_likelihood(2), engine=bg.EM())
    assert "&lt;a&gt;" in fit._repr_html_()
    assert "<a>" not in fit._repr_html_()


def test_a_fitted_estimator_shows_its_fit():
    model = bg.GaussianMixture(3, random_state=0)
    assert "point estimate" not in model._repr_mimebundle_()["text/html"]
    model.fit(ROWS)
    shown = model._repr_mimebundle_()
    assert "point estimate by EM" in shown["text/html"]
    assert shown["text/plain"] == repr(model)


def test_a_selection_shows_its_winner_and_the_best_models():
    found = bg.select(ROWS, range(1, 7), ["diag", "spherical"], n_init=1, progress=False)
    html = found._repr_html_()
    assert html.count("<tr") == 1 + 10
    assert "and 2 more in .table" in html
    assert repr(found) in html
