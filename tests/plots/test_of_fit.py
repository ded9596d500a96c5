import inspect

import pytest

import bayesgmm as bg
from bayesgmm.plots.of_fit import PlotsOfFit

PICTURES = [name for name in vars(PlotsOfFit) if not name.startswith("_") and name != "partition"]


def test_every_picture_of_a_single_fit_is_a_method():
    of_fits = {
        name
        for name in bg.plots.__all__
        if next(iter(inspect.signature(getattr(bg.plots, name)).parameters)) == "fit"
    }
    assert set(PICTURES) == of_fits


@pytest.mark.parametrize("name", PICTURES)
def test_methods_say_what_they_take(name):
    found = inspect.signature(getattr(PlotsOfFit, name)).parameters
    expected = inspect.signature(getattr(bg.plots, name)).parameters
    assert list(found)[1:] == list(expected)[1:]


def test_the_partition_is_found_once_and_used(posterior):
    calls = []

    def find():
        calls.append(1)
        return bg.partition(posterior)

    pictures = PlotsOfFit(posterior, find)
    pictures.n_clusters()
    assert not calls
    pictures.clusters()
    pictures.uncertainty()
    assert len(calls) == 1
    assert "Pictures: clusters, components" in repr(pictures)


def test_estimators_have_them(rows):
    model = bg.GaussianMixture(2, random_state=0).fit(rows)
    assert model.plot.clusters(columns=["x0", "x2"]).get_xlabel() == "x0"
    assert model.plot.history().get_ylabel() == "log-likelihood"
