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
# # A table with holes
#
# A quarter of the cells of the Palmer penguins is missing. Must we drop the penguins concerned? Which clusters are
# left, what were the missing values, and how sure is that? We make the holes ourselves, so that all answers can be
# checked.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import StandardScaler

import bayesgmm as bg

penguins = bg.datasets.penguins(missing=True)
table, species = penguins.frame, penguins.target
holes = np.random.default_rng(0).random(table.shape) < 0.25
X = table.mask(holes)
X.head()

# %% [markdown]
# Two penguins were never measured, and some more have lost all four cells. A row without any cell says nothing: fits
# refuse it, with a sentence, and we leave it out.

# %%
something = X.notna().any(axis=1)
X, table, species = X[something], table[something], species[something]
pd.Series(
    {
        "penguins": len(X),
        "share of cells missing": X.isna().to_numpy().mean().round(3),
        "penguins with all four cells": int(X.notna().all(axis=1).sum()),
    }
)

# %% [markdown]
# Dropping every penguin with a hole would throw away most of them, and with them cells that were measured.
#
# ## Maximum likelihood
#
# A row counts by the likelihood of the cells it has. Nothing is filled in, nothing is dropped, and the call is the usual
# one; `predict` takes rows with holes too. Holes make the likelihood rougher: k-means, the usual start, does not see them
# as they are, and may lead to a poor local maximum. Deterministic annealing is the safer start here.


# %%
def em(rows, start="annealed"):
    return bg.GaussianMixture(3, n_init=10, init_params=start, random_state=0).fit(rows)


fits = {
    "no holes": em(table),
    "holes": em(X),
    "holes, k-means start": em(X, "kmeans"),
    "only penguins without a hole": em(X.dropna()),
}
clusters = fits["no holes"].predict(table)
pd.DataFrame(
    {
        name: {
            "rows used": fit.fit_.data.n_rows,
            "log-likelihood of X": fit.score_samples(X).sum(),
            "agreement with no holes": adjusted_rand_score(clusters, fit.predict(X)),
            "agreement with the species": adjusted_rand_score(species, fit.predict(X)),
        }
        for name, fit in fits.items()
    }
).T.round(2)

# %% [markdown]
# Agreement is the adjusted Rand index: one for equal clusters, zero for chance. All four sort the same penguins by the
# cells that are left, so even the first line stays below one: that part of the loss is in the penguin to be sorted,
# not in the model. Dropping rows costs more than the holes do, and so does the poor start; of two maxima the likelihood
# says which is better.
#
# ## The posterior
#
# The number of clusters unknown, the missing cells drawn along with everything else. The dots are the chains.

# %%
model = bg.BayesianGaussianMixture(max_components=10, n_warmup=300, n_draws=150, random_state=0)
model.fit(X)
model.plot.n_clusters()
# %%
agreement = adjusted_rand_score(clusters, model.labels_)
print(f"agreement with the clusters of the table without holes: {agreement:.2f}")
astray = (species == "Chinstrap") & (model.labels_ == 0)
lost = X.loc[astray, "bill_length_mm"].isna().sum()
print(f"{astray.sum()} Chinstraps are in cluster 0; of these {lost} have lost their bill length")
pd.crosstab(model.labels_, species.to_numpy(), rownames=["cluster"], colnames=["species"])

# %% [markdown]
# Chinstraps differ from Adelies in the length of the bill; without it the two are hard to tell apart.
#
# ## A new penguin with one measurement
#
# Only the flipper was measured. The probability of each cluster comes with a 90 % interval over the posterior. In
# between, one measurement is not enough, and the answer says so.

# %%
flippers = [180.0, 200.0, 206.0, 225.0]
new = pd.DataFrame({"flipper_length_mm": flippers}).reindex(columns=X.columns)
belongs = model.predict_proba(new, interval=0.9)
pd.DataFrame(
    [
        [f"{m:.2f} ({a:.2f} to {b:.2f})" for m, a, b in zip(*row, strict=True)]
        for row in zip(belongs.mean, belongs.lower, belongs.upper, strict=True)
    ],
    index=pd.Index(flippers, name="flipper (mm)"),
    columns=[f"cluster {j}" for j in range(belongs.mean.shape[1])],
)

