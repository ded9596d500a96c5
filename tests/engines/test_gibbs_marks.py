"""Known labels and missing cells in the partition sampler, against all partitions of a few rows.

With diagonal covariances a missing cell just drops out of the evidence, so that enumeration holds.
"""

from typing import NamedTuple

import enumeration as en
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import textbook as tb
from quick import slow_after
from test_gibbs import assert_same_posterior, functionals
from test_gibbs_exact import (
    BIRTHS,
    MAX_COMPONENTS,
    MOVES,
    NEW_ROW,
    ROWS,
    WEIGHTS,
    assert_same_law,
    assert_same_mean,
    density_at,
    independent_prior_of,
    prior_of,
    sample,
    spec_of,
)
from textbook import assert_three_parts

import bayesgmm as bg
from bayesgmm.model.completion import draw_cells
from bayesgmm.numerics.rows import Rows

# Labels that are not the first numbers, and two known rows between which a free one lies.
LABELS = np.array([2, -1, 2, 0, -1, -1])
HOLES = np.array([[0, 1], [0, 0], [1, 0], [0, 0], [0, 1], [1, 0]], bool)


class Case(NamedTuple):
    """What is sampled, with what marks, from how many columns, by how many draws per chain."""

    family: str
    weights: str
    moves: tuple
    labels: bool
    holes: bool
    n_columns: int = 2
    n_draws: int = 3000
    components: str = "conjugate"


QUICK = [Case("full", "dirichlet", MOVES, labels=True, holes=False, n_draws=1000)]
REST = [
    Case("full", "dynamic", MOVES, labels=True, holes=False, n_draws=5000),
    Case("tied", "static", MOVES, labels=True, holes=False, n_columns=1),
    Case("spherical", "dynamic-fixed", MOVES, True, False, components="independent"),
    Case("tied", "process", MOVES, True, False, n_columns=1, components="independent"),
    Case("diag", "process", BIRTHS, labels=True, holes=True, n_draws=5000),
    Case("diag", "dynamic-fixed", MOVES, labels=True, holes=True, n_draws=2000),
]


def name_of(case):
    marks = "labels" * case.labels + "holes" * case.holes
    return f"{case.family}-{case.weights}-{case.moves[0]}-{marks}-{case.components}"


@pytest.mark.parametrize(
    "case",
    [
        *slow_after(0, QUICK, lambda case: "quick-" + name_of(case)),
        *slow_after(0, REST, name_of),
    ],
)
def test_draws_follow_the_posterior_over_the_partitions_that_agree(case):
    n_rows = 5 if case.n_columns == 2 else 6
    x, labels = ROWS[:n_rows, : case.n_columns], LABELS[:n_rows] if case.labels else None
    if case.holes:
        x = np.where(HOLES[:n_rows], np.nan, x)
    conjugate = case.components == "conjugate"
    prior = (prior_of if conjugate else independent_prior_of)(case.family, case.n_columns)
    law, y = WEIGHTS[case.weights].law, NEW_ROW[: case.n_columns]
    spec = spec_of(case.family, case.weights, case.n_columns, case.components)
    fit = sample(x, spec, moves=case.moves, n_draws=case.n_draws, labels=labels)
    exact = en.posterior(case.family, x, prior, law, labels)
    assert_same_law("partition", en.partition_index(fit.allocations()), exact.of_partition)
    assert_same_law("K+", fit.n_clusters, exact.of_n_clusters)
    if fit.n_components is not None:
        assert_same_law("K", fit.n_components, exact.of_n_components)
    with_y = None if labels is None else np.append(labels, -1)
    together = en.posterior(case.family, np.vstack([x, y]), prior, law, with_y)
    density = np.exp(together.log_evidence - exact.log_evidence)
    assert_same_mean("density", density_at(fit, y), density)
    if labels is not None:
        known = labels >= 0
        assert (fit.allocations()[..., known] == labels[known]).all()
    counted = (fit.allocations()[..., None] == np.arange(fit.counts.shape[-1])).sum(-2)
    np.testing.assert_array_equal(counted, fit.counts)


@pytest.mark.slow
def test_where_all_labels_are_known_components_have_their_conjugate_posteriors():
    """The first case once more: nothing is compiled again. Murphy (2007), equations 251-254."""
    x, labels = ROWS[:5], np.array([2, 1, 2, 0, 1])
    prior, alpha = prior_of("full", 2), 1.5
    fit = sample(x, spec_of("full", "dirichlet", 2), n_draws=500, labels=labels)
    assert (fit.counts == np.bincount(labels)).all()
    parameters = tb.parameters_of(tb.STRUCTURES[0], fit.mixture)
    for k in range(3):
        rows = x[labels == k]
        kappa, nu = prior.kappa + len(rows), prior.nu + len(rows)
        mean = (prior.kappa * prior.mean + rows.sum(0)) / kappa
        scale = prior.scale + en.gain(rows, prior)
        assert_same_mean(
            "weight", parameters.weights[..., k], (alpha + len(rows)) / (3 * alpha + 5)
        )
        for i in range(2):
            assert_same_mean("mean", parameters.means[..., k, i], mean[i])
            variance = parameters.matrices[..., k, i, i]
            assert_same_mean("variance", variance, scale[i, i] / (nu - 3))


