"""Packing lanes into loads of one shape, and working them off."""

from typing import NamedTuple

import numpy as np
import pytest

from bayesgmm.engines.packs import lanes_of, load_shape, loads, work_off

SIZES = [np.arange(1, 11).repeat(10), np.array([7]), np.array([1, 1, 1, 30]), np.full(9, 3)]
every_grid = pytest.mark.parametrize("sizes", SIZES, ids=lambda sizes: f"{sizes.sum()} components")


class Counter(NamedTuple):
    """Turns still to take, (L,)."""

    left: np.ndarray


@every_grid
def test_every_lane_is_in_one_load_that_holds_it(sizes):
    shape = load_shape(sizes, 3)
    packed = list(loads(sizes, np.arange(len(sizes)), shape))
    assert sorted(np.concatenate(packed)) == list(range(len(sizes)))
    for members in packed:
        assert len(members) <= shape.n_lanes
        assert sizes[members].sum() <= shape.width
        laid_out = lanes_of(sizes[members], shape)
        assert laid_out.lane.shape == laid_out.component.shape == (shape.width,)
        assert laid_out.sizes.shape == (shape.n_lanes,)
        assert np.array_equal(np.bincount(laid_out.lane)[: len(members)], sizes[members])


def test_loads_are_nearly_full():
    sizes = SIZES[0]
    shape = load_shape(sizes, 3)
    assert len(list(loads(sizes, np.arange(100), shape))) <= 1 + sizes.sum() / (0.85 * shape.width)


def test_lanes_leave_when_they_are_done():
    sizes, done = np.array([1, 2, 3, 4]), np.array([5, 1, 2, 9])
    seen = []

    def advance(state, lanes):
        seen.append(int(lanes.sizes.sum()))
        return Counter(state.left - 1)

    state = Counter(done.copy())
    worked = work_off(advance, state, sizes, load_shape(sizes, 3), lambda state: state.left > 0)
    assert not worked.state.left.any()
    assert sum(seen) == (sizes * done).sum()
    assert (worked.seconds > 0).all()


def test_an_interruption_keeps_what_is_done():
    sizes, calls = np.array([2, 2]), []

    def advance(state, lanes):
        calls.append(lanes)
        if len(calls) > 3:
            raise KeyboardInterrupt
        return Counter(state.left - 1)

    state = Counter(np.array([9, 9]))
    worked = work_off(advance, state, sizes, load_shape(sizes, 3), lambda state: state.left > 0)
    assert worked.interrupted
    assert (18 - worked.state.left.sum()) == sum((calls[i].sizes > 0).sum() for i in range(3))
