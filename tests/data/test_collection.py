"""Dask collections: looked at chunk by chunk, refused with the chunk, worked on where they are."""

import pickle

import dask.array as da
import dask.dataframe as dd
import jax
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster
from passes import rows_of_sample
from textbook import assert_close

import bayesgmm as bg
from bayesgmm.data.sources import Kernel, Source, is_collection
from bayesgmm.data.sources.sending import received, sent
from bayesgmm.numerics.precision import in_float64
from bayesgmm.numerics.streams import UNROLLED, unrolled

N, D = 5_003, 3
ROWS = np.random.default_rng(0).normal([1e6, -2.0, 0.3], [1.0, 40.0, 0.1], (N, D))
SIZES = (1_000, 3, 0, 2_000, 1_500, 500)


def array(rows=ROWS, sizes=SIZES):
    return da.from_array(rows, chunks=(sizes, D))


def frame(parts):
    """A Dask data frame of pandas' ones, whatever their columns."""
    import dask

    return dd.from_delayed(
        [dask.delayed(part) for part in parts], meta=parts[0].iloc[:0], verify_meta=False
    )


def power_sums(power, rows):
    return (rows.values**power * rows.weights[:, None]).sum((0, 2)), (
        rows.position * rows.weights
    ).sum()


FRAME = pd.DataFrame(ROWS, columns=list("abc"))
COLLECTIONS = {
    "array": array,
    "columns in chunks too": lambda: array().rechunk({1: (1, 2)}),
    "unknown sizes": lambda: array()[da.from_array(np.ones(N, bool), chunks=(SIZES,))],
    "frame": lambda: frame([FRAME[:1_000], FRAME[1_000:1_000], FRAME[1_000:]]),
}


@pytest.mark.parametrize("name", COLLECTIONS)
@in_float64
def test_it_is_summed_as_the_rows_in_memory(name):
    opened, resident = bg.stream(COLLECTIONS[name]()), bg.Dataset.from_array(ROWS)
    assert (opened.n_rows, opened.n_columns, opened.dtype) == (N, D, np.float64)
    assert_close(opened.affine.centre, resident.affine.centre, rtol=1e-12)
    assert_close(opened.affine.scale, resident.affine.scale, rtol=1e-12)
    np.testing.assert_array_equal(opened.ends(), resident.ends())
    np.testing.assert_array_equal(opened.sample.values, ROWS)
    assert opened.names == (tuple("abc") if name == "frame" else resident.names)
    sums, numbers = opened.reduce(Kernel(power_sums, ()), 2, 10)
    assert numbers == N * (N - 1) / 2
    assert_close(sums, (opened.affine.forward(ROWS) ** 2).sum(0), rtol=1e-12)


def test_the_sample_has_its_places(monkeypatch):
    rows_of_sample(monkeypatch, 50)
    found = bg.stream(array()).sample
    np.testing.assert_array_equal(found.values, ROWS[found.places])
    np.testing.assert_array_equal(bg.stream(array()).sample.places, found.places)


@in_float64
def test_rows_are_fetched_by_their_numbers():
    """As by a pass over all but for the last bit, numbers beyond the last row included."""
    opened = bg.stream(array())
    numbers = np.array([4_999, 0, 1_002, 1_003, 1_003, 2_500, N, 7_000])
    fetched = opened.rows_at(numbers)
    assert_close(fetched, Source.rows_at(opened, numbers), rtol=5e-16)
    np.testing.assert_array_equal(fetched[:, :6], opened.affine.forward(ROWS[numbers[:6]]).T)
    assert not fetched[:, 6:].any()


def test_types_are_kept():
    assert bg.stream(array(ROWS.astype(np.float32))).dtype == np.float32
    assert bg.stream(array((100 * ROWS).astype(int))).dtype == np.float64
    nullable = FRAME[:50].convert_dtypes()
    nullable["a"] = range(50)
    assert bg.stream(frame([nullable])).dtype == np.float64


@pytest.mark.parametrize("bad", [np.nan, -np.inf])
def test_the_chunk_of_a_bad_cell_is_named(bad):
    rows = ROWS.copy()
    rows[4_321, 1] = bad
    words = rf"got {bad} in chunk 4 of 6, row 4321, column 'x1'"
    with pytest.raises(ValueError, match=words):
        bg.stream(array(rows))


def test_a_missing_cell_of_a_nullable_column_is_named():
    part = FRAME[:10].convert_dtypes()
    part.iloc[3, 2] = None
    with pytest.raises(ValueError, match=r"got nan in chunk 1 of 2, row 13, column 'c'"):
        bg.stream(frame([FRAME[:10].convert_dtypes(), part]))


def test_chunks_with_other_columns_are_refused():
    other = FRAME[:10].rename(columns={"b": "d"})
    with pytest.raises(ValueError, match=r"got \['a', 'd', 'c'\] in chunk 1"):
        bg.stream(frame([FRAME[:10], other]))
    wide = da.map_blocks(lambda part: np.c_[part, part[:, 0]], array(), dtype=float)
    with pytest.raises(ValueError, match=r"got shape \(1000, 4\) in chunk 0 of 6"):
        bg.stream(wide)


def test_columns_that_are_not_numbers_are_refused():
    with pytest.raises(TypeError, match=r"got \['name'\] of other types"):
        bg.stream(frame([FRAME[:10].assign(name="x")]))
    with pytest.raises(TypeError, match="Expected rows of numbers"):
        bg.stream(da.from_array(np.array([["a", "b"]] * 4)))


@pytest.mark.parametrize(
    ("collection", "words"),
    [
        (lambda: da.zeros(5), "Dask data frame"),
        (lambda: da.zeros((0, 2)), "empty chunks"),
        (lambda: da.ones((10, 2), chunks=4), "rows that differ"),
    ],
)
def test_what_is_no_table_is_refused(collection, words):
    with pytest.raises(ValueError, match=words):
        bg.stream(collection())


def test_a_client_without_workers_is_refused():
    cluster = LocalCluster(n_workers=0, processes=False, dashboard_address=None)
    with cluster, Client(cluster), pytest.raises(ValueError, match="got a client without any"):
        bg.stream(array())


@in_float64
def test_parameters_survive_the_journey():
    keys = jax.random.split(jax.random.key(3), 2)
    given = {"plain": keys, "unrolled": unrolled(keys), "numbers": jax.numpy.arange(3.0)}
    back = received(pickle.loads(pickle.dumps(sent(given))))
    assert jax.random.key_impl(back["unrolled"]) == UNROLLED
    for name, one in given.items():
        numbers = (x if name == "numbers" else jax.random.key_data(x) for x in (one, back[name]))
        np.testing.assert_array_equal(*numbers)


def test_other_rows_are_no_collection():
    assert not any(map(is_collection, (ROWS, FRAME, [[1.0]], "rows.npy")))
