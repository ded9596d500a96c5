# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A million rows: what it costs, and what is left to be unsure of
#
# A flow cytometer measures a million cells in a few minutes, some channels each. Can a mixture of that size
# be fitted on a laptop? Is a posterior of it feasible, and is it worth having? The cells here are simulated,
# so that the answers can be checked: four kinds in four channels, in random order.

# %%
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import psutil
from scipy.spatial.distance import cdist
from scipy.stats import norm
from scipy.stats import t as student
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as SklearnMixture

import bayesgmm as bg

N, D, K = 1_000_000, 4, 4
WEIGHTS = np.array([0.4, 0.3, 0.2, 0.1])
rng = np.random.default_rng(0)
CENTRES = rng.uniform(-3, 3, (K, D)).round(1)
FACTORS = (np.eye(D) + rng.normal(0, 0.3, (K, D, D))) * rng.uniform(0.8, 1.2, (K, 1, 1))


def simulate(noise, kind):
    """Give each row of noise the centre and the covariance of its kind."""
    rows = np.empty_like(noise)
    for k in range(K):
        rows[kind == k] = CENTRES[k] + noise[kind == k] @ FACTORS[k].T
    return rows


kind = rng.choice(K, N, p=WEIGHTS)
noise = rng.standard_normal((N, D))
X = simulate(noise, kind)
print(f"{X.shape[0]:,} x {X.shape[1]}, {X.dtype}, {X.nbytes / 1e6:.0f} MB")

# %% [markdown]
# ## How many kinds? Ask a sample
#
# The number of clusters rarely needs a million rows. These are in random order, so that the first 10,000 are a
# fair sample.

# %%
sweep = bg.select(X[:10_000], range(1, 7), n_init=5, progress=False)
sweep.table[["n_components", "bic", "delta", "n_iter"]].round(1)

# %% [markdown]
# ## All rows
#
# EM on all rows can begin where the sample ended, or anew from k-means. A small watch takes time and memory:
# what the process holds at most beyond what it held before.


# %%
class Watch:
    """Seconds, and megabytes beyond those held before, of a block of code."""

    def __enter__(self):
        self.running, self.memory = True, psutil.Process().memory_info
        self.before = self.most = self.memory().rss
        self.thread = threading.Thread(target=self.look)
        self.thread.start()
        self.begun = time.perf_counter()
        return self

    def look(self):
        while self.running:
            self.most = max(self.most, self.memory().rss)
            time.sleep(0.002)

    def __exit__(self, *_):
        self.seconds = time.perf_counter() - self.begun
        self.running = False
        self.thread.join()
        self.megabytes = (self.most - self.before) / 1e6


# %%
spec = bg.MixtureSpec.maximum_likelihood(K)
found = []
for name, start in {"the sample's mixture": sweep.best_.fit_.mixture, "k-means": "kmeans"}.items():
    engine = bg.EM(start=start, tol=1e-8, max_iter=500)
    bg.fit(X, spec, engine=engine)  # the first call compiles
    with Watch() as watch:
        fit = bg.fit(X, spec, engine=engine)
    found.append(
        {
            "start": name,
            "updates": len(fit.history["log_likelihood"]) - 1,
            "seconds": watch.seconds,
            "MB": watch.megabytes,
            "log-likelihood per row": float(fit.log_likelihood) / N,
        }
    )
pd.DataFrame(found).set_index("start").round(4)

# %% [markdown]
# Both ends are the same mixture. A picture needs no million dots: the same parameters, shown with 3,000 rows.

# %%
shown = bg.fit(X[:3000], spec, engine=bg.EM(start=fit.mixture, max_iter=0))
fig, ax = plt.subplots(figsize=(8, 5))
bg.plots.clusters(shown, columns=["x1", "x2"], ax=ax)

# %% [markdown]
# What does one update cost? The time of many updates less that of one, from the same start. scikit-learn does the same on
# the first 100,000 rows. Timings depend on the machine and on what else it is doing.


# %%
def milliseconds_per_update(run, many):
    """Return the time of so many updates less that of one, over their difference; best of three."""
    run(1)  # compiles
    ends = []
    for n_updates in (1, many):
        times = []
        for _ in range(3):
            begun = time.perf_counter()
            run(n_updates)
            times.append(time.perf_counter() - begun)
        ends.append(min(times))
    return 1e3 * (ends[1] - ends[0]) / (many - 1)


def ours(rows):
    return lambda n: bg.fit(rows, spec, engine=bg.EM(start=first.fit_.mixture, tol=0, max_iter=n))


def theirs(rows):
    names = ("weights", "means", "precisions")
    given = {f"{name}_init": getattr(first, f"{name}_") for name in names}
    return lambda n: SklearnMixture(K, max_iter=n, tol=0, **given).fit(rows)


