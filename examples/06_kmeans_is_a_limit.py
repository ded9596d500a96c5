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
# # k-means is a limit of a Gaussian mixture
#
# Give a mixture equal weights and one spherical covariance $\sigma^2 I$ for all components. Then the
# responsibility of component $k$ for a row $x$ is
#
# $$ r_k(x) = \frac{\exp(-|x - \mu_k|^2 / 2 \sigma^2)}{\sum_j \exp(-|x - \mu_j|^2 / 2 \sigma^2)} , $$
#
# and as $\sigma^2 \to 0$ it becomes one for the nearest centre and zero for all others: EM turns into Lloyd's
# algorithm (Bishop 2006, *Pattern Recognition and Machine Learning*, 9.3.2). So k-means assumes what that
# mixture assumes: round clusters of one size, equally many rows in each, no overlap.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

import bayesgmm as bg

rng = np.random.default_rng(0)
round_ones = pd.DataFrame(
    np.concatenate([rng.normal(centre, 1, (200, 2)) for centre in ((0, 0), (4, 0), (2, 3.5))]),
    columns=["x", "y"],
)

# %% [markdown]
# ## Watching the limit
#
# From the centres of k-means, responsibilities at shrinking $\sigma$: the largest difference from k-means'
# zeros and ones goes to zero everywhere but on the borders.

# %%
kmeans = KMeans(3, n_init=10, random_state=0).fit(round_ones)
hard = np.eye(3)[kmeans.labels_]

rows = []
for sigma in (2.0, 1.0, 0.5, 0.2, 0.1, 0.05):
    squared = ((round_ones.to_numpy()[:, None] - kmeans.cluster_centers_) ** 2).sum(-1)
    log_r = -(squared - squared.min(1, keepdims=True)) / (2 * sigma**2)
    soft = np.exp(log_r) / np.exp(log_r).sum(1, keepdims=True)
    apart = np.abs(soft - hard).max(1)
    rows.append(
        {"sigma": sigma, "mean difference": apart.mean(), "share above 0.01": (apart > 0.01).mean()}
    )
pd.DataFrame(rows).round(4)

# %% [markdown]
# ## Where both agree
#
# On round clusters of one size the mixture draws the same borders, and adds how sure each row is.

# %%
spherical = bg.GaussianMixture(3, covariance_type="EII", n_init=5, random_state=0).fit(round_ones)
spherical.plot.kmeans()

# %% [markdown]
# ## Where k-means goes wrong
#
# Clusters of different size and shape: k-means cuts the wide one and gives its rows to the narrow ones,
# because only distances count.

# %%
parts = [
    rng.normal((0, 0), 2.5, (400, 2)),
    rng.normal((5.5, 0), 0.5, (100, 2)),
    rng.normal(0, 1, (200, 2)) @ np.array([[2.5, 1.2], [0, 0.25]]) + [1, 8],
]
uneven = pd.DataFrame(np.concatenate(parts), columns=["x", "y"])
truth = np.repeat([0, 1, 2], [400, 100, 200])
full = bg.GaussianMixture(3, n_init=10, random_state=0).fit(uneven)
full.plot.kmeans()

# %%
labels = KMeans(3, n_init=10, random_state=0).fit_predict(uneven)
pd.Series(
    {
        "k-means": adjusted_rand_score(truth, labels),
        "Gaussian mixture": adjusted_rand_score(truth, full.predict(uneven)),
    },
    name="agreement with the truth (adjusted Rand index)",
).round(3)

# %% [markdown]
# How sure is each row? k-means does not say; the mixture does.

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
full.plot.clusters(ax=left)
full.plot.uncertainty(ax=right)
