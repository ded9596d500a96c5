"""The partition sampler against its prior: Geweke's (2004, JASA 99, 799-804) test of a whole sweep.

Many replications start from an exact draw of the joint distribution of parameters and labels, made
by NumPy and SciPy. Each then alternates between new rows given labels and parameters and a sweep
given the rows. A correct sweep leaves the joint distribution as it is, so that after any number of
steps the replications are independent draws from it. They are compared with fresh ones by ranks,
which need no moments.
"""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import textbook as tb
from joint_prior import (
    COMPONENTS,
    N_ROWS,
    WEIGHTS,
    Case,
    Point,
    draw_prior,
    of_labels,
    package_components,
)
from quick import quick_compilation, slow_after
from scipy import stats
from scipy.special import logsumexp

from bayesgmm.engines.sweep import Problem, Schedule, State, Static, nothing_done, sweep
from bayesgmm.model.allocation import label_type, labelled_statistics
from bayesgmm.model.components import Drawn
from bayesgmm.model.families import FAMILIES
from bayesgmm.model.mixture import Mixture
from bayesgmm.numerics.rows import Rows

N_REPLICATIONS = 3000
N_FROM_PRIOR = 20_000
N_STEPS = 10
FALSE_ALARMS = 1e-3


# The sampler -------------------------------------------------------------------------------------


def simulate(case, start, seed):
    """Run the successive-conditional simulator from R points; return the R points it ends at."""
    static = Static(FAMILIES[case.family], case.has_moves, case.has_births)
    partition = WEIGHTS[case.weights].prior.resolve()
    with jax.enable_x64(True), quick_compilation():
        partition = partition.partition_prior(WEIGHTS[case.weights].max_components)
        key = jax.random.key(0)
        no_rows = Rows(jnp.zeros((1, case.n_columns, N_ROWS)), jnp.ones((1, N_ROWS)))
        schedule = Schedule(*(jnp.asarray(n) for n in (0, N_STEPS, 1, 1)))
        problem = Problem(
            package_components(case), partition, no_rows, key, key, schedule, jnp.zeros(1, int)
        )
        keys = jax.random.split(jax.random.key(seed), len(start.labels))
        state, draw, rows = run(static, problem, state_at(case, start), keys)
        return point_at(static.family, state, draw, rows)


@partial(jax.jit, static_argnums=0)
def run(static, problem, start, keys):
    """Alternate between rows and sweeps in each replication."""

    def one(key, state):
        key_rows, key_moves, key_labels = jax.random.split(key, 3)

        def step(state, i):
            rows = new_rows(jax.random.fold_in(key_rows, i), static.family, state, problem.rows)
            n_slots = state.drawn.means.shape[1]
            statistics = labelled_statistics(static.family, state.labels, n_slots, rows)
            here = problem._replace(rows=rows, key=key_moves, label_key=key_labels)
            state, draw = sweep(static, here, state._replace(statistics=statistics))
            return state, (draw, rows)

        state, outputs = jax.lax.scan(step, state, jnp.arange(N_STEPS))
        return state, *jax.tree.map(lambda leaf: leaf[-1], outputs)

    return jax.vmap(one)(keys, start)


def new_rows(key, family, state, rows):
    """Draw rows given labels and parameters."""
    labels = state.labels[0, 0]
    drawn = jax.tree.map(lambda leaf: leaf[0], state.drawn)
    mixture = Mixture(jnp.zeros(len(drawn.means)), drawn.means, drawn.covariance)
    lower = jnp.linalg.cholesky(family.matrices(mixture))[labels]
    noise = jax.random.normal(key, (N_ROWS, drawn.means.shape[-1]))
    values = drawn.means[labels] + jnp.einsum("nij,nj->ni", lower, noise)
    return rows._replace(values=values.T[None])


def state_at(case, point):
    """Put the replications in the shape of runs of one chain each."""
    family, n_slots = FAMILIES[case.family], point.means.shape[1]
    matrices = point.matrices[:, 0] if case.family == "tied" else point.matrices
    drawn = Drawn(point.means, family.from_matrices(matrices), point.scale)
    labels = jnp.asarray(point.labels, label_type(n_slots))[:, None]
    rows = Rows(jnp.zeros((1, case.n_columns, N_ROWS)), jnp.ones((1, N_ROWS)))
    none = labelled_statistics(family, labels[:1], n_slots, rows)
    return State(
        jnp.zeros(len(labels), int),
        labels[:, None],
        jax.tree.map(lambda leaf: jnp.repeat(leaf[None], len(labels), 0), none),
        jax.tree.map(lambda leaf: jnp.asarray(leaf)[:, None], drawn),
        jnp.asarray(point.concentration)[:, None],
        jax.tree.map(lambda n: jnp.broadcast_to(n, (len(labels), 1)), nothing_done(1)),
    )


def point_at(family, state, draw, rows):
    mixture = jax.tree.map(lambda leaf: leaf[:, 0], draw.mixture)
    point = Point(
        draw.concentration[:, 0],
        draw.n_components[:, 0],
        mixture.log_weights,
        draw.scale[:, 0],
        mixture.means,
        family.matrices(mixture),
        state.labels[:, 0, 0].astype(int),
        jnp.swapaxes(rows.values[:, 0], -1, -2),
    )
    return jax.tree.map(np.asarray, point)


# Test functions ----------------------------------------------------------------------------------


