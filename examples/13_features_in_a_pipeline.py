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
# # A mixture in a pipeline: features, a classifier, and digits that nobody wrote
#
# 1,797 handwritten digits of 8 x 8 pixels, as scikit-learn ships them. Does a Gaussian mixture of the images,
# which has seen no label, give a logistic regression better features than the images themselves? Which of its
# numbers do? And how good is a classifier that is nothing but a mixture for each digit?

# %%
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    RepeatedStratifiedKFold,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, normalize

import bayesgmm as bg

# Features do not need the exact maximum of a likelihood.
warnings.simplefilter("ignore", bg.EarlyStopWarning)

images, digit = load_digits(return_X_y=True)
folds = RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0)


def show(rows, n_columns=10):
    """Draw images in rows of so many."""
    n_rows = -(-len(rows) // n_columns)
    _, axes = plt.subplots(n_rows, n_columns, figsize=(0.8 * n_columns, 0.8 * n_rows))
    for ax, image in zip(axes.flat, rows, strict=True):
        ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=16)
        ax.axis("off")


show(images[:20])

# %% [markdown]
# ## The mixture as a transformer
#
# `bg.GaussianMixture` has `predict_proba` and `score_samples`, but no `transform`: there is more than one choice of
# what to hand on. A few lines make it a step of a pipeline with two of them:
#
# - *responsibilities*, the probability of each component, K numbers that sum to one;
# - *log densities* of each component, $\log w_k N(x \mid \mu_k, \Sigma_k)$, K numbers that also say how far an image
#   is from components it does not belong to.


# %%
class MixtureFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """What a Gaussian mixture of all rows says about each row."""

    def __init__(self, n_components=8, covariance_type="full", features="log densities"):
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.features = features

    def fit(self, X, y=None):
        self.mixture_ = bg.GaussianMixture(
            self.n_components,
            covariance_type=self.covariance_type,
            reg_covar=3,  # squared grey levels
            max_iter=500,
            random_state=0,
        ).fit(X)
        self._n_features_out = self.n_components
        return self

    def transform(self, X):
        responsibilities = self.mixture_.predict_proba(X)
        if self.features == "responsibilities":
            return responsibilities
        log_shares = np.log(np.maximum(responsibilities, 1e-300))
        return log_shares + self.mixture_.score_samples(X)[:, None]


# %%
pca = PCA(20, random_state=0)
small = make_pipeline(pca, MixtureFeatures(4, features="responsibilities"))
small.set_output(transform="pandas").fit_transform(images).head(4).round(3)

# %% [markdown]
# ## How many components, and which shape?
#
# As any step of a pipeline, by a grid search for what counts in the end, the accuracy. Everything is fitted within
# the training part of a fold, the principal components too. Three equal folds give every fit the same number of rows, so
# that each setting is compiled once.

# %%
logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
pipeline = make_pipeline(pca, MixtureFeatures(), logistic)
grid = {
    "mixturefeatures__n_components": [8, 16],
    "mixturefeatures__covariance_type": ["diag", "full"],
}
search = GridSearchCV(
    pipeline, grid, cv=StratifiedKFold(3, shuffle=True, random_state=0), refit=False
)
search.fit(images, digit)
found = pd.DataFrame(search.cv_results_)
found.pivot(
    index="param_mixturefeatures__n_components",
    columns="param_mixturefeatures__covariance_type",
    values="mean_test_score",
).round(3).rename_axis(index="components", columns="accuracy")

# %% [markdown]
# ## Does it help?
#
# The same folds for all, three at a time, twice.


# %%
def accuracies(*steps):
    return cross_val_score(make_pipeline(*steps), images, digit, cv=folds)


best = {name.split("__")[1]: value for name, value in search.best_params_.items()}
scores = {
    "64 pixels": accuracies(logistic),
    "20 principal components": accuracies(pca, logistic),
    **{
        f"{name} of a mixture": accuracies(pca, MixtureFeatures(**best, features=name), logistic)
        for name in ("responsibilities", "log densities")
    },
}
{name: f"{values.mean():.3f}" for name, values in scores.items()}

# %% [markdown]
# ## The textbook use: many descriptors of an image
#
# In computer vision the rows of the mixture are not images but small patches, many of each image, and the components
# are visual words. Two ways to make one row of features for an image out of them:
#
# - a *bag of words*: the mean responsibilities of its patches, K numbers;
# - a *Fisher vector*: the mean gradient of $\log p(\text{patch})$ with respect to means and standard deviations, scaled to
#   unit variance. With $z_k = (x - \mu_k) / \sigma_k$ it is $r_k z_k / \sqrt{w_k}$ and
#   $r_k (z_k^2 - 1) / \sqrt{2 w_k}$, 2 K D numbers, then signed roots and unit length (Perronnin & Dance 2007; Perronnin,
#   Sánchez & Mensink 2010).