# Missing cells -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "structure",
    [
        one if one.name == "full" else pytest.param(one, marks=pytest.mark.slow)
        for one in tb.STRUCTURES
    ],
    ids=lambda one: one.name,
)
def test_missing_cells_follow_their_law_given_label_and_observed_cells(structure):
    """Textbook regression of missing on observed cells, for each component; D = 3, two missing."""
    n, random = 20_000, np.random.default_rng(6)
    parameters = tb.random_parameters(random, structure, 2, 3)
    missing, labels = np.array([True, False, True]), np.arange(n) % 2
    seen = 0.7
    rows = Rows(
        np.where(missing, 0.0, seen)[None, :, None] * np.ones((1, 1, n)),
        np.ones((1, n)),
        observed=~missing[None],
    )
    with jax.enable_x64(True):
        mixture = jax.tree.map(jnp.asarray, tb.mixture_of(structure, parameters))
        rows = jax.tree.map(jnp.asarray, rows)
        drawn = draw_cells(
            jax.random.key(1), structure.family, mixture, rows, jnp.asarray(labels)[None]
        )
    drawn = np.asarray(drawn)[0].T
    assert (drawn[:, 1] == seen).all()
    for k in range(2):
        matrix, mean, cells = parameters.matrices[k], parameters.means[k], drawn[labels == k]
        slope = matrix[np.ix_(missing, ~missing)][:, 0] / matrix[1, 1]
        spread = matrix[np.ix_(missing, missing)] - np.outer(slope, slope) * matrix[1, 1]
        away = cells[:, missing] - mean[missing] - slope * (seen - mean[1])
        tb.assert_mean(away, 0.0)
        for i, j in ((0, 0), (0, 1), (1, 1)):
            tb.assert_mean(away[:, i] * away[:, j], spread[i, j])


def few_rows():
    """Two clusters that overlap a little, a quarter of the cells missing, four rows known."""
    random = np.random.default_rng(1)
    truth = np.repeat([0, 1], 20)
    rows = 20 + 5 * (np.where(truth == 0, -1.6, 1.6)[:, None] + random.normal(size=(40, 2)))
    missing = random.random(rows.shape) < 0.25
    missing[missing.all(1), 0] = False
    labels = np.where(np.arange(40) % 10 == 0, 1 - truth, -1)
    return np.where(missing, np.nan, rows), labels


@pytest.mark.slow
def test_nuts_has_the_same_posterior():
    x, labels = few_rows()
    prior = bg.NormalInverseWishart(mean_precision=0.01, scale=20.0)
    spec = bg.MixtureSpec(2, prior=prior)
    gibbs = bg.Gibbs(n_warmup=500, n_draws=3000, thin=1, progress=False)
    nuts = bg.NUTS(n_warmup=500, n_draws=1500, target_accept=0.99, progress=False)
    fits = [bg.fit(x, spec, engine=engine, seed=4, labels=labels) for engine in (gibbs, nuts)]
    ours, theirs = (
        functionals(fit)
        | {f"mean {k}": fit.mixture.means[..., k, 0] for k in range(2)}
        | {f"spread {k}": np.log(fit.mixture.covariance.chol[..., k, 1, 1]) for k in range(2)}
        for fit in fits
    )
    assert_same_posterior(ours, theirs)


# Refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("weight", [2.0, 0.5, 0.0])
def test_weights_are_refused_with_what_to_do(weight):
    weights = np.array([1.0, weight, 1, 1, 1, 1])
    with pytest.raises(ValueError, match="count once each for Gibbs") as error:
        bg.fit(ROWS, spec_of("full", "dirichlet", 2), engine=bg.Gibbs(), sample_weight=weights)
    assert_three_parts(str(error.value), f"{weight:g} in row 1", "np.repeat", "bg.NUTS()")


def test_labels_beyond_the_components_are_refused():
    labels = np.array([0, MAX_COMPONENTS, -1, -1, -1, -1])
    with pytest.raises(ValueError, match="for max_components=10, got 10 in row 1") as error:
        bg.fit(ROWS, spec_of("full", "dynamic", 2), engine=bg.Gibbs(), labels=labels)
    assert_three_parts(str(error.value), "Raise max_components")


def test_nuts_takes_no_labels_under_a_dirichlet_process():
    labels = np.array([0, 1, -1, -1, -1, -1])
    with pytest.raises(ValueError, match="exchangeable a priori, got a Dirichlet process") as error:
        bg.fit(ROWS, spec_of("full", "process", 2), engine=bg.NUTS(), labels=labels)
    assert_three_parts(str(error.value), "engine=bg.Gibbs()", "SparseDirichlet")
