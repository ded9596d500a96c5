import warnings

import numpy as np
import pytest
from scipy import integrate, stats

import bayesgmm as bg
from bayesgmm.diagnostics.singularity import NEAR_SINGULAR
from bayesgmm.model.families import family_named
from bayesgmm.model.propriety import most_equal_rows
from bayesgmm.model.resolved import resolve

INDEPENDENT = bg.IndependentNormalWishart()


def rows(n_columns=2, n_rows=120, seed=0):
    return np.random.default_rng(seed).normal(size=(n_rows, n_columns))


def resolved(values, spec=None, **settings):
    return resolve(spec or bg.MixtureSpec(), bg.Dataset.from_array(values, **settings))


def log_mass(c, groups, nu, shape):
    """log of p(c) p(rows | c) in one dimension by quadrature, means N(0, 1), variances IG(nu / 2, c / 2)."""
    total = stats.gamma(shape).logpdf(c)
    log_variance = np.linspace(np.log(c) - 10, 6, 4001)
    variance = np.exp(log_variance)
    for rows_ in groups:
        n, mean = len(rows_), rows_.mean()
        # The mean summed out: that of the rows is normal, and they scatter about it.
        log_terms = (
            -(n - 1) / 2 * np.log(2 * np.pi * variance)
            - np.log(n) / 2
            - ((rows_ - mean) ** 2).sum() / 2 / variance
            + stats.norm(0, np.sqrt(variance / n + 1)).logpdf(mean)
            + stats.invgamma(nu / 2, scale=c / 2).logpdf(variance)
            + log_variance
        )
        highest = log_terms.max()
        total += highest + np.log(integrate.trapezoid(np.exp(log_terms - highest), log_variance))
    return total


@pytest.mark.parametrize("m", [2, 5, 7, 12])
def test_equal_rows_outweigh_the_prior_at_the_number_it_says(m):
    nu, shape = 5.0, 0.5
    groups = [np.full(m, 0.3), np.linspace(-1, 1, 9)]
    near, far = (log_mass(c, groups, nu, shape) + np.log(c) for c in (1e-7, 1e-9))
    slope = (near - far) / np.log(100)
    numbers = {"degrees_of_freedom": nu, "scale_shape": shape}
    most = most_equal_rows(family_named("diag"), numbers, 1)
    assert slope == pytest.approx((most - (m - 1)) / 2, abs=1e-3)


@pytest.mark.parametrize("m", [5, 8, 12])
def test_a_conjugate_prior_holds_one_direction(m):
    """Two columns; C = (c, b; b, 1), with b summed out, and both clusters by their known evidence."""
    a, nu, kappa = 2.0, 6.0, 0.1
    toward = np.array([0.0, 1.0])  # from the prior mean to the equal rows
    scatter = np.array([[9.0, 2.0], [2.0, 7.0]])  # of nine other rows

    def density(b, c):
        scale = np.array([[c, b], [b, 1.0]])
        det = np.linalg.det(scale)
        equal = np.linalg.det(scale + kappa * m / (kappa + m) * np.outer(toward, toward))
        others = np.linalg.det(scale + scatter)
        return det ** ((a - 3) / 2 + nu) * equal ** (-(nu + m) / 2) * others ** (-(nu + 9) / 2)

    def log_mass(c):
        edge = np.sqrt(c)
        scaled = integrate.quad(lambda t: density(t * edge, c), -1, 1, epsabs=0)[0]
        return np.log(scaled) + np.log(edge) + np.log(c)

    slope = (log_mass(1e-5) - log_mass(1e-7)) / np.log(100)
    numbers = {"degrees_of_freedom": nu, "scale_degrees_of_freedom": a, "mean_precision": kappa}
    most = most_equal_rows(family_named("full"), numbers, 2)
    assert slope == pytest.approx((most - (m - 1)) / 2, abs=1e-3)


@pytest.mark.parametrize("name", ["acidity", "faithful", "galaxies", "iris", "penguins", "thyroid"])
def test_the_shipped_data_are_fine(name):
    frame = bg.datasets.load(name).frame
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        resolved(frame.select_dtypes("number"))


