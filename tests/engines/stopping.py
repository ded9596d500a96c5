"""Runs that are stopped, and fits compared to the bit."""

from types import SimpleNamespace

import jax
import numpy as np

from bayesgmm.engines import driver

# Wall time is of the last part of a run only.
TIMES = {"seconds"}


def stop_after(monkeypatch, n_slices):
    """Press Ctrl-C after so many slices, when the next one has taken the buffers of its state.

    Returns:
        A list that grows by one with each slice.
    """
    taken = []

    def ready(state):
        taken.append(1)
        if len(taken) > n_slices:
            raise KeyboardInterrupt
        return jax.block_until_ready(state)

    monkeypatch.setattr(driver, "jax", SimpleNamespace(block_until_ready=ready))
    return taken


def arrays_of(fit):
    """Every array of a fit by name."""
    parts = {
        "scaled": fit.scaled,
        "history": {name: one for name, one in fit.history.items() if name not in TIMES},
        "sample_stats": dict(fit.sample_stats),
    }
    names = ("log_likelihood", "log_prior", "counts", "concentration", "scale", "n_components",
             "label_key")  # fmt: skip
    parts |= {name: getattr(fit, name) for name in names}
    return {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree.leaves_with_path(parts)}


def assert_identical(one, other):
    """The same arrays to the bit, and the same end."""
    found, expected = arrays_of(one), arrays_of(other)
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert np.asarray(found[name]).dtype == np.asarray(array).dtype, name
        assert np.array_equal(found[name], array, equal_nan=True), name
    assert one.status == other.status
