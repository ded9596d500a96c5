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
# # How many components? Published posteriors, repeated
#
# How many Gaussians the velocities of 82 galaxies ask for has been answered many times, and the
# answer depends on the prior. We repeat two of the answers, each under its own prior, and then count
# groups of patients in five columns.

# %%
import matplotlib.pyplot as plt
import numpy as np
import numpyro.distributions as dist
import pandas as pd

import bayesgmm as bg

x = bg.datasets.load("galaxies").frame
velocity = x["velocity"]
width = float(np.ptp(velocity))
engine = bg.Gibbs(n_chains=4, n_warmup=1000, n_draws=1000, progress=False)


def pmf(numbers):
    """Return the relative frequency of each number over all draws."""
    return pd.Series(numbers.ravel()).value_counts(normalize=True).sort_index()


# %% [markdown]
# ## Richardson & Green (1997)
#
# K is uniform on 1, ..., 30 and the weights are uniform. With R the range of the data,
#
# $$\mu_k \sim N(\text{mid-range}, R^2), \quad \sigma_k^{-2} \sim \Gamma(2, \beta), \quad
# \beta \sim \Gamma(0.2, 10 / R^2).$$
#
# Here $\sigma^{-2} \sim \Gamma(\text{degrees of freedom} / 2, \text{scale} / 2)$, so four degrees of
# freedom and a scale of $2 \beta$, whose rate is $5 / R^2$.

# %%
spec = bg.MixtureSpec(
    max_components=30,
    weights=bg.MixtureOfFiniteMixtures(dist.DiscreteUniform(0, 29), 1.0, dynamic=False),
    prior=bg.IndependentNormalWishart(
        mean=(velocity.min() + velocity.max()) / 2,
        mean_covariance=width**2,
        degrees_of_freedom=4,
        scale=dist.Gamma(0.2, 5 / width**2),
    ),
)
richardson_green = bg.fit(x, spec, engine=engine, seed=0)
print(richardson_green.status.message)

# %% [markdown]
# The posterior of K beside the published one. Theirs comes from a reversible jump sampler and has
# a Monte Carlo error too; ours is the standard error from the spread between chains.

# %%
published = pd.Series([0.061, 0.128, 0.182, 0.199, 0.160, 0.109, 0.071, 0.040], index=range(3, 11))
by_chain = (richardson_green.n_components[..., None] == published.index.to_numpy()).mean(1)
table = pd.DataFrame(
    {
        "published": published,
        "ours": by_chain.mean(0),
        "standard error": by_chain.std(0, ddof=1) / np.sqrt(len(by_chain)),
    }
)
print(table.rename_axis("K").round(3))

# %% [markdown]
# K counts components, also those that hold no galaxy. The number of clusters K+ counts those that
# do, and tends to be smaller.

# %%
fig, ax = plt.subplots(figsize=(9, 3.8))
ax.set_title("Galaxies, prior of Richardson & Green")
bg.plots.n_clusters(richardson_green, ax=ax)

# %% [markdown]
# ## Frühwirth-Schnatter, Malsiner-Walli & Grün (2021)
#
# K - 1 is beta-negative-binomial(1, 4, 3), which prefers few components but has a heavy tail, and
# the scale of the variances has a hyperprior. A static mixture keeps the concentration of the
# weights, a dynamic one divides it by K, so that further components tend to stay empty. The package
# has these priors as defaults. Here K is cut off at 30.

# %%
priors = {
    "static": bg.MixtureOfFiniteMixtures(concentration=1.0, dynamic=False),
    "dynamic": bg.MixtureOfFiniteMixtures(),
}
fits = {}
for name, weights in priors.items():
    spec = bg.MixtureSpec(max_components=30, weights=weights, prior=bg.IndependentNormalWishart())
    fits[name] = bg.fit(x, spec, engine=engine, seed=0)

# %%
columns = {
    (name, letter): pmf(numbers)
    for name, fit in fits.items()
    for letter, numbers in (("K", fit.n_components), ("K+", fit.n_clusters))
}
print(pd.DataFrame(columns).loc[1:12].fillna(0.0).round(3))

# %%
fig, axes = plt.subplots(1, 2, figsize=(13, 3.8), sharey=True, layout="constrained")
for (name, fit), ax in zip(fits.items(), axes, strict=True):
    bg.plots.n_clusters(fit, ax=ax).set_title(f"Galaxies, {name} mixture of finite mixtures")

# %% [markdown]
# The same 82 numbers, three priors, three answers: with few rows, report the prior with the count.
#
# ## Thyroid patients
#
# Five laboratory tests of 215 patients, with the independent prior of that paper for several columns:
# means around the middle of each column, covariances around a random scale. The diagnoses are not
# shown to the model.

# %%
thyroid = bg.datasets.load("thyroid")
spec = bg.MixtureSpec(max_components=20, prior=bg.IndependentNormalWishart())
fit = bg.fit(thyroid.frame, spec, engine=engine, seed=0)
print(pmf(fit.n_clusters).rename_axis("K+").round(3))

# %% [markdown]
# The partition closest to all draws, beside the diagnoses:

# %%
found = bg.partition(fit)
print(pd.crosstab(thyroid.target, pd.Series(found.labels, name="cluster")))