@pytest.mark.parametrize("covariance", ["full", "tied"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_columns_that_determine_each_other_are_refused(covariance, dtype):
    x = rows() * [1.0, 0.1] + 100
    values = np.c_[x, rows(1, seed=1), x @ [2.0, 3.0]].astype(dtype)
    spec = bg.MixtureSpec(covariance=covariance)
    with pytest.raises(ValueError, match=r"got \['x0', 'x1', 'x3'\]"):
        resolved(values, spec)
    resolved(values[:, [0, 1, 2]], spec)


def test_they_are_fine_where_no_covariance_can_follow():
    values = np.c_[rows(), rows().sum(1)]
    resolved(values, bg.MixtureSpec(covariance="diag"))
    resolved(values, bg.MixtureSpec(prior=bg.NormalInverseWishart(scale=0.25)))
    resolved(values, bg.MixtureSpec.maximum_likelihood(2))


def test_a_row_off_the_plane_is_enough():
    values = np.c_[rows(n_rows=30_000), rows(n_rows=30_000).sum(1)]
    values[29_999, 2] += 1
    resolved(values)


def test_rows_with_missing_cells_leave_it_open():
    values = np.c_[rows(), rows().sum(1)]
    values[:5, 0] = np.nan
    resolved(values)


@pytest.mark.parametrize(
    ("spec", "most"),
    [
        (bg.MixtureSpec(), 2 + 6 - 1),
        (bg.MixtureSpec(prior=INDEPENDENT), 2 + 6),
        (bg.MixtureSpec(prior=INDEPENDENT, covariance="diag"), 1 + 5),
        (bg.MixtureSpec(prior=INDEPENDENT, covariance="spherical"), (1 + 5) / 2),
    ],
)
def test_as_many_equal_rows_as_outweigh_the_prior_are_told(spec, most):
    resolved(np.r_[rows(n_rows=60), np.ones((int(most), 2))], spec)
    with pytest.warns(bg.DataWarning, match=rf"{int(most) + 1} rows are equal \(x0=1, x1=1\)"):
        resolved(np.r_[rows(n_rows=60), np.ones((int(most) + 1, 2))], spec)


def test_a_row_counts_by_its_weight():
    values = np.r_[rows(n_rows=60), np.ones((5, 2))]
    resolved(values)
    with pytest.warns(bg.DataWarning, match="10 rows are equal"):
        resolved(values, weights=np.r_[np.ones(60), np.full(5, 2.0)])


def test_one_row_of_great_weight_is_as_many_equal_rows():
    with pytest.warns(bg.DataWarning, match="40 rows are equal"):
        resolved(rows(n_rows=60), weights=np.r_[np.ones(59), 40.0])


@pytest.mark.parametrize(
    "spec",
    [
        bg.MixtureSpec(covariance="tied"),
        bg.MixtureSpec(covariance="diag"),
        bg.MixtureSpec(prior=bg.IndependentNormalWishart(scale=0.25)),
    ],
)
def test_equal_rows_are_fine_where_nothing_shrinks_to_them(spec):
    resolved(np.r_[rows(n_rows=60), np.ones((30, 2))], spec)


def test_columns_with_few_values_are_told():
    values = np.c_[rows(n_rows=200), np.random.default_rng(1).integers(0, 5, 200)]
    resolved(values, bg.MixtureSpec(4))
    with pytest.warns(bg.DataWarning, match=r"Few values in columns x2 \(5\)"):
        resolved(values)


@pytest.mark.slow
def test_a_cluster_that_shrank_fails_its_check():
    values = np.c_[rows(n_rows=200), np.random.default_rng(1).integers(0, 5, 200)]
    engine = bg.Gibbs(n_chains=2, n_warmup=100, n_draws=50, thin=1, progress=False)
    with pytest.warns(bg.DataWarning, match="Few values"):
        fit = bg.fit(values, engine=engine)
    row = bg.diagnose(fit).set_index("check").loc["narrowest variance over the data's"]
    assert row["value"] < NEAR_SINGULAR
    assert not row["passed"]
    assert "state the scale" in row["advice"]
