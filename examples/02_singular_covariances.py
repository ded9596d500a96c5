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
# # Ellipses, and covariances that are singular
#
# A cluster of a Gaussian mixture is an ellipse. What happens when its rows lie on a line, or all on one
# point, or are fewer than the columns? Then the ellipse has no area and the density no bound, and maximum
# likelihood has no answer. We look at a healthy case, spoil it in several ways, and see what helps.

# %%
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture as ScikitGaussianMixture

import bayesgmm as bg

rng = np.random.default_rng(0)
sizes, centres = (100, 80, 60), ((0, 0), (5, 1), (2, 5))
factors = ([[1.2, 0.6], [0, 0.5]], [[0.4, 0.3], [0, 1.0]], [[1.5, -0.9], [0, 0.5]])
parts = [
    centre + rng.normal(size=(n, 2)) @ factor
    for n, centre, factor in zip(sizes, centres, factors, strict=True)
]
healthy = pd.DataFrame(np.concatenate(parts), columns=["x", "y"])

# %% [markdown]
# ## When all is well
#
# Simulated: 240 rows in three clusters. Left the maximum of the likelihood, an ellipse for each cluster;
# right the posterior, where the spread of the thin ellipses is what 240 rows leave open. Its prior states a
# width: before seeing rows, a cluster has a standard deviation of about 0.5, a variance of 0.25. Why it is
# stated comes at the end.

# %%
model = bg.GaussianMixture(3, n_init=10, random_state=0).fit(healthy)
prior = {"covariance_prior": 0.25, "n_warmup": 500, "n_draws": 100, "random_state": 0}
posterior = bg.BayesianGaussianMixture(**prior).fit(healthy)

side_by_side = {"figsize": (12.5, 4), "layout": "constrained", "sharex": True, "sharey": True}
fig, (left, right) = plt.subplots(1, 2, **side_by_side)
model.plot.clusters(ax=left)
posterior.plot.clusters(ax=right)

# %% [markdown]
# ## No bound
#
# Add a fourth component to the left picture: weight one row in 240, standard deviation $\sigma$ both ways. Its
# density at its centre is $1 / 2 \pi \sigma^2$. Put the centre on a row, and the log-likelihood grows without
# bound as $\sigma$ shrinks; put it half a unit beside that row, and it does not.

# %%
row = healthy.loc[20].to_numpy()
sigma = np.geomspace(1e-6, 1, 200)[:, None]
fig, ax = plt.subplots(figsize=(7, 3.6))
for label, centre in {"on a row": row, "half a unit beside it": row + np.array([0.5, 0])}.items():
    squared = ((healthy.to_numpy() - centre) ** 2).sum(1)
    spike = -squared / (2 * sigma**2) - np.log(2 * np.pi * sigma**2)
    mixed = np.logaddexp(np.log(239 / 240) + model.score_samples(healthy), spike - np.log(240))
    ax.plot(sigma, mixed.sum(1), label=f"and a fourth {label}")
ax.axhline(model.score_samples(healthy).sum(), color="0.5", ls="--", label="three components")
ax.set(xscale="log", xlabel=r"$\sigma$ of the fourth component", ylabel="log-likelihood")
ax.legend(frameon=False)
ax.spines[["top", "right"]].set_visible(False)

# %% [markdown]
# So the mixture of the highest likelihood sits on single rows and says nothing. What EM is meant to find is a
# local maximum; with many components it runs into the singular ones instead. Twelve components, twenty
# restarts, nothing added to the covariances:

# %%
settings = {"n_init": 20, "tol": 1e-6, "max_iter": 1000, "random_state": 0}
many = bg.GaussianMixture(12, reg_covar=0, **settings).fit(healthy)
print(many.restarts_["collapsed"].sum(), "of 20 restarts collapsed")
many.restarts_.head(4)

# %% [markdown]
# A restart that collapses does not end the run: the best regular one is kept, and the table has the others.
# Where all of them are singular from the start, as when each component begins on a single row, nothing can be
# kept, and the error says so. scikit-learn ends with an error at the first collapse.

