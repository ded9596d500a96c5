import jax
import jax.numpy as jnp
import pytest

from bayesgmm.numerics import programs
from bayesgmm.numerics.programs import make_room


@pytest.fixture
def program():
    """A compiled program."""
    compiled = jax.jit(lambda x: jnp.sin(x) + 1)
    compiled(1.0)
    assert compiled._cache_size() == 1
    return compiled


def files(folder, n_maps):
    maps, most_maps = folder / "maps", folder / "max_map_count"
    maps.write_text("7f00-7f01 r-xp\n" * n_maps)
    most_maps.write_text("100\n")
    return maps, most_maps


def test_programs_stay_while_there_is_room(program, tmp_path):
    assert not make_room(*files(tmp_path, 50))
    assert program._cache_size() == 1


def test_programs_are_dropped_before_the_limit(program, tmp_path):
    assert make_room(*files(tmp_path, 51))
    assert program._cache_size() == 0
    assert program(1.0) == pytest.approx(1.8414709848)


def test_fits_in_a_row_look_once(monkeypatch):
    looks, now = [], [100.0]
    monkeypatch.setattr(programs, "make_room", lambda: looks.append(now[0]))
    monkeypatch.setattr(programs, "_last_look", float("-inf"))
    monkeypatch.setattr(programs.time, "monotonic", lambda: now[0])
    for step in (0.0, 1.0, 1.0, 4.0, 1.0):
        now[0] += step
        programs.keep_room()
    assert looks == [100.0, 106.0]


def test_a_system_without_such_a_limit(program, tmp_path):
    assert not make_room(tmp_path / "none", tmp_path / "neither")
    assert program._cache_size() == 1
