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
# # Quickstart: how many kinds of penguin?
#
# 342 penguins of the Palmer Archipelago, by flipper length and bill depth. We ask for the posterior
# of a Gaussian mixture whose number of clusters is unknown.

# %%
import matplotlib.pyplot as plt

import bayesgmm as bg

penguins = bg.datasets.penguins()
X = penguins.frame[["flipper_length_mm", "bill_depth_mm"]]
X.describe().round(1)

# %% [markdown]
# One call. Nothing is said about K or the width of clusters. Chains start from different partitions:
# one from a single cluster, one from many.

# %%
model = bg.BayesianGaussianMixture(random_state=0)
model.fit(X)
model.fit_

# %% [markdown]
# ## How many clusters?
#
# The number of components that hold at least one row, as a posterior distribution.

# %%
model.n_clusters_pmf_.round(3)

# %%
bg.prior_of_clusters(model.specification(), n_rows=len(X)).head().round(3)

# %%
bg.plots.n_clusters(model.fit_)
# %% [markdown]
# ## Which clusters, and how sure?
#
# Each thin ellipse is one posterior draw of a component: their spread is the uncertainty of the
# cluster's place and shape. Rows whose cluster is uncertain stand out.

# %%
fig, ax = plt.subplots(figsize=(7, 5))
bg.plots.clusters(model.fit_, clusters=model.partition_, ax=ax)
# %% [markdown]
# A penguin between the clusters. The probability of each cluster comes with a 90 % interval over
# the posterior: not only unsure, but how unsure.

# %%
belongs = model.predict_proba([[206.0, 16.2]], interval=0.9)
for j, (mean, lower, upper) in enumerate(
    zip(belongs.mean[0], belongs.lower[0], belongs.upper[0], strict=True)
):
    print(f"cluster {j}: {mean:.2f}  ({lower:.2f} to {upper:.2f})")

# %% [markdown]
# The clusters are not the species, but nearly: one holds the Gentoo penguins.

# %%
import pandas as pd

pd.crosstab(model.labels_, penguins.target.to_numpy(), rownames=["cluster"], colnames=["species"])

# %% [markdown]
# ## May I believe it?
#
# Checks in plain words, on quantities that do not depend on how components are numbered.

# %%
checks = model.diagnose()
print(checks.verdict)
checks

# %%
bg.plots.trace(model.fit_)
# %% [markdown]
# Every default the engine used is a number one can read, in millimetres.

# %%
print(model.fit_.model)

# %% [markdown]
# ## Maximum likelihood
#
# The same model by EM, where two clusters are asked for: scikit-learn's interface and numbers.

# %%
gm = bg.GaussianMixture(n_components=2, n_init=5, random_state=0).fit(X)
print("BIC", round(gm.bic(X), 1), " weights", gm.weights_.round(3))
gm.means_.round(2)
