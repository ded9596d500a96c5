"""A posterior Fit without a sampler: independent draws around two clusters."""

import jax
import numpy as np

import bayesgmm as bg
from bayesgmm.model.mixture import Full, Mixture
from bayesgmm.result import Fit, Outcome, Provenance, Status


def posterior_of_draws(data, spec, *, n_chains, n_draws):
    """Return a Fit of (n_chains, n_draws) independent draws, two clusters of K occupied."""
    random = np.random.default_rng(7)
    shape, model = (n_chains, n_draws), bg.resolve(spec, data)
    scaled = independent_mixtures(random, shape, model.n_components)
    counts = np.zeros((*shape, model.n_components), int)
    counts[..., 0] = random.integers(36, 44, shape)
    counts[..., 1] = data.n_rows - counts[..., 0]
    return Fit(
        model=model,
        data=data,
        engine=bg.NUTS(n_chains=n_chains, n_draws=n_draws, max_tree_depth=8),
        kind="posterior",
        scaled=scaled,
        log_likelihood=random.normal(-250, 2, shape),
        status=Status(Outcome.COMPLETE, f"{n_chains} chains of {n_draws} draws each."),
        sample_stats=independent_stats(random, shape),
        counts=counts,
        concentration=random.gamma(2.0, 0.05, shape),
        label_key=np.asarray(jax.random.key_data(jax.random.key(0))),
        provenance=Provenance(
            3, 1.5, "float64", {"bayesgmm": "0.1.0"}, "2026-01-01T00:00:00+00:00"
        ),
    )


def independent_mixtures(random, shape, n_components):
    """The two clusters of conftest in engine units; other components hold next to nothing."""
    masses = np.array([400.0, 300.0, *[0.1] * (n_components - 2)])
    log_weights = np.log(random.dirichlet(masses, shape).clip(1e-12))
    centres = np.where(np.arange(n_components)[:, None] == 1, 1.09, -0.82)
    means = random.normal(centres, 0.03, (*shape, n_components, 2))
    chol = np.tril(random.normal(np.eye(2) * 0.32, 0.01, (*shape, n_components, 2, 2)))
    return Mixture(log_weights=log_weights, means=means, covariance=Full(chol))


def independent_stats(random, shape):
    """Statistics of a sampler without a fault."""
    return {
        "lp": random.normal(-260, 2, shape),
        "energy": random.normal(270, 3, shape),
        "diverging": np.zeros(shape, bool),
        "n_steps": np.full(shape, 7),
        "tree_depth": np.full(shape, 3),
        "acceptance_rate": random.uniform(0.6, 1, shape),
        "step_size": np.full(shape, 0.4),
    }
