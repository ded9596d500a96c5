"""The allocator is told to keep memory while rows are worked on, and told back afterwards."""

import threading

import pytest

from bayesgmm.numerics import allocator
from bayesgmm.numerics.allocator import MMAP_THRESHOLD, TRIM_THRESHOLD, VARIABLE, kept_memory


class Library:
    def __init__(self):
        self.settings, self.trimmed = {}, 0

    def mallopt(self, name, value):
        self.settings[name] = value

    def malloc_trim(self, _):
        self.trimmed += 1


@pytest.fixture
def library(monkeypatch):
    found = Library()
    monkeypatch.setenv(VARIABLE, "65536")
    monkeypatch.setattr(allocator, "glibc", lambda: found)
    return found


def test_the_setting_is_as_it_was_afterwards(library):
    def fails():
        with kept_memory():
            assert library.settings[TRIM_THRESHOLD] == 32 * 2**20
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert library.settings == {TRIM_THRESHOLD: 65_536, MMAP_THRESHOLD: 131_072}
    assert library.trimmed == 1


def test_the_last_thread_sets_it_back(library):
    inside, done = threading.Event(), threading.Event()

    def other():
        with kept_memory():
            inside.set()
            done.wait(10)

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait(10)
    with kept_memory():
        pass
    assert library.settings[TRIM_THRESHOLD] == 32 * 2**20
    done.set()
    thread.join()
    assert library.settings[TRIM_THRESHOLD] == 65_536


@pytest.mark.parametrize("value", [None, "", "text"])
def test_where_nobody_asked_for_it_nothing_is_done(monkeypatch, value):
    if value is None:
        monkeypatch.delenv(VARIABLE, raising=False)
    else:
        monkeypatch.setenv(VARIABLE, value)
    assert allocator.glibc() is None
    with kept_memory():
        pass
