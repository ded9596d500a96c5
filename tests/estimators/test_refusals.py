"""What GaussianMixture makes of bad input: one clear error, or a documented, right result."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.mixture import GaussianMixture as Reference
from sklearn.utils._param_validation import InvalidParameterError
from tables import rows, start_for

from bayesgmm.data.dataset import DataWarning
from bayesgmm.estimators.gaussian_mixture import GaussianMixture


def with_cell(value):
    values = rows("faithful").copy()
    values[5, 1] = value
    return values


BAD_TABLES = {
    "no rows": (np.empty((0, 2)), ValueError, r"0 sample\(s\).*minimum of 1"),
    "no columns": (np.empty((5, 0)), ValueError, r"0 feature\(s\).*minimum of 1"),
    "one row": (rows("faithful")[:1], ValueError, "at least two rows, got 1 sample"),
    "one axis": (rows("faithful")[:, 0], ValueError, r"2D array, got 1D.*reshape\(-1, 1\)"),
    "three axes": (np.ones((2, 2, 2)), ValueError, "2D array, got 3D"),
    "complex": (rows("faithful") * 1j, ValueError, "Complex data not supported"),
    "objects": (np.full((5, 2), {"a": 1}), TypeError, "Expected numbers, got objects"),
    "text": (np.array([["a", "b"], ["c", "d"]]), TypeError, "Expected numbers, got .*<U1"),
    "inf": (with_cell(np.inf), ValueError, "contains infinity.* row 5, column 1"),
    "infinity": (with_cell(-np.inf), ValueError, "contains infinity.* row 5, column 1"),
    "ragged": ([[1.0, 2.0], [3.0]], ValueError, "rows of equal length.*ragged"),
    "equal rows": (np.ones((9, 2)), ValueError, "rows that differ, got 9 equal rows"),
    "sparse": (sparse.csr_array(rows("faithful")), TypeError, "sparse.*toarray"),
    "too wide": (1e200 * rows("faithful"), ValueError, "Change the unit"),
    "pandas text": (
        pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}),
        TypeError,
        r"numeric columns, got \['b'\].*String",
    ),
    "polars text": (
        pl.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}),
        TypeError,
        r"numeric columns, got \['b'\].*String",
    ),
    "polars null": (
        pl.DataFrame({"a": [1.0, None, 3.0]}),
        ValueError,
        "some observed cell in every row, got none in 1 of them, the first row 1",
    ),
    "mixed names": (
        pd.DataFrame(rows("faithful"), columns=["a", 1]),
        TypeError,
        "Feature names are only supported if all",
    ),
}


@pytest.mark.parametrize(("table", "kind", "message"), BAD_TABLES.values(), ids=BAD_TABLES)
def test_bad_tables_are_refused(table, kind, message):
    with pytest.raises(kind, match=message):
        GaussianMixture().fit(table)


@pytest.mark.parametrize("name", ["one axis", "three axes", "complex", "text", "inf", "ragged"])
def test_bad_tables_are_refused_by_predictions_too(faithful_fit, name):
    table, kind, message = BAD_TABLES[name]
    for question in (faithful_fit.predict, faithful_fit.score_samples, faithful_fit.bic):
        with pytest.raises(kind, match=message):
            question(table)


@pytest.fixture(scope="module")
def faithful_fit():
    return GaussianMixture(2, random_state=0).fit(rows("faithful"))


def test_another_number_of_columns_is_refused(faithful_fit):
    message = "X has 3 features, but GaussianMixture is expecting 2 features as input"
    for question in ("predict", "predict_proba", "score_samples", "score", "aic", "bic", "icl"):
        with pytest.raises(ValueError, match=message):
            getattr(faithful_fit, question)(np.ones((4, 3)))


@pytest.mark.parametrize("question", ["predict", "predict_proba", "score", "bic", "score_samples"])
def test_a_fit_comes_first(question):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(GaussianMixture(), question)(rows("faithful"))
    with pytest.raises(NotFittedError, match="not fitted yet"):
        GaussianMixture().sample()
    with pytest.raises(NotFittedError, match="not fitted yet"):
        _ = GaussianMixture().means_


@pytest.mark.parametrize("n_samples", [0, -1])
def test_no_draws_are_refused(faithful_fit, n_samples):
    with pytest.raises(ValueError, match=f"Invalid value for 'n_samples': {n_samples}"):
        faithful_fit.sample(n_samples)


BAD_SETTINGS = {
    "n_components": [0, -1, 2.5, "3", None],
    "covariance_type": ["fulll", None],
    "tol": [-1e-3, np.nan, "small"],
    "reg_covar": [-1e-6, np.nan],
    "max_iter": [-1, 10.5],
    "n_init": [0, 1.5],
    "init_params": ["kmean", None],
    "random_state": [-1, 2**32, "seed"],
    "warm_start": ["yes"],
    "verbose": [-1],
    "verbose_interval": [0],
    "weights_init": [3],
    "means_init": ["here"],
    "precisions_init": [1.0],
}
every_bad_setting = pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in BAD_SETTINGS for value in BAD_SETTINGS[name]]
)


@every_bad_setting
def test_unknown_options_are_refused_by_name(name, value):
    with pytest.raises(InvalidParameterError, match=f"The '{name}' parameter of GaussianMixture"):
        GaussianMixture(**{name: value}).fit(rows("faithful"))


# Sizes -------------------------------------------------------------------------------------------


def test_more_components_than_rows_are_refused():
    with pytest.raises(ValueError, match=r"n_samples >= n_components.* = 4, n_samples = 3"):
        GaussianMixture(4).fit(rows("faithful")[:3])


def test_more_components_than_distinct_rows_are_refused():
    values = np.repeat(rows("faithful")[:3], 4, axis=0)
    with pytest.raises(ValueError, match="distinct rows for n_components=4"):
        GaussianMixture(4).fit(values)


def test_more_columns_than_rows_work_by_regularisation():
    values = np.random.default_rng(0).normal(size=(6, 9))
    ours = GaussianMixture(2, random_state=0).fit(values)
    reference = Reference(2, random_state=0).fit(values)
    np.testing.assert_allclose(ours.covariances_, reference.covariances_, atol=1e-12)
    assert np.array_equal(ours.predict(values), reference.predict(values))
    assert (np.linalg.eigvalsh(ours.covariances_) > 0).all()
    # Seven directions are known to rounding only: their precisions are 1 / reg_covar.
    assert ours.score(values) == pytest.approx(reference.score(values), rel=1e-6)


def test_without_regularisation_more_columns_than_rows_are_refused():
    values = np.random.default_rng(0).normal(size=(6, 9))
    with pytest.raises(ValueError, match="at least 20 rows"):
        GaussianMixture(2, random_state=0, reg_covar=0).fit(values)


def test_duplicates_count():
    values = np.repeat(rows("faithful")[::2], 2, axis=0)
    start = start_for("faithful", "full")._asdict()
    twice, once = Reference(2, **start).fit(values), Reference(2, **start).fit(values[::2])
    ours = GaussianMixture(2, **start).fit(values)
    np.testing.assert_allclose(ours.means_, twice.means_, rtol=1e-9)
    np.testing.assert_allclose(ours.covariances_, once.covariances_, rtol=1e-6)


def test_a_constant_column_is_warned_of_and_gets_the_regularisation_as_variance():
    values = rows("faithful").copy()
    values[:, 1] = 3.0
    with pytest.warns(DataWarning, match=r"\['x1'\] are constant") as caught:
        ours = GaussianMixture(2, random_state=0).fit(values)
    assert caught[0].filename == __file__
    np.testing.assert_allclose(ours.means_[:, 1], 3.0, rtol=1e-12)
    np.testing.assert_allclose(ours.covariances_[:, 1, 1], 1e-6, rtol=1e-6)


# Starts ------------------------------------------------------------------------------------------

TILTED = np.array([[1.0, 0.5], [0.4, 1.0]])
BAD_STARTS = {
    "weights of another length": (
        {"weights_init": [0.2, 0.3, 0.5]},
        r"The parameter 'weights' should have the shape of \(2,\), but got \(3,\)",
    ),
    "negative weights": (
        {"weights_init": [-0.5, 1.5]},
        r"The parameter 'weights' should be in the range \[0, 1\], but got max value 1.5",
    ),
    "weights of another sum": (
        {"weights_init": [0.5, 0.6]},
        r"The parameter 'weights' should be normalized, but got sum\(weights\) = 1.1",
    ),
    "weights nan": ({"weights_init": [0.5, np.nan]}, "weights_init contains NaN"),
    "means of another shape": (
        {"means_init": np.zeros((2, 3))},
        r"The parameter 'means' should have the shape of \(2, 2\), but got \(2, 3\)",
    ),
    "means infinite": ({"means_init": np.full((2, 2), np.inf)}, "means_init contains infinity"),
    "precisions of another shape": (
        {"precisions_init": np.eye(2)},
        r"'full precision' should have the shape of \(2, 2, 2\), but got \(2, 2\)",
    ),
    "precisions not symmetric": (
        {"precisions_init": [TILTED, TILTED]},
        "'full precision' should be symmetric, positive-definite",
    ),
    "precisions not positive": (
        {"precisions_init": [np.eye(2), -np.eye(2)]},
        "'full precision' should be symmetric, positive-definite",
    ),
    "tied precisions not positive": (
        {"covariance_type": "tied", "precisions_init": -np.eye(2)},
        "'tied precision' should be symmetric, positive-definite",
    ),
    "diag precisions not positive": (
        {"covariance_type": "diag", "precisions_init": [[1.0, 0.0], [1.0, 1.0]]},
        "'diag precision' should be positive",
    ),
    "spherical precisions not positive": (
        {"covariance_type": "spherical", "precisions_init": [1.0, -1.0]},
        "'spherical precision' should be positive",
    ),
}


@pytest.mark.parametrize(("start", "message"), BAD_STARTS.values(), ids=BAD_STARTS)
def test_bad_starts_are_refused_in_scikit_learns_words(start, message):
    with pytest.raises(ValueError, match=message) as caught:
        GaussianMixture(2, **start).fit(rows("faithful"))
    assert type(caught.value) is ValueError


def test_a_warm_start_of_another_model_is_refused():
    ours = GaussianMixture(2, random_state=0, warm_start=True).fit(rows("faithful"))
    with pytest.raises(ValueError, match="Match n_components and columns"):
        ours.set_params(n_components=3).fit(rows("faithful"))
    with pytest.raises(ValueError, match="Expected a starting covariance of type Diagonal"):
        ours.set_params(n_components=2, covariance_type="diag").fit(rows("faithful"))
