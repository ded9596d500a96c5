"""The map between the data's units and the engines' units."""

import numpy as np
import pytest
from textbook import assert_close

from bayesgmm.data.affine import Affine
from bayesgmm.data.dataset import Dataset

rng = np.random.default_rng(0)
# On a grid of 2^-20, so that offsets up to 2^32 are added without rounding.
VALUES = np.round(rng.normal(size=(500, 3)) * [1.0, 5.0, 0.1] * 2**20) / 2**20


def test_centre_is_the_mean_and_scale_the_common_standard_deviation():
    affine = Affine.from_values(VALUES)
    assert_close(affine.centre, VALUES.mean(0), rtol=1e-13, atol=1e-13)
    assert_close(affine.scale, np.sqrt(VALUES.var(0).mean()), rtol=1e-13)


@pytest.mark.parametrize("offset", [0.0, 1e4, 1e8, -(2.0**31)])
def test_there_and_back_is_exact_to_an_ulp_of_the_data(offset):
    moved = VALUES + offset
    assert np.array_equal(moved - offset, VALUES)
    affine = Affine.from_values(moved)
    back = affine.inverse(affine.forward(moved))
    assert (np.abs(back - moved) <= np.spacing(np.abs(moved).max())).all()


@pytest.mark.parametrize("offset", [1e4, 1e8])
def test_engine_units_do_not_know_an_offset(offset):
    here, there = Dataset.from_array(VALUES), Dataset.from_array(VALUES + offset)
    # The centre is a rounded number of the size of the offset; all else is exact.
    rounding = np.spacing(offset) / there.affine.scale
    assert np.abs(here.scaled() - there.scaled()).max() <= rounding
    assert_close(there.affine.scale, here.affine.scale, rtol=1e-12)


@pytest.mark.parametrize("factor", [2.0**-300, 2.0**-27, 2.0**30, 2.0**300])
def test_engine_units_do_not_know_the_unit(factor):
    here, there = Dataset.from_array(VALUES), Dataset.from_array(factor * VALUES)
    assert_close(there.scaled(), here.scaled(), rtol=1e-13, atol=1e-13)
    assert_close(there.affine.scale / factor, here.affine.scale, rtol=1e-13)


def test_single_precision_is_mapped_in_double():
    affine = Affine.from_values((VALUES + 1e4).astype(np.float32))
    assert affine.forward((VALUES + 1e4).astype(np.float32)).dtype == np.float64
    assert_close(affine.scale, np.sqrt(VALUES.var(0).mean()), rtol=1e-5)


def test_leading_axes_are_free():
    affine = Affine.from_values(VALUES)
    means = VALUES[:24].reshape(2, 4, 3, 3)
    assert_close(affine.inverse(affine.forward(means)), means)


def test_tables_longer_than_a_block_are_averaged_whole():
    long = np.tile(VALUES, (300, 1))
    affine, expected = Affine.from_values(long), Affine.from_values(VALUES)
    assert_close(affine.centre, expected.centre, rtol=1e-12, atol=1e-12)
    assert_close(affine.scale, expected.scale, rtol=1e-12)