# %%
for kind in (bg.GaussianMixture, ScikitGaussianMixture):
    try:
        kind(12, reg_covar=0, init_params="random_from_data", **settings).fit(healthy)
    except ValueError as error:
        print(f"{kind.__module__.split('.')[0]}, {type(error).__name__}: {error}\n")

# %% [markdown]
# The usual cure is `reg_covar`, added to the variances, in squared units of the data; 1e-6 by default, in
# scikit-learn as here. It bounds the likelihood, but gives a spike no meaning: a component on one row has the
# root of `reg_covar` as its standard deviation. The likelihood goes on rising as `reg_covar` falls, and what
# a given value does depends on the units.

# %%
found = []
for ridge in (1e-2, 1e-4, 1e-6, 1e-8):
    one = bg.GaussianMixture(12, reg_covar=ridge, **settings).fit(healthy)
    sds = np.sqrt([np.linalg.eigvalsh(matrix)[0] for matrix in one.covariances_])
    narrow = sds.argmin()
    found.append([ridge, one.score(healthy) * 240, sds[narrow], one.weights_[narrow] * 240])
columns = ["reg_covar", "log-likelihood", "narrowest sd", "its rows"]
pd.DataFrame(found, columns=columns).set_index("reg_covar").round(4)

# %% [markdown]
# ## Three ways to be singular
#
# Now three components, the right number, and rows that leave no area:
#
# - the sixty rows of the third cluster lie on **a line**;
# - they lie on **a point**, as a stuck sensor or a default entry gives them;
# - all rows lie on a line, because one column is the other in **two units**.

# %%
along = rng.normal(size=60)
line, point, units = healthy.copy(), healthy.copy(), healthy.copy()
line.loc[180:] = np.c_[2 + 1.5 * along, 5 - 0.9 * along]
point.loc[180:] = (2, 5)
units["y"] = 32 + 1.8 * units["x"]
spoiled = {"a line": line, "a point": point, "two units": units}

# %% [markdown]
# Fourteen covariance structures are named by what clusters share: volume, shape and orientation, each E
# (equal) or V (each its own); a last I means axes along the columns, II circles. VVV is scikit-learn's `full`,
# EEE `tied`, VVI `diag`, VII `spherical`. We take seven; `"all"` would take the fourteen. A model that fails
# stays in the table with its reason.

# %%
structures = ["EII", "VVI", "EEE", "EEV", "VEV", "EVV", "VVV"]
sweeps = {}
with warnings.catch_warnings():
    warnings.simplefilter("ignore", bg.SelectionWarning)
    for name, rows in spoiled.items():
        sweeps[name] = bg.select(rows, 3, structures, reg_covar=0, progress=False)
shown = ["covariance_type", "bic", "n_collapsed", "status", "reason"]
sweeps["a line"].table[shown].tail(4).style.hide().format(precision=1, na_rep="")

# %% [markdown]
# Restarts that collapsed, of ten; a model that failed has ten.

# %%
collapsed = {
    name: sweep.table.set_index("covariance_type")["n_collapsed"].fillna(10).astype(int)
    for name, sweep in sweeps.items()
}
pd.DataFrame(collapsed).T[structures]

# %% [markdown]
# - **A line**: structures fail that give each cluster a shape of its own, unless its axes keep to the columns.
#   Where the shape is shared, the other clusters lend the line a width.
# - **A point**: structures with volumes or shapes of their own collapse wherever a restart finds the point.
#   Where volume and shape are both shared, none does.
# - **Two units**: nothing helps but axes along the columns, and that denies that the columns go together. The
#   cure is to leave one of them out.
#
# Look at `n_collapsed` before believing a winner. Among the fits to the point, those that lost restarts have
# clusters of other sizes than the true 100, 80 and 60: they join clusters, or take in a few rows beside the point
# to keep off it.

# %%
table = sweeps["a point"].table.set_index("covariance_type")[["bic", "n_collapsed"]].round(1)
fits = sweeps["a point"].fits
table["sizes"] = [np.sort(np.bincount(fits[s, 3].allocations().ravel())) for s in table.index]
table

# %% [markdown]
# The cure has a price, which the picture shows: the third ellipse has its width, or all of its area, from the
# other two.

