"""Fits written down by hand: textbook mixtures of every family, as a point and as draws."""

import itertools
from functools import cache

import jax
import numpy as np
import pytest
import textbook as tb

import bayesgmm as bg
from bayesgmm.result import Fit

NAMES = ("a", "b", "c")
K, D = 3, len(NAMES)
FULL = next(one for one in tb.STRUCTURES if one.name == "full")

every_fit = pytest.mark.parametrize(
    ("structure", "kind"),
    list(itertools.product(tb.STRUCTURES, ("point", "posterior"))),
    ids=lambda one: getattr(one, "name", one),
)


@cache
def parameters(structure, kind):
    """Textbook mixtures in engine units: one, or four of which the first lacks a component."""
    rng = np.random.default_rng(4)
    many = [tb.random_parameters(rng, structure, K, D, 1.2) for _ in range(4)]
    many[0].weights[:] = [0.3, 0.7, 0.0]
    return many[:1] if kind == "point" else many


@cache
def fit_of(structure, kind):
    with np.errstate(divide="ignore"):
        mixture = tb.mixture_of(structure, *parameters(structure, kind))
    if kind == "posterior":
        mixture = jax.tree.map(lambda leaf: leaf.reshape(2, 2, *leaf.shape[1:]), mixture)
    return made(mixture, structure.name, kind)


def made(mixture, family, kind="point", rows=None, names=NAMES):
    """A Fit around a mixture in engine units."""
    if rows is None:
        rows = np.random.default_rng(0).normal((10, -5, 300), (1, 3, 2), (60, 3))
    data = bg.Dataset.from_array(rows, names=names)
    spec = bg.MixtureSpec.maximum_likelihood(mixture.log_weights.shape[-1], family)
    return Fit(
        model=bg.resolve(spec, data),
        data=data,
        engine=None,
        kind=kind,
        scaled=mixture,
        log_likelihood=np.zeros(mixture.log_weights.shape[:-1]),
        status=bg.Status(bg.Outcome.COMPLETE, ""),
    )


def in_data_units(fit, column, values):
    centre, scale = fit.model.affine
    return centre[NAMES.index(column)] + scale * np.asarray(values)
