import numpy as np
import pytest

from bayesgmm.numerics.rows import (
    CHUNK_BYTES,
    LANE,
    LONGEST_CHUNK,
    chunk_length,
    chunk_rows,
    chunk_table,
    chunk_vector,
)


def rows_back(values, weights):
    """The rows that carry weight, in order, (N, D)."""
    flat = np.swapaxes(values, 1, 2).reshape(-1, values.shape[1])
    return flat[weights.ravel() > 0]


@pytest.mark.parametrize(("n_rows", "length"), [(1, 1), (7, 7), (12, 4), (13, 4), (15, 4), (3, 8)])
def test_chunks_hold_every_row_once_in_order_and_zeros_beyond(n_rows, length):
    values = np.random.default_rng(0).normal(size=(n_rows, 3))
    rows = chunk_rows(values, length)
    n_chunks = int(np.ceil(n_rows / length))
    assert rows.values.shape == (n_chunks, 3, length)
    assert rows.weights.shape == (n_chunks, length)
    np.testing.assert_array_equal(rows_back(rows.values, rows.weights), values)
    assert rows.weights.sum() == n_rows
    padding = np.swapaxes(rows.values, 1, 2).reshape(-1, 3)[n_rows:]
    np.testing.assert_array_equal(padding, 0)
    np.testing.assert_array_equal(rows.weights.ravel()[n_rows:], 0)


def test_row_weights_follow_their_rows():
    values, weights = np.arange(10.0).reshape(5, 2), np.arange(1.0, 6.0)
    rows = chunk_rows(values, 2, weights)
    np.testing.assert_array_equal(rows.weights, [[1, 2], [3, 4], [5, 0]])
    np.testing.assert_array_equal(rows.values[2], [[8, 0], [9, 0]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_chunks_keep_the_type(dtype):
    rows = chunk_rows(np.ones((5, 2), dtype), 2)
    assert rows.values.dtype == rows.weights.dtype == dtype


def test_vectors_and_tables_are_cut_like_rows():
    labels = np.arange(5, dtype=np.int32)
    np.testing.assert_array_equal(chunk_vector(labels, 2), [[0, 1], [2, 3], [4, 0]])
    assert chunk_vector(labels, 2).dtype == np.int32
    table = np.arange(10.0).reshape(5, 2)
    np.testing.assert_array_equal(chunk_table(table, 2), chunk_rows(table, 2).values)


@pytest.mark.parametrize("n_features", [1, 30, 600, 40_000])
@pytest.mark.parametrize("n_rows", [1, 5, 1024, 1025, 32_768, 32_769, 1_000_003])
def test_a_chunk_fits_the_cache_and_wastes_less_than_a_lane_per_chunk(n_rows, n_features):
    length = chunk_length(n_rows, n_features)
    n_chunks = int(np.ceil(n_rows / length))
    assert length <= LONGEST_CHUNK
    assert length * n_features * 8 <= CHUNK_BYTES + LANE * n_features * 8 or length <= 1024 + LANE
    assert 0 <= n_chunks * length - n_rows < n_chunks * (LANE + 1)
    if n_chunks == 1:
        assert length == n_rows
