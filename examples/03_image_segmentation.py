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
# # Segmenting a picture by colour
#
# A photograph is a table: a row for each pixel, three columns for red, green and blue. Clusters of rows are
# areas of similar colour. With two of them, with eight, and with as many as the posterior finds: what do we
# see, and how sure is each pixel?

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_sample_image

import bayesgmm as bg

image = load_sample_image("china.jpg")
height, width, _ = image.shape
pixels = pd.DataFrame(image.reshape(-1, 3) / 255, columns=["red", "green", "blue"])
print(f"{len(pixels):,} pixels, {len(pixels.drop_duplicates()):,} colours")

# %% [markdown]
# ## Two colours, and eight
#
# Maximum likelihood from every pixel. All clusters share one covariance (`tied`): a flat sky is thousands of
# pixels of nearly one colour, and a covariance of its own would shrink onto it.

# %%
settings = {"covariance_type": "tied", "init_params": "k-means++", "random_state": 0}
settings |= {"n_init": 4, "tol": 1e-6, "max_iter": 1000}
models = {k: bg.GaussianMixture(k, **settings).fit(pixels) for k in (2, 8)}
models[8].fit_

# %% [markdown]
# Restarts matter: not all of them climb to the same maximum, and in the lower ones two of the eight clusters may
# share a colour.

# %%
models[8].restarts_.round(3)

# %% [markdown]
# ## The picture


# %%
def show(ax, picture, title, **style):
    """Show a picture without axes."""
    shown = ax.imshow(picture, **style)
    ax.set_title(title, fontsize="medium")
    ax.set_axis_off()
    return shown


def painted(labels, palette):
    """Paint each pixel in the colour of its cluster."""
    return np.clip(palette, 0, 1)[labels].reshape(height, width, 3)


fig, axes = plt.subplots(1, 3, figsize=(9, 2.2), layout="constrained")
show(axes[0], image, "the photograph")
for ax, (k, model) in zip(axes[1:], models.items(), strict=True):
    show(ax, painted(model.predict(pixels), model.means_), f"{k} clusters, in their mean colours")

# %% [markdown]
# The palette: mean colours, as wide as their share of the picture.


# %%
def draw_palette(ax, weights, palette, title):
    """Draw a bar of colours, the largest share first."""
    order = np.argsort(-weights)
    starts = np.cumsum(weights[order]) - weights[order]
    ax.barh(0, weights[order], left=starts, color=np.clip(palette[order], 0, 1))
    ax.set_title(title, fontsize="medium", loc="left")
    ax.set(xlim=(0, 1), yticks=[], xlabel="share of the pixels")
    ax.spines[["top", "right", "left"]].set_visible(False)


fig, axes = plt.subplots(2, 1, figsize=(8, 2.2), layout="constrained", sharex=True)
for ax, (k, model) in zip(axes, models.items(), strict=True):
    draw_palette(ax, model.weights_, model.means_, f"{k} clusters")
axes[0].set_xlabel("")

# %% [markdown]
# ## How sure is each pixel?
#
# The probability of the cluster a pixel is painted in. Within areas it is near one; it drops where a colour
# lies between two means: along edges and in soft gradients.

# %%
scale = {"cmap": "cividis", "vmin": 0.3, "vmax": 1}
fig, axes = plt.subplots(1, 2, figsize=(8.6, 2.6), layout="constrained")
for ax, (k, model) in zip(axes, models.items(), strict=True):
    certainty = model.predict_proba(pixels).max(1).reshape(height, width)
    shown = show(ax, certainty, f"{k} clusters", **scale)
bar = fig.colorbar(shown, ax=axes, label="probability")

# %% [markdown]
# ## As many as the posterior finds
#
# The number of clusters unknown, each with a covariance of its own. The posterior is sampled from 250 pixels
# drawn at random, and then classifies all the others. Beside it, for later, another from 500.
#
# A value of 217 stands for any brightness from 217 to 218 of 256, so we draw one from there: without that, equal
# pixels would be exact repetitions, which no continuous distribution makes (see the notebook on singular
# covariances).

# %%
rng = np.random.default_rng(0)
brightness = (image.reshape(-1, 3) + rng.random((len(pixels), 3))) / 256
shuffled = pd.DataFrame(brightness, columns=pixels.columns).iloc[rng.permutation(len(pixels))]
sampling = {"n_warmup": 500, "n_draws": 100, "random_state": 0}
posteriors = {n: bg.BayesianGaussianMixture(**sampling).fit(shuffled[:n]) for n in (250, 500)}
automatic = posteriors[250]
automatic.n_clusters_pmf_.round(3)

# %% [markdown]
# All pixels, every distinct colour computed once:

# %%
colours, of_pixel = np.unique(image.reshape(-1, 3), axis=0, return_inverse=True)
colours = pd.DataFrame((colours + 0.5) / 256, columns=pixels.columns)
probabilities = automatic.predict_proba(colours)
labels, certainty = probabilities.argmax(1)[of_pixel], probabilities.max(1)[of_pixel]
palette = pixels.groupby(labels).mean().to_numpy()
shares = np.bincount(labels) / len(labels)

fig, axes = plt.subplots(1, 2, figsize=(8.6, 2.6), layout="constrained")
show(axes[0], painted(labels, palette), f"automatic: {len(palette)} clusters")
shown = show(axes[1], certainty.reshape(height, width), "how sure", **scale)
bar = fig.colorbar(shown, ax=axes, label="probability")

# %%
fig, ax = plt.subplots(figsize=(8, 1.1), layout="constrained")
draw_palette(ax, shares, palette, "automatic")

# %% [markdown]
# Each cluster has a shape of its own here, so that clusters are other things than before: narrow ones for parts
# of the sky, a wide one for most of the building. They look less like the photograph, because a wide cluster
# is poorly told by one colour.
#
# The doubt is of another kind too. Where the sky passes from one cluster into the next a pixel may belong to
# either, as before. But all of the sky is in some doubt: in part of the draws, those with fewer clusters, its two
# clusters are one. Maximum likelihood, with its number given, knows nothing of that.
#
# ## What "automatic" means
#
# The posterior counts the Gaussians that the rows ask for. From 250 pixels, and from twice as many:

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 3.4), layout="constrained", sharey=True)
for ax, (n, model) in zip(axes, posteriors.items(), strict=True):
    model.plot.n_clusters(ax=ax)
    ax.set_title(f"{n} pixels", fontsize="medium")

# %% [markdown]
# More pixels, more clusters. The colours of a photograph are a continuum: sky, haze and shade run into each
# other, and no ellipse fits them exactly. Every further row shows more of the misfit, and another cluster
# mends it; there is no true number that many rows would settle on. The dots are single chains: where they lie
# apart the chains have not mixed and the bars are a rough answer. The more clusters, the harder that gets.
#
# So the automatic number answers "how many Gaussians describe these 250 pixels", not "how many things are in the
# picture". For a poster in eight colours, say eight. And no pixel knows its neighbours here: a
# segmentation into objects needs more than colour.
