from functools import partial

import jax
import numpy as np
import pytest
import textbook as tb
from textbook import STRUCTURES, assert_close

from bayesgmm.model.allocation import (
    count_labels,
    counts_and_log_likelihood,
    draw_keys,
    draw_labels,
    labels_of_draws,
)
from bayesgmm.numerics.rows import chunk_rows

N, D, K, LENGTH, S = 20, 2, 3, 8, 4000

structure = STRUCTURES[0]


@pytest.fixture(scope="module")
def case():
    """One mixture with an absent component, and rows from it."""
    rng = np.random.default_rng(3)
    parameters = tb.random_parameters(rng, structure, K, D)
    weights = np.array([0.6, 0.4, 0.0])
    with np.errstate(divide="ignore"):
        mixture = tb.mixture_of(structure, parameters._replace(weights=weights))
    present = tb.Parameters(weights[:2], parameters.means[:2], parameters.matrices[:2])
    return mixture, present, tb.random_rows(rng, present, N)[0]


def test_labels_follow_the_responsibilities(case):
    mixture, present, x = case
    rows = chunk_rows(x, LENGTH)
    draw = jax.jit(jax.vmap(lambda key: draw_labels(key, structure.family, mixture, rows)))
    labels, totals = draw(draw_keys(jax.random.key(0), 1, S))
    labels = np.asarray(labels).reshape(S, -1)[:, :N]
    frequencies = np.eye(K)[labels].mean(0)
    p = np.pad(tb.responsibilities(present, x), ((0, 0), (0, 1)))
    standard_error = np.sqrt(p * (1 - p) / S)
    assert (np.abs(frequencies - p) <= 4 * standard_error).all()
    assert_close(totals, np.full(S, tb.log_likelihood(present, x)))


def test_labels_depend_on_key_and_position_not_on_chunks(case):
    mixture, _, x = case
    key, draw = jax.random.key(1), jax.jit(partial(draw_labels, family=structure.family))
    together, _ = draw(key, mixture=mixture, rows=chunk_rows(x, N))
    apart, _ = draw(key, mixture=mixture, rows=chunk_rows(x, LENGTH))
    np.testing.assert_array_equal(np.ravel(apart)[:N], np.ravel(together)[:N])


def test_counts_leave_padding_out():
    rows = chunk_rows(np.zeros((5, D)), 4)
    labels = np.array([[0, 2, 2, 1], [2, 0, 0, 0]])
    np.testing.assert_array_equal(count_labels(labels, rows, K), [1, 1, 3])


def test_labels_can_be_drawn_again_from_the_key_of_the_fit(case):
    mixture, present, x = case
    rows = chunk_rows(x, LENGTH)
    keys = draw_keys(jax.random.key(2), 2, 3)
    many = tb.stack([mixture] * 6)
    counts, totals = counts_and_log_likelihood(keys, structure.family, many, rows)
    labels = np.asarray(labels_of_draws(keys, structure.family, many, rows))[:, :N]
    np.testing.assert_array_equal(counts, [np.bincount(one, minlength=K) for one in labels])
    assert_close(totals, np.full(6, tb.log_likelihood(present, x)))
    alone = labels_of_draws(keys[4:], structure.family, tb.stack([mixture] * 2), rows)
    np.testing.assert_array_equal(np.asarray(alone)[:, :N], labels[4:])
