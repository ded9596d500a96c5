"""Blocks that tables of rows are cut into."""

import pytest

from bayesgmm.data.sources.blocks import Cut, rows_per_block

MEGABYTE = 2**20


def padded(cut, sizes):
    """Return the rows that are worked on in all."""
    return sum(-(-size // cut.size) * cut.size for size in sizes)


@pytest.mark.parametrize(
    ("sizes", "share"),
    [((500_000,), 0.02), ((500_000, 123), 0.1), ((1_000,) * 50, 0.0), ((1,), 0.0)],
)
def test_little_is_filled_up(sizes, share):
    cut = Cut.of(sizes, 10, 198, 8 * MEGABYTE)
    assert padded(cut, sizes) <= (1 + share) * sum(sizes)


def test_small_tables_beside_a_large_one_are_not_filled_up_to_its_blocks():
    sizes = (500_000,) + (10_000,) * 100
    assert Cut.of(sizes[:1], 10, 198, 8 * MEGABYTE).size > 50_000
    assert padded(Cut.of(sizes, 10, 198, 8 * MEGABYTE), sizes) <= 1.5 * sum(sizes)


@pytest.mark.parametrize("n_columns", [1, 10, 3_000])
def test_blocks_stay_below_their_bytes(n_columns):
    cut = Cut.of((50_000_000,), n_columns, 2 * n_columns, MEGABYTE)
    assert cut.size <= rows_per_block(n_columns, MEGABYTE)