# %%
class PatchFeatures(TransformerMixin, BaseEstimator):
    """Features of images from a mixture of their 25 patches of 4 x 4 pixels."""

    def __init__(self, n_components=16, features="fisher"):
        self.n_components = n_components
        self.features = features

    def patches(self, X):
        """Return the patches of all images (25 N, 16), and their places (25 N, 2)."""
        windows = sliding_window_view(X.reshape(-1, 8, 8), (4, 4), axis=(1, 2))
        places = np.indices((5, 5)).reshape(2, -1).T
        return windows.reshape(-1, 16), np.tile(places, (len(X), 1))

    def descriptors(self, X):
        patches, places = self.patches(X)
        return np.hstack([self.pca_.transform(patches), places])

    def fit(self, X, y=None):
        self.pca_ = PCA(6, random_state=0).fit(self.patches(X)[0])
        self.mixture_ = bg.GaussianMixture(
            self.n_components, covariance_type="diag", max_iter=500, random_state=0
        ).fit(self.descriptors(X)[::4])  # a quarter of the patches will do
        return self

    def transform(self, X):
        rows, mixture = self.descriptors(X), self.mixture_
        r = mixture.predict_proba(rows)
        if self.features == "words":
            return r.reshape(len(X), 25, -1).mean(1)
        z = (rows[:, None] - mixture.means_) * mixture.precisions_cholesky_
        scaled = (r / np.sqrt(mixture.weights_))[..., None]
        gradients = np.concatenate([scaled * z, scaled * (z**2 - 1) / np.sqrt(2)], axis=-1)
        means = gradients.reshape(len(X), 25, -1).mean(1)
        return normalize(np.sign(means) * np.sqrt(np.abs(means)))


scores["bag of visual words"] = accuracies(PatchFeatures(features="words"), logistic)
scores["Fisher vectors"] = accuracies(PatchFeatures(), LogisticRegression(C=10, max_iter=2000))
{name: f"{values.mean():.3f}" for name, values in list(scores.items())[-2:]}

# %% [markdown]
# ## A mixture for each digit
#
# The other way round: a density $p(x \mid \text{digit})$ for each digit, and Bayes' rule. Speech recognition ran on this
# classifier for decades. Row weights of zero and one pick the rows of a digit: all ten fits then have the same shape and
# share one compiled program.


# %%
class MixtureClassifier(ClassifierMixin, BaseEstimator):
    """A Gaussian mixture for each class, and Bayes' rule."""

    def __init__(self, n_components=2, covariance_type="full"):
        self.n_components = n_components
        self.covariance_type = covariance_type

    def fit(self, X, y):
        self.classes_, counts = np.unique(y, return_counts=True)
        self.log_shares_ = np.log(counts / counts.sum())
        model = {"covariance_type": self.covariance_type, "reg_covar": 3, "max_iter": 500}
        self.mixtures_ = [
            bg.GaussianMixture(self.n_components, random_state=0, **model).fit(
                X, sample_weight=(y == one).astype(float)
            )
            for one in self.classes_
        ]
        return self

    def log_joint(self, X):
        """Return log p(x, class), (N, classes)."""
        return self.log_shares_ + np.stack([one.score_samples(X) for one in self.mixtures_], 1)

    def log_density(self, X):
        """Return log p(x), (N,)."""
        return np.logaddexp.reduce(self.log_joint(X), axis=1)

    def predict_proba(self, X):
        return np.exp(self.log_joint(X) - self.log_density(X)[:, None])

    def predict(self, X):
        return self.classes_[self.log_joint(X).argmax(1)]


shapes = {
    "one full covariance": MixtureClassifier(1),
    "two full": MixtureClassifier(2),
    "four tied": MixtureClassifier(4, "tied"),
    "four diagonal": MixtureClassifier(4, "diag"),
}
for name, model in shapes.items():
    scores[f"mixture for each digit: {name}"] = accuracies(pca, model)

