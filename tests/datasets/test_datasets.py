import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from bayesgmm import datasets

SHAPES = {
    "acidity": (155, ["acidity"]),
    "faithful": (272, ["eruptions", "waiting"]),
    "galaxies": (82, ["velocity"]),
    "iris": (
        150,
        ["sepal_length_cm", "sepal_width_cm", "petal_length_cm", "petal_width_cm"],
    ),
    "penguins": (
        342,
        ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"],
    ),
    "thyroid": (
        215,
        ["resin_uptake", "thyroxine", "triiodothyronine", "tsh", "tsh_response"],
    ),
}
TARGETS = {"iris": "species", "penguins": "species", "thyroid": "diagnosis"}


def test_every_data_set_is_listed():
    assert datasets.names() == sorted(SHAPES)


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_rows_columns_and_types(name):
    n_rows, columns = SHAPES[name]
    frame = datasets.load(name).frame
    assert frame.shape == (n_rows, len(columns))
    assert list(frame.columns) == columns
    assert set(frame.dtypes) == {np.dtype(np.float64)}
    assert list(frame.index) == list(range(n_rows))
    assert np.isfinite(frame.to_numpy()).all()


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_every_data_set_says_where_it_comes_from(name):
    data = datasets.load(name)
    assert data.name == name
    assert all([data.description, data.source, data.licence])


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_labels_go_with_the_rows(name):
    data = datasets.load(name)
    if name in TARGETS:
        assert data.target.name == TARGETS[name]
        assert data.target.index.equals(data.frame.index)
        assert data.labels[TARGETS[name]].equals(data.target)
    else:
        assert data.target is None
        assert data.labels is None


def test_faithful_has_the_summary_that_r_prints():
    """R, summary(datasets::faithful): quartiles, extremes and means to four digits."""
    frame = datasets.faithful().frame
    quartiles = frame.quantile([0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(
        quartiles["eruptions"], [1.6, 2.163, 4.0, 4.454, 5.1], rtol=0, atol=5e-4
    )
    np.testing.assert_array_equal(quartiles["waiting"], [43, 58, 76, 82, 96])
    assert round(frame["eruptions"].mean(), 3) == 3.488
    assert round(frame["waiting"].mean(), 1) == 70.9


def test_penguins_with_missing_cells_miss_two_whole_rows():
    data = datasets.penguins(missing=True)
    empty = data.frame.isna().all(axis=1)
    assert data.frame.shape == (344, 4)
    assert data.frame.isna().sum().tolist() == [2, 2, 2, 2]
    assert list(np.flatnonzero(empty)) == [3, 271]
    assert data.labels["sex"].isna().sum() == 11
    assert data.frame[~empty].reset_index(drop=True).equals(datasets.penguins().frame)


def test_penguins_are_counted_as_in_the_palmerpenguins_package():
    """Horst, Hill and Gorman (2020): 152, 68 and 124 birds; 333 complete in every column."""
    counts = datasets.penguins(missing=True).target.value_counts()
    assert dict(counts) == {"Adelie": 152, "Chinstrap": 68, "Gentoo": 124}
    labels = datasets.penguins().labels
    assert list(labels.columns) == ["species", "island", "sex"]
    assert set(labels["island"]) == {"Biscoe", "Dream", "Torgersen"}
    assert labels["sex"].notna().sum() == 333


def test_penguins_weigh_what_reports_of_the_palmerpenguins_data_print():
    """Mean body mass, g: Adelie 3701, Chinstrap 3733, Gentoo 5076, all 4202."""
    data = datasets.penguins()
    mass = data.frame["body_mass_g"]
    assert mass.groupby(data.target).mean().round().tolist() == [3701, 3733, 5076]
    assert round(mass.mean()) == 4202


def test_galaxies_have_the_corrected_row_78():
    """MASS manual, galaxies: "this dataset has 78th observation 26690 which should be 26960"."""
    velocity = datasets.galaxies().frame["velocity"].to_numpy()
    printed = datasets.galaxies(mass_misprint=True).frame["velocity"].to_numpy()
    assert velocity[77] == 26.960
    assert printed[77] == 26.690
    np.testing.assert_array_equal(np.delete(velocity, 77), np.delete(printed, 77))


def test_galaxies_run_from_9172_to_34279_km_per_second_without_the_83rd():
    """Roeder (1990): 82 velocities; she left out the one of 5607 km/s in Postman et al. (1986)."""
    velocity = datasets.galaxies().frame["velocity"]
    assert velocity.is_monotonic_increasing
    assert (velocity.min(), velocity.max()) == (9.172, 34.279)


def test_acidity_has_the_ends_of_the_published_list():
    """The data of Richardson and Green (1997), as mclust and mixAK print them."""
    acidity = datasets.acidity().frame["acidity"]
    assert acidity.iloc[[0, 1, -1]].tolist() == [2.928524, 3.910021, 4.497585]
    assert (acidity.min(), acidity.max()) == (2.928524, 7.105130)


def test_iris_has_the_means_of_fisher():
    """Fisher (1936), table of the observed means of setosa and versicolor, cm."""
    data = datasets.iris()
    means = data.frame.groupby(data.target).mean()
    np.testing.assert_allclose(means.loc["setosa"], [5.006, 3.428, 1.462, 0.246], rtol=1e-12)
    np.testing.assert_allclose(means.loc["versicolor"], [5.936, 2.770, 4.260, 1.326], rtol=1e-12)
    assert dict(data.target.value_counts()) == {"setosa": 50, "versicolor": 50, "virginica": 50}


def test_iris_is_free_of_the_errors_of_the_uci_copy():
    """UCI repository, iris.names: how samples 35 and 38 should read."""
    frame = datasets.iris().frame
    assert frame.iloc[34].tolist() == [4.9, 3.1, 1.5, 0.2]
    assert frame.iloc[37].tolist() == [4.9, 3.6, 1.4, 0.1]


def test_every_call_gives_its_own_table():
    first = datasets.iris().frame
    first.iloc[0, 0] = 0.0
    assert datasets.iris().frame.iloc[0, 0] == 5.1


def test_a_record_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        datasets.acidity().name = "other"


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(
        ValueError, match=r"Expected .* acidity, .* got 'titanic'. Pass one of these"
    ):
        datasets.load("titanic")


def test_importing_the_module_does_not_import_pandas():
    code = (
        "import sys, bayesgmm; before = 'pandas' in sys.modules; import bayesgmm.datasets; "
        "assert ('pandas' in sys.modules) == before"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_thyroid_patients_are_counted_and_measured_as_in_the_repository():
    """The repository's description: 150, 35 and 30 patients; PMLB prints the same summary."""
    data = datasets.thyroid()
    assert dict(data.target.value_counts()) == {
        "normal": 150,
        "hyperthyroid": 35,
        "hypothyroid": 30,
    }
    assert data.frame.min().tolist() == [65, 0.5, 0.2, 0.1, -0.7]
    assert data.frame.max().tolist() == [144, 25.3, 10, 56.4, 56.3]
    np.testing.assert_allclose(data.frame.mean(), [109.595, 9.805, 2.050, 2.880, 4.199], atol=6e-4)