first = bg.GaussianMixture(K, random_state=0).fit(X[:1000])
with warnings.catch_warnings():
    warnings.simplefilter("ignore", ConvergenceWarning)  # a few updates do not converge
    cost = {
        ("scikit-learn", "100,000"): milliseconds_per_update(theirs(X[:100_000]), many=4),
        ("bayesgmm", "100,000"): milliseconds_per_update(ours(X[:100_000]), many=21),
        ("bayesgmm", "1,000,000"): milliseconds_per_update(ours(X), many=11),
    }
pd.Series(cost, name="ms per update").rename_axis(["program", "rows"]).round(1).to_frame()

# %% [markdown]
# ## The posterior
#
# Gibbs sampling draws a kind for every row in every sweep, and a sweep costs not much more than an update of EM.
# With K given and the kinds apart, two chains from k-means agree without moves that split and merge clusters;
# leaving these out makes the program smaller, and R-hat tells whether it was right. Every number of rows has a program
# of its own; two are compiled at a time.


# %%
def posterior(rows):
    n_warmup, n_draws = (20, 40) if len(rows) == N else (100, 200)
    engine = bg.Gibbs(
        n_chains=2, n_warmup=n_warmup, n_draws=n_draws, thin=1, moves=(), progress=False
    )
    return bg.fit(rows, bg.MixtureSpec(K), engine=engine, seed=0)


def weights_by_size(fit):
    """Return draws of the weights, largest first: they need no names of clusters."""
    return -np.sort(-np.exp(fit.mixture.log_weights), axis=-1)


SIZES = [1_000, 10_000, 100_000, 1_000_000]
with ThreadPoolExecutor(2) as pool:
    fits = dict(zip(SIZES, pool.map(lambda n: posterior(X[:n]), SIZES), strict=True))
weights = {n: weights_by_size(fit) for n, fit in fits.items()}

# %%
pd.DataFrame(
    {
        n: {
            **{f"weight {w}: mean": weights[n][..., k].mean() for k, w in enumerate(WEIGHTS)},
            **{f"weight {w}: sd": weights[n][..., k].std() for k, w in enumerate(WEIGHTS)},
            "worst R-hat": max(float(az.rhat(weights[n][..., k])) for k in range(K)),
        }
        for n in SIZES
    }
).rename_axis(columns="rows").round(4)

# %% [markdown]
# How much is left to be unsure of? Dots are posterior standard deviations of the four weights, lines what they would be
# if the kind of every cell were known, $\sqrt{w (1 - w) / N}$.

# %%
fig, ax = plt.subplots(figsize=(7, 4.5))
sd = np.array([weights[n].std((0, 1)) for n in SIZES])
for k, colour in enumerate(["#0072B2", "#D55E00", "#009E73", "#CC79A7"]):
    ax.loglog(SIZES, np.sqrt(WEIGHTS[k] * (1 - WEIGHTS[k]) / np.array(SIZES)), color=colour, lw=1)
    ax.loglog(SIZES, sd[:, k], "o", color=colour, label=f"weight {WEIGHTS[k]}")
ax.set(xlabel="number of rows", ylabel="posterior sd of a weight")
ax.legend(frameon=False)
ax.spines[["top", "right"]].set_visible(False)

# %% [markdown]
# A hundred times the rows, a tenth of the uncertainty, and the kinds that overlap cost little beyond counting. At a
# million rows a weight is known to three digits, if the model is right.
#
# ## If the model is not right
#
# Now one kind of the four has heavier tails than a normal distribution: Student's t with five degrees of freedom, with
# the same centre and covariance. We ask what a gate on a cytometer counts: the share of cells more than three
# standard deviations below the centre of that kind in channel `x1`.

# %%
heavy = noise.copy()
heavy[kind == 0] *= np.sqrt(3 / rng.chisquare(5, (kind == 0).sum()))[:, None]
X_heavy = simulate(heavy, kind)

sds = np.linalg.norm(FACTORS[:, 1], axis=1)
gate = CENTRES[0, 1] - 3 * sds[0]
others = WEIGHTS[1:] @ norm.cdf(gate, CENTRES[1:, 1], sds[1:])
truth = {
    "all kinds normal": WEIGHTS[0] * norm.cdf(-3) + others,
    "one kind heavy-tailed": WEIGHTS[0] * student.cdf(-3 * np.sqrt(5 / 3), 5) + others,
}


def share_below_gate(fit):
    """Return the share of cells below the gate in each draw."""
    mixture = fit.mixture
    scales = np.linalg.norm(mixture.covariance.chol[..., 1, :], axis=-1)
    parts = np.exp(mixture.log_weights) * norm.cdf(gate, mixture.means[..., 1], scales)
    return parts.sum(-1)


# %% [markdown]
# The programs are compiled by now, so these seconds are those of the sampling: two chains each.

