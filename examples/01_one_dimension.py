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
# # One dimension: three groups on a line
#
# Six hundred numbers from three normal distributions, with means 2, 5 and 8, standard deviations 0.2, 0.5
# and 0.8, and weights 0.3, 0.3 and 0.4. We find them again, first by maximum likelihood with the number of
# groups given, then as a posterior that does not know it.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import bayesgmm as bg

MEANS, SDS, WEIGHTS = np.array([2, 5, 8]), np.array([0.2, 0.5, 0.8]), np.array([0.3, 0.3, 0.4])
rng = np.random.default_rng(0)
group = rng.choice(3, 600, p=WEIGHTS)
x = pd.DataFrame({"x": rng.normal(MEANS[group], SDS[group])})

# %% [markdown]
# ## Maximum likelihood
#
# `GaussianMixture` is scikit-learn's, only faster.

# %%
model = bg.GaussianMixture(3, random_state=0).fit(x)
order = np.argsort(model.means_.ravel())
pd.DataFrame(
    {
        "weight": model.weights_[order],
        "mean": model.means_.ravel()[order],
        "sd": np.sqrt(model.covariances_.ravel()[order]),
    }
).round(3)

# %% [markdown]
# The density is the black line; the coloured ones are the parts of the groups in it. Beneath are the rows.

# %%
fig, ax = plt.subplots(figsize=(8, 4.5))
model.plot.clusters(ax=ax)

# %% [markdown]
# ## Responsibilities
#
# The probability that a number comes from each group, by Bayes' rule: $r_k(x) = w_k N(x \mid \mu_k,
# \sigma_k^2) / p(x)$. Where the curves cross, two groups are as likely. Far to the right everything belongs to
# the widest group, and so does everything far to the left: of two normal distributions the wider one
# wins in both tails.

# %%
grid = pd.DataFrame({"x": np.linspace(0, 11, 600)})
responsibilities = model.predict_proba(grid)[:, order]
fig, ax = plt.subplots(figsize=(8, 3))
ax.plot(
    grid["x"], responsibilities, label=[f"mean {mean:.1f}" for mean in model.means_.ravel()[order]]
)
ax.set(xlabel="x", ylabel="responsibility")
ax.legend(frameon=False)
ax.spines[["top", "right"]].set_visible(False)

# %%
# A few numbers by hand.
some = pd.DataFrame({"x": [1.2, 2.9, 5.0, 6.4, 9.0]})
pd.DataFrame(model.predict_proba(some)[:, order].round(4), index=some["x"], columns=["2", "5", "8"])

# %% [markdown]
# ## Without knowing the number
#
# One run gives the number of groups as a posterior, and everything else averaged over it.

# %%
posterior = bg.BayesianGaussianMixture(random_state=0).fit(x)
posterior.fit_

# %%
posterior.plot.n_clusters()

# %% [markdown]
# The band about the density is what 600 numbers leave open.

# %%
fig, ax = plt.subplots(figsize=(8, 4.5))
posterior.plot.clusters(ax=ax)

# %%
posterior.diagnose().verdict

# %% [markdown]
# The parameters of the groups with their uncertainty, beside the truth.

# %%
axes = posterior.plot.components()
truth = [WEIGHTS, MEANS, SDS]
by_mean = np.argsort([posterior.fit_.data.values[posterior.labels_ == j].mean() for j in range(3)])
for ax, values in zip((axes[0, 0], axes[0, 1], axes[1, 1]), truth, strict=True):
    ax.plot(values[np.argsort(by_mean)], np.arange(3), "k|", ms=16)
