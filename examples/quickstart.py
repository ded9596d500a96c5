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
# Beside the exact prior, and what other priors of the number of clusters would have made of it.
bg.clusters_by_prior(model.fit_).round(3)

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
# Is that the only partition worth telling? The credible ball holds 95 % of the posterior around it;
# at its edge lie the coarsest, the finest and the farthest partitions that are still credible. These
# clusters are so clear that the ball holds no other partition.

# %%
ball = model.credible_ball(prob=0.95)
print(f"radius {ball.radius:.2f} bits")
{
    name: [len(set(one)) for one in edge]
    for name, edge in zip(
        ("coarsest", "finest", "farthest"), (ball.upper, ball.lower, ball.horizontal), strict=True
    )
}

# %% [markdown]
# The parameters of the clusters, label switching undone. Where clusters cannot be named the table
# stops at what needs no names, and says why.

# %%
model.summary()

# %% [markdown]
# ## What would new penguins look like?
#
# A density averaged over the posterior; how unusual a penguin is, as the share of penguins that are
# more so; and one measurement given the other, with an interval.

# %%
some = [[206.0, 16.2], [230.0, 21.0]]
print("log density    ", model.score_samples(some).round(2))
print("anomaly score  ", model.anomaly_score(some).round(4))
given = model.condition({"flipper_length_mm": 210.0})
(low,), (high,) = given.interval(0.9)
print(f"bill depth at a flipper of 210 mm: {given.mean().item():.1f} ({low:.1f} to {high:.1f}) mm")

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
# Do penguins drawn from the fit look like the penguins?

# %%
bg.plots.ppc(model.fit_)
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