# %%
fig, axes = plt.subplots(1, 2, **side_by_side)
for ax, (name, structure) in zip(axes, {"a line": "VEV", "a point": "EEV"}.items(), strict=True):
    sweeps[name].estimator(structure, 3).plot.clusters(ax=ax)
    ax.set_title(f"{name}: {structure}")

# %% [markdown]
# ## Nearly singular
#
# Columns that are almost collinear make no error, which is not the same as no trouble. Here the line has an
# error beside it. Nothing fails, but for each further decimal the log-likelihood of VVV rises by
# $60 \log 10 \approx 138$: a comparison by BIC then counts decimals.

# %%
beside = np.where(line.index >= 180, 1.0, 0.0)[:, None] * rng.normal(size=line.shape)
rows = []
for error in (1e-1, 1e-2, 1e-4, 1e-6):
    sweep = bg.select(line + error * beside, 3, ["VEV", "VVV"], reg_covar=0, progress=False)
    rows.append(sweep.table.set_index("covariance_type")["log_likelihood"].rename(error))
pd.DataFrame(rows).rename_axis("error").round(1)

# %% [markdown]
# ## More columns than rows
#
# Ten columns, clusters of 100, 60 and 8 rows: eight rows span seven directions, and the covariance of the
# small cluster is singular whatever the values are. Fewer parameters are one way out; a prior is another, and
# leaves each cluster its own covariance: EM then climbs the posterior density, which is bounded. How well the
# clusters are found is told by the adjusted Rand index.

# %%
truth = np.repeat([0, 1, 2], [100, 60, 8])
centres = 1.5 * rng.normal(size=(3, 10))
wide = centres[truth] + rng.normal(size=(168, 10)) * np.linspace(0.4, 1.2, 10)
specs = {name: bg.MixtureSpec.maximum_likelihood(3, name) for name in ("VVV", "VVI", "EEE")}
specs["VVV with a prior"] = bg.MixtureSpec(3, prior=bg.NormalInverseWishart(scale=1.0))
engine = bg.EM(n_init=10, tol=1e-6, max_iter=1000, reg_covar=0)
rows = {}
for name, spec in specs.items():
    fit = bg.fit(wide, spec, engine=engine)
    agreement = adjusted_rand_score(truth, fit.allocations().ravel())
    rows[name] = [fit.n_parameters, bg.restarts(fit)["collapsed"].sum(), agreement]
table = pd.DataFrame(rows, index=["parameters", "collapsed", "agreement"]).T
table.astype({"parameters": int, "collapsed": int}).round(2)

# %% [markdown]
# ## The posterior
#
# Under an inverse-Wishart prior with a fixed scale the posterior density vanishes where a covariance loses its
# volume. So nothing can collapse, and no structure has to be chosen for that reason. The same prior and the same
# settings as at the top, the number of clusters unknown:

# %%
posteriors = {
    name: bg.BayesianGaussianMixture(**prior).fit(spoiled[name]) for name in ("a line", "a point")
}
fig, axes = plt.subplots(1, 2, **side_by_side)
for ax, (name, one) in zip(axes, posteriors.items(), strict=True):
    one.plot.clusters(ax=ax)
    ax.set_title(f"{name}: {one.n_clusters_pmf_.max():.2f} for {one.n_clusters_} clusters")

# %% [markdown]
# Three things to know.
#
# - Across the line, and about the point, the widths are the prior's, shrunk by sixty rows, and no property of
#   the rows, which no Gaussian draws in this way.
# - The scale was stated. By default it is random and adapts to the rows, which is better for ordinary data;
#   but enough identical rows draw a random scale to zero along with the covariance. Where rows or columns
#   repeat each other, say how wide a cluster is at least: the resolution of the measurement will do.
# - A proper prior does not make a redundant column harmless. A large cluster can be narrower across the line
#   than several small ones, and with both units this outweighs everything along it: the posterior has a single
#   cluster, where one of the columns asks for two.

# %%
both = bg.BayesianGaussianMixture(**prior).fit(units)
alone = bg.select(units[["x"]], range(1, 5), reg_covar=0, progress=False)
print("both units, posterior of the number:", both.n_clusters_pmf_.round(2).to_dict())
print("one of them, BIC:", alone.pivot()["full"].round(1).to_dict())