def functionals(point):
    """Functions of the joint draws that do not depend on how components are numbered, (R,) each."""
    counts = (point.labels[..., None] == np.arange(point.means.shape[1])).sum(1)
    log_density, squared = log_densities(point)
    own_mean = of_labels(point.means, point.labels)[:, 0]
    own_matrix = of_labels(point.matrices, point.labels)[:, 0]
    log_joint = point.log_weights[:, None] + log_density
    return {
        "clusters": (counts > 0).sum(1),
        "K": point.n_components,
        "concentration": point.concentration,
        "largest cluster": counts.max(1),
        "two rows together": point.labels[:, 0] == point.labels[:, 1],
        "concentration of weights": logsumexp(2 * point.log_weights, -1),
        "scale": determinants(point.scale),
        "mean of a component": own_mean[:, 0],
        "determinant of a component": np.linalg.det(own_matrix),
        "correlation of a component": own_matrix[:, 0, -1] / np.sqrt(
            own_matrix[:, 0, 0] * own_matrix[:, -1, -1]
        ),
        "mean of rows": point.rows[..., 0].mean(1),
        "spread of rows": point.rows.var(1).sum(-1),
        "misfit of rows": of_rows(squared, point.labels).sum(1),
        "density given labels": of_rows(log_density, point.labels).sum(1),
        "likelihood": logsumexp(log_joint, -1).sum(1),
    }  # fmt: skip


def log_densities(point):
    """log N(row | component) and squared distances, (R, N, K) each."""
    offsets = point.rows[:, :, None] - point.means[:, None]
    lower = np.linalg.inv(np.linalg.cholesky(point.matrices))
    squared = (np.einsum("rkij,rnkj->rnki", lower, offsets) ** 2).sum(-1)
    log_det = np.linalg.slogdet(2 * np.pi * point.matrices)[1]
    return -(log_det[:, None] + squared) / 2, squared


def of_rows(values, labels):
    """Each row's own out of (R, N, K), (R, N)."""
    return np.take_along_axis(values, labels[..., None], -1)[..., 0]


def determinants(scale):
    return np.linalg.det(scale) if scale.ndim == 3 else scale.reshape(len(scale), -1).prod(-1)


# Comparing ---------------------------------------------------------------------------------------


def standardised(ours, theirs):
    """Standard errors between two samples in location and in spread, by ranks.

    Scores are centred ranks and their squares, ties sharing a rank. If both samples have one law,
    the mean score of ours is that of a simple random sample from all scores.
    """
    n, total = len(ours), len(ours) + len(theirs)
    ranks = stats.rankdata(np.concatenate([ours, theirs]))
    centred = (ranks - ranks.mean()) / total
    found = []
    for scores in (centred, centred**2):
        error = np.sqrt(scores.var(ddof=1) * (1 / n - 1 / total))
        found.append((scores[:n].mean() - scores.mean()) / error)
    return found


def distances(case):
    """Standard errors between the simulators for each function that varies."""
    rng = np.random.default_rng(SEEDS[case])
    ended = functionals(simulate(case, draw_prior(rng, case, N_REPLICATIONS), SEEDS[case]))
    fresh = functionals(draw_prior(rng, case, N_FROM_PRIOR))
    varying = [name for name, values in fresh.items() if np.std(values) > 1e-9]
    return {name: standardised(ended[name], fresh[name]) for name in varying}


def cases():
    """Every family under every weight prior with moves, a quarter without, components in turn."""
    grid = itertools.product(enumerate(tb.STRUCTURES), enumerate(WEIGHTS), (False, True))
    return [
        Case(
            family.name,
            weights,
            COMPONENTS[(i + j + has_moves) % 3],
            has_moves,
            n_columns=2 if has_moves else 1 + (i // 2 + j) % 2,
        )
        for (i, family), (j, weights), has_moves in grid
        if has_moves or (i + j) % 4 == 0
    ]


QUICK = [
    Case("full", "dynamic", "random", True),
    Case("tied", "process", "independent", True, 1),
    Case("diag", "static", "fixed", False),
]
# Births and deaths alone, in every family and with every kind of weights.
BIRTHS = [
    Case("full", "dynamic", "random", False, 2, True),
    Case("tied", "sparse", "independent", False, 1, True),
    Case("diag", "process", "fixed", False, 2, True),
    Case("spherical", "static", "random", False, 2, True),
    Case("full", "dirichlet", "independent", False, 1, True),
]
SLOW = [*(one for one in cases() if one not in QUICK), *BIRTHS]
SEEDS = {case: seed for seed, case in enumerate([*QUICK, *SLOW])}
# Two scores of each of the functions in each of the cases, two sides.
N_COMPARISONS = 2 * 15 * len(SEEDS)
LARGEST_DISTANCE = stats.norm.isf(FALSE_ALARMS / (2 * N_COMPARISONS))


def name_of(case):
    moves = "moves" if case.has_moves else "births" if case.has_births else "plain"
    return f"{case.family}-{case.weights}-{case.components}-{moves}-{case.n_columns}"


@pytest.mark.parametrize(
    "case",
    [
        *slow_after(0, QUICK, lambda case: "quick-" + name_of(case)),
        *(pytest.param(case, id=name_of(case), marks=pytest.mark.slow) for case in SLOW),
    ],
)
def test_sweeps_leave_the_joint_distribution_as_it_is(case):
    found = distances(case)
    print({name: np.round(pair, 1).tolist() for name, pair in found.items()})
    beyond = {name: pair for name, pair in found.items() if np.max(np.abs(pair)) > LARGEST_DISTANCE}
    assert not beyond