# %%
heavy_fits = {n: posterior(X_heavy[:n]) for n in SIZES}
pd.DataFrame(
    {
        "sweeps": {n: fit.engine.n_warmup + fit.engine.n_draws for n, fit in heavy_fits.items()},
        "seconds": {n: fit.provenance.seconds for n, fit in heavy_fits.items()},
        "share below the gate": {n: share_below_gate(fit).mean() for n, fit in heavy_fits.items()},
        "its sd": {n: share_below_gate(fit).std() for n, fit in heavy_fits.items()},
        "counted": {n: (X_heavy[:n, 1] < gate).mean() for n in SIZES},
        "truth": truth["one kind heavy-tailed"],
    }
).rename_axis("rows").round(6)

# %%
fig, axes = plt.subplots(1, 2, figsize=(10, 4.2), sharey=True, layout="constrained")
for ax, name, rows, made in zip(axes, truth, (X, X_heavy), (fits, heavy_fits), strict=True):
    low, middle, high = np.array(
        [np.quantile(share_below_gate(made[n]), [0.05, 0.5, 0.95]) for n in SIZES]
    ).T
    ax.vlines(SIZES, low, high, color="#0072B2", lw=3, label="posterior, 90 %")
    ax.plot(SIZES, middle, "o", color="#0072B2")
    counted = [(rows[:n, 1] < gate).mean() for n in SIZES]
    ax.plot(SIZES, counted, "x", color="#D55E00", ms=8, label="counted")
    ax.axhline(truth[name], color="#333333", lw=1, ls="--", label="truth")
    ax.set(xscale="log", title=name, xlabel="number of rows")
    ax.spines[["top", "right"]].set_visible(False)
    if ax is axes[0]:
        ax.set_ylabel("share of cells below the gate")
        ax.legend(frameon=False)

# %% [markdown]
# With more rows the posterior grows surer of a wrong number: it finds the best mixture of four normal distributions,
# and none of them has such tails. Weights suffer too, less to the eye, but not by the measure of their standard
# deviations, with which no one would quote them.

# %%
pd.DataFrame(
    {
        name: (w.mean((0, 1)) - WEIGHTS) / w.std((0, 1))
        for name, w in zip(truth, map(weights_by_size, (fits[N], heavy_fits[N])), strict=True)
    },
    index=pd.Index(WEIGHTS, name="true weight"),
).round(1).rename_axis(columns="error in posterior sd, all rows")

# %% [markdown]
# The sweep over the sample shows what is wrong: it asks for more components than there are kinds. Narrow and wide
# ones share a centre and make up a tail together.

# %%
heavy_sweep = bg.select(X_heavy[:10_000], range(1, 7), n_init=5, progress=False)
K_heavy = heavy_sweep.best[1]
engine = bg.EM(start=heavy_sweep.best_.fit_.mixture, tol=1e-7, max_iter=500)
more = bg.fit(X_heavy, bg.MixtureSpec.maximum_likelihood(K_heavy), engine=engine)
print(f"components by BIC: {sweep.best[1]} if all kinds are normal, {K_heavy} if one is not")
print(f"share below the gate: {share_below_gate(more):.5f}, truth {list(truth.values())[1]:.5f}")
pd.DataFrame(
    {
        "weight": np.exp(more.mixture.log_weights),
        "mean of x1": more.mixture.means[:, 1],
        "sd of x1": np.linalg.norm(more.mixture.covariance.chol[:, 1], axis=-1),
        "nearest kind": cdist(more.mixture.means, CENTRES).argmin(1),
    }
).round(3).rename_axis("component")

# %% [markdown]
# ## Predictions for a million rows
#
# Densities are worked out in blocks of rows. Probabilities are a table of N x K numbers, made when it is asked for;
# without it, labels of a long file go block by block. Under a posterior every row costs as many mixtures as there
# are draws, so that fewer draws, or fewer rows, may do.

# %%
model = sweep.best_.set_params(warm_start=True, tol=1e-8, max_iter=500).fit(X)
tasks = {
    "log densities": lambda: model.score_samples(X),
    "probabilities": lambda: model.predict_proba(X),
    "labels in 50 blocks": lambda: [model.predict(rows) for rows in np.array_split(X, 50)],
    "log densities over 100 draws, 100,000 rows": lambda: bg.log_density(fits[N], X[:100_000]),
}
rows = {}
for name, task in tasks.items():
    task()  # compiles
    with Watch() as watch:
        task()
    rows[name] = {"seconds": watch.seconds, "MB": watch.megabytes}
pd.DataFrame(rows).T.round(2)

# %% [markdown]
# ## What to do with a million rows
#
# - Find the number of clusters on a sample; let EM on all rows begin where the sample ended.
# - A posterior on all rows is feasible. Before it is worth its time, look at what a sample's posterior says: its standard
#   deviations fall with the root of the number of rows.
# - Where those are far smaller than any difference that matters, what is left to be unsure of is the model. Compare
#   what it says with counts, as above, and let the number of components grow if the tails matter.