# %% [markdown]
# ## Filling the holes
#
# `impute` gives each missing cell its mean, its standard deviation and, if asked, draws: tables filled in one after
# another, so that whatever is computed next can carry the doubt along. We compare the means with column means and with
# two methods of scikit-learn, by the root mean squared error in standard deviations of the column.

# %%
filled = model.impute(X, n_draws=500)
missing = X.isna().to_numpy()


def standardised(imputer):
    """Impute in standardised columns and return to the units of X."""
    scaler = StandardScaler()
    return scaler.inverse_transform(imputer.fit_transform(scaler.fit_transform(X)))


fillings = {
    "column means": X.fillna(X.mean()),
    "KNNImputer": standardised(KNNImputer()),
    "IterativeImputer": standardised(IterativeImputer(max_iter=50, random_state=0)),
    "mixture, posterior": filled.values,
}
spread = table.std().to_numpy()
errors = {name: (np.asarray(f) - table.to_numpy()) / spread for name, f in fillings.items()}
rmse = {name: np.sqrt(np.nanmean(np.where(missing, e**2, np.nan), 0)) for name, e in errors.items()}
comparison = pd.DataFrame(rmse, index=X.columns).T
comparison["all"] = [np.sqrt((e[missing] ** 2).mean()) for e in errors.values()]
comparison.round(2)

# %% [markdown]
# The iterative imputer is one regression for all penguins; the mixture has one for each cluster, and knows to which the
# penguin may belong.
#
# ## How sure?
#
# Intervals from the draws should hold the true value nine times out of ten.

# %%
low, high = np.quantile(filled.draws, [0.05, 0.95], axis=0)
inside = (low <= table.to_numpy()) & (table.to_numpy() <= high)
coverage = pd.DataFrame(
    {
        "missing cells": missing.sum(0),
        "in the 90 % interval": [inside[missing[:, j], j].mean() for j in range(4)],
    },
    index=X.columns,
)
coverage.loc["all"] = [missing.sum(), inside[missing].mean()]
error = np.sqrt(0.9 * 0.1 / coverage["missing cells"])
coverage.assign(**{"standard error if exact": error}).round(3)

# %%
fig, axes = plt.subplots(1, 4, figsize=(14, 3.8), layout="constrained")
for j, (ax, name) in enumerate(zip(axes, X.columns, strict=True)):
    cells = missing[:, j]
    truth, mean = table.iloc[cells, j], filled.values.iloc[cells, j]
    miss = ~inside[cells, j]
    for those, colour in ((~miss, "#0072B2"), (miss, "#D55E00")):
        ax.vlines(
            truth[those],
            low[cells, j][those],
            high[cells, j][those],
            color=colour,
            lw=0.8,
            alpha=0.6,
        )
        ax.plot(truth[those], mean[those], "o", ms=3, color=colour)
    ax.axline((truth.mean(), truth.mean()), slope=1, color="#333333", lw=0.8)
    ax.set(title=name, xlabel="true value")
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_ylabel("imputed, 90 % interval" if j == 0 else "")
# %% [markdown]
# Each bar is a missing cell, orange where the interval misses the truth.
#
# ## What all this assumes
#
# That cells are missing at random: that a cell is missing may depend on what was measured of this penguin, not on the
# missing value itself. Our holes were made that way. Suppose instead that the scales ended at 5 kg, and every heavier
# penguin is without its mass:

# %%
ended = table.copy()
ended.loc[table["body_mass_g"] > 5000, "body_mass_g"] = np.nan
heavy = ended["body_mass_g"].isna()
guess = em(ended).impute(ended)
bias = guess.values.loc[heavy, "body_mass_g"] - table.loc[heavy, "body_mass_g"]
print(f"{heavy.sum()} heavy penguins: imputed {-bias.mean():.0f} g too light on average,")
print(
    f"while the standard deviation that impute gives is {guess.sd.loc[heavy, 'body_mass_g'].mean():.0f} g"
)

# %% [markdown]
# No imputation from the other cells can know that the scales ended: nothing in the table says so. If missing says something
# about the value, that must become a part of the model.
