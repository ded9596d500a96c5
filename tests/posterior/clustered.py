"""Posterior fits written down: draws around clusters of known rows, and their renumbering."""

from dataclasses import replace

import jax
import numpy as np

import bayesgmm as bg
from bayesgmm.model.mixture import Diagonal, Full, Mixture, Spherical, Tied
from bayesgmm.result import Fit

RECORDS = {
    "full": lambda sds, d: Full(sds[..., None, None] * np.eye(d)),
    "tied": lambda sds, d: Tied(sds[..., 0, None, None] * np.eye(d)),
    "diag": lambda sds, d: Diagonal(np.repeat(sds[..., None], d, -1)),
    "spherical": lambda sds, d: Spherical(sds),
}


def handmade(rows, truth, sds, family="full", jitter=0.15):
    """Draws around clusters of known rows with known standard deviations, two chains of 400."""
    rng = np.random.default_rng(3)
    n_clusters, n_columns = len(sds), rows.shape[1]
    data = bg.Dataset.from_array(rows)
    model = bg.resolve(bg.MixtureSpec(n_components=n_clusters, covariance=family), data)
    shape = (2, 400, n_clusters)
    centres = np.stack([rows[truth == j].mean(0) for j in range(n_clusters)])
    means = model.affine.forward(centres + rng.normal(0, jitter, (*shape, n_columns)))
    widths = np.asarray(sds) / model.affine.scale * np.exp(rng.normal(0, 0.03, shape))
    weights = np.log(rng.dirichlet(1.0 + np.bincount(truth), shape[:2]))
    fit = Fit(
        model=model,
        data=data,
        engine=bg.Gibbs(n_chains=2, n_draws=400),
        kind="posterior",
        scaled=Mixture(weights, means, RECORDS[family](widths, n_columns)),
        log_likelihood=np.zeros(shape[:2]),
        status=bg.Status(bg.Outcome.COMPLETE, ""),
        label_key=np.asarray(jax.random.key_data(jax.random.key(0))),
    )
    counts = [np.bincount(one, minlength=n_clusters) for one in fit.allocations().reshape(800, -1)]
    return replace(fit, counts=np.reshape(counts, shape))


def shuffled(fit, seed=0):
    """The same posterior, the components of every draw in random order."""
    order = np.random.default_rng(seed).random(fit.counts.shape).argsort(-1)

    def shuffle(leaf):
        return np.take_along_axis(leaf, order.reshape(*order.shape, *(1,) * (leaf.ndim - 3)), 2)

    record = fit.scaled.covariance
    covariance = record if isinstance(record, Tied) else jax.tree.map(shuffle, record)
    scaled = fit.scaled._replace(
        log_weights=shuffle(fit.scaled.log_weights),
        means=shuffle(fit.scaled.means),
        covariance=covariance,
    )
    return replace(fit, scaled=scaled, counts=shuffle(fit.counts)), order