# %%
table = pd.DataFrame(scores)
fig, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
groups = ["#666666"] * 2 + ["#0072B2"] * 4 + ["#D55E00"] * 4
for place, (name, colour) in enumerate(zip(table, groups, strict=True)):
    mean, sd = table[name].mean(), table[name].std()
    ax.errorbar(mean, place, xerr=sd, fmt="o", color=colour, capsize=3)
    ax.text(1.002, place, f"{mean:.3f}", va="center", transform=ax.get_yaxis_transform())
ax.set_yticks(range(len(table.columns)), table.columns)
ax.invert_yaxis()
ax.set_xlabel("accuracy on rows left out: mean and sd over six folds")
ax.spines[["top", "right"]].set_visible(False)

# %% [markdown]
# Grey: no mixture; blue: features of a mixture before a logistic regression; orange: Bayes' rule. The bars are the
# spread of folds; folds share training rows, so compare models on the same folds:

# %%
gain = table.sub(table["20 principal components"], axis=0)
pd.DataFrame(
    {"gain over principal components": gain.mean(), "sd": gain.std(), "folds won": (gain > 0).sum()}
).round(4)

# %% [markdown]
# Responsibilities alone lose: most are nearly zero or one, which says the component and throws away where in it the
# image lies. Log densities keep that, and let a linear classifier draw curved borders. Patches tell the same story. The grid
# search saw all rows before the folds were drawn, so that the blue rows of whole images are a little too good.
#
# A mixture for each digit does better than any of these features where its covariances are full or tied, and one full
# covariance does nearly as well as two: with some 120 training images of a digit there is no room for many.
#
# ## What the mixtures have learned
#
# A generative model can be looked at. The means of the two components of each digit, and under them new digits drawn from
# the mixtures, three of each. Both come back from the principal components as images.

# %%
bayes = make_pipeline(pca, MixtureClassifier(2)).fit(images, digit)
mixtures = bayes[-1].mixtures_
means = np.stack([one.means_ for one in mixtures], 1).reshape(-1, 20)
show(bayes[0].inverse_transform(means))

# %%
drawn = np.stack([np.random.default_rng(0).permutation(one.sample(3)[0]) for one in mixtures], 1)
show(bayes[0].inverse_transform(drawn.reshape(-1, 20)))

# %% [markdown]
# ## May its probabilities be believed?
#
# Compare what a classifier claims, the mean probability of its choice, with what it gets right on rows left out.

# %%
contenders = {
    "logistic regression": make_pipeline(pca, logistic),
    "mixture for each digit": make_pipeline(pca, MixtureClassifier(2)),
}
claims = {}
for name, model in contenders.items():
    cv = StratifiedKFold(3, shuffle=True, random_state=1)
    p = cross_val_predict(model, images, digit, cv=cv, method="predict_proba")
    claims[name] = {
        "claimed": p.max(1).mean(),
        "right": (p.argmax(1) == digit).mean(),
        "log loss": log_loss(digit, p),
        "wrong, of those above 0.99": (p.argmax(1) != digit)[p.max(1) > 0.99].sum(),
    }
pd.DataFrame(claims).T.round(3)

# %% [markdown]
# The mixtures are right more often and still claim too much: twenty columns are not as normal as the model has them, and
# small departures add up over the columns.
#
# ## Is it a digit at all?
#
# The mixtures answer one question that a logistic regression cannot: how dense is this image under all of them? Fit
# without one digit, then look for it among the images left out. AUC is the probability that an image of the unknown
# digit looks stranger than one of a known digit.

# %%
train, test = next(StratifiedKFold(3, shuffle=True, random_state=1).split(images, digit))
aucs = {}
for unknown in (1, 5, 9):
    known = train[digit[train] != unknown]
    linear, bayes = (model.fit(images[known], digit[known]) for model in contenders.values())
    strange = {
        "largest probability, logistic": -linear.predict_proba(images[test]).max(1),
        "largest probability, mixtures": -bayes.predict_proba(images[test]).max(1),
        "log density, mixtures": -bayes[-1].log_density(bayes[0].transform(images[test])),
    }
    aucs[unknown] = {k: roc_auc_score(digit[test] == unknown, v) for k, v in strange.items()}
pd.DataFrame(aucs).rename_axis(index="strange by", columns="unknown digit").round(3)

# %% [markdown]
# ## What to do with it
#
# - As features, hand on log densities rather than responsibilities, and choose the mixture by what the features are for.
# - With many descriptors of each item, average gradients, not memberships.
# - Before any of that, try a mixture for each class: it is fast, it is hard to beat with few rows, and it knows
#   when an image is like none it has seen. Its probabilities want calibration.
