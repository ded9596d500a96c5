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
# # Stretched blobs: shapes, regions, and how many
#
# The example of a well-known textbook (Géron, *Hands-On Machine Learning*, chapter 9): 1,250 rows in three
# blobs, two of them stretched. Which shape should clusters have? Where does a new row go? And how many
# clusters are there: a sweep with AIC and BIC beside a single posterior.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import make_blobs

import bayesgmm as bg

two, _ = make_blobs(n_samples=1000, centers=((4, -4), (0, 0)), random_state=42)
two = two @ np.array([[0.374, 0.95], [0.732, 0.598]])
one, _ = make_blobs(n_samples=250, centers=1, random_state=42)
X = pd.DataFrame(np.r_[two, one + np.array([6, -8])], columns=["x", "y"])

# %% [markdown]
# ## Four shapes
#
# Spherical clusters are circles, diagonal ones have axes along the columns, tied ones share one shape, full
# ones are free.

# %%
fig, axes = plt.subplots(2, 2, figsize=(9, 7), layout="constrained", sharex=True, sharey=True)
for ax, shape in zip(axes.flat, ["spherical", "diag", "tied", "full"], strict=True):
    model = bg.GaussianMixture(3, covariance_type=shape, n_init=10, random_state=0).fit(X)
    model.plot.clusters(ax=ax)
    ax.get_legend().remove()
    ax.set_title(f"{shape}: BIC {model.bic(X):,.0f}", fontsize="medium")

# %% [markdown]
# ## Decision regions
#
# The colour says where a new row would go, its strength how surely. The borders of free shapes are curved.

# %%
full = bg.GaussianMixture(3, n_init=10, random_state=0).fit(X)
fig, ax = plt.subplots(figsize=(8, 5))
full.plot.regions(ax=ax)

# %% [markdown]
# ## How many? A sweep
#
# Every number of components from 1 to 8, four shapes, ten restarts of each: one compiled program for each shape.

# %%
sweep = bg.select(X, range(1, 9), ["full", "tied", "diag", "spherical"], n_init=10, progress=False)
sweep

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
sweep.plot(ax=left)
for name in ("aic", "bic"):
    values = sweep.pivot(name)["full"]
    right.plot(values.index, values, marker="o", ms=4, label=f"{name.upper()}, full")
right.set(xlabel="number of components")
right.legend(frameon=False)
right.spines[["top", "right"]].set_visible(False)

# %% [markdown]
# BIC and AIC rank models; a difference of a few units has no probability attached to it.
#
# ## How many? One posterior
#
# One run, no sweep: the number of clusters is inferred with everything else.

# %%
posterior = bg.BayesianGaussianMixture(random_state=0).fit(X)
posterior.n_clusters_pmf_.round(3)

# %%
posterior.plot.n_clusters()

# %%
fig, ax = plt.subplots(figsize=(8, 5))
posterior.plot.clusters(ax=ax)

# %%
posterior.diagnose().verdict
