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
# # Premium or discount? A decision from a mixture
#
# A furniture shop knows two numbers of each past customer: yearly income, and what they spend on furniture in
# a year, both in thousands. Some customers want the best, others the best price; nobody wrote down which,
# and the two kinds overlap. To the next customer the shop can make one of two offers:
#
# | profit | a premium customer | a discount customer |
# |---|---|---|
# | **premium package** | 25,000 | 0, the customer leaves |
# | **discount** | 10,000 | 10,000 |
#
# With probability $P$ that the customer is a premium customer, the premium package earns $25 P$ thousand and the
# discount 10: offer premium where $P > 0.4$. So what is $P$, and how far can it be trusted?

# %%
import jax
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.special import softmax

import bayesgmm as bg

WEIGHTS = np.array([0.65, 0.35])
MEANS = np.array([[85, 20], [150, 40]])
COVARIANCES = np.array([[[400, 40], [40, 25]], [[784, 100], [100, 81]]])


def simulate(n, rng):
    """Return customers and whether they are premium customers."""
    is_premium = (rng.random(n) < WEIGHTS[1]).astype(int)
    noise = np.linalg.cholesky(COVARIANCES)[is_premium] @ rng.normal(size=(n, 2, 1))
    return pd.DataFrame(MEANS[is_premium] + noise[..., 0], columns=["income", "spend"]), is_premium


rng = np.random.default_rng(0)
customers, is_premium = simulate(400, rng)

# %% [markdown]
# The customers are simulated, 400 of them, so that we can check the decisions in the end. The fit does not see
# the kinds.
#
# ## Two kinds of customer

# %%
model = bg.BayesianGaussianMixture(2, n_warmup=500, n_draws=250, random_state=0).fit(customers)
fig, ax = plt.subplots(figsize=(8, 4.6))
model.plot.clusters(ax=ax)

# %% [markdown]
# That there are two kinds was our knowledge. Do the customers say so too, if the number is left open?

# %%
unknown = bg.BayesianGaussianMixture(n_warmup=500, n_draws=250, random_state=0).fit(customers)
fig, ax = plt.subplots(figsize=(6, 3.4))
unknown.plot.n_clusters(ax=ax)

# %% [markdown]
# Nothing says which cluster is which: we call the one with the higher mean spend premium. The parameters, with
# intervals; `r_hat` near one says that the chains agree.

# %%
premium = int(customers["spend"].groupby(model.labels_).mean().idxmax())
model.summary().filter(regex="^weight|^mean", axis=0).drop(
    columns=["ess_tail", "mcse_mean", "mcse_sd"]
)

# %% [markdown]
# ## Three new customers
#
# The probability of each to be a premium customer, with a 90 % interval over the posterior: how unsure, and
# how well that is known.

# %%
new = pd.DataFrame({"income": [90, 116, 150], "spend": [22, 29, 36]}, index=["Ann", "Bob", "Cid"])


def interval_of(found, k):
    """Return the probability of cluster k with its interval, a row per customer."""
    ends = {"mean": found.mean, "lower": found.lower, "upper": found.upper}
    return pd.DataFrame({name: table[:, k] for name, table in ends.items()}, index=new.index)


p = interval_of(model.predict_proba(new, interval=0.9), premium)
p.round(3)

# %% [markdown]
# ## The profit to expect
#
# Every posterior draw is a pair of clusters, and gives each customer a probability of its own. `bg.relabel`
# keeps the names of the clusters the same through all draws; the rest is Bayes' rule.


# %%
def premium_probability(rows, mixture, k):
    """Return P(component k | row) under each of S mixtures, (S, M)."""
    deviations = rows.to_numpy().T[None, None] - mixture.means[..., None]
    white = np.linalg.solve(mixture.covariance.chol, deviations)
    log_volumes = np.log(np.diagonal(mixture.covariance.chol, axis1=-2, axis2=-1)).sum(-1)
    log_joint = (mixture.log_weights - log_volumes)[..., None] - (white**2).sum(-2) / 2
    return softmax(log_joint, axis=-2)[..., k, :]


draws = bg.relabel(model.fit_, clusters=model.partition_).mixture
p_draws = pd.DataFrame(premium_probability(new, draws, premium), columns=new.index)
pd.DataFrame({"by hand": p_draws.mean(), "predict_proba": p["mean"]}).round(4)

# %% [markdown]
# For the decision only the mean counts. The spread says how differently the same offer looks under parameters
# that the 400 customers cannot tell apart.

# %%
fig, axes = plt.subplots(1, 3, figsize=(11, 2.8), layout="constrained", sharex=True)
for ax, name in zip(axes, new.index, strict=True):
    profit = 25 * p_draws[name]
    ax.hist(profit, bins=np.linspace(0, 25, 51), color="#0072B2", alpha=0.6)
    ax.axvline(profit.mean(), color="#0072B2", lw=2, label="premium")
    ax.axvline(10, color="#D55E00", lw=2, ls="--", label="discount")
    ax.set(xlabel="expected profit (thousand)", yticks=[])
    better = (profit > 10).mean()
    ax.set_title(
        f"{name}: {profit.mean():.1f}; above 10 in {better:.0%} of draws", fontsize="medium"
    )
    ax.spines[["top", "right", "left"]].set_visible(False)
legend = axes[0].legend(frameon=False, fontsize="small", loc="center right")

# %% [markdown]
# ## Where to offer what
#
# Left, what premium earns beyond the discount, for any customer; the thick line is the border where both earn
# the same, thin lines are the borders of forty draws, and the dashed one is that of maximum likelihood. Right,
# what it would be worth to know the kind of the customer before the offer: with that the shop would earn
# $25 P + 10 (1 - P)$ thousand. It is worth most at the border, and nothing where the kind is certain. Far from all
# customers the wider cluster wins, whatever the numbers; there the picture says more about ellipses than shops.

# %%
ml = bg.GaussianMixture(2, n_init=10, random_state=0).fit(customers)
ml_premium = int(ml.means_[:, 1].argmax())
x, y = np.meshgrid(np.linspace(20, 230, 120), np.linspace(0, 75, 120))
plane = pd.DataFrame({"income": x.ravel(), "spend": y.ravel()})
some = jax.tree.map(lambda leaf: leaf[::25], draws)
p_some = premium_probability(plane, some, premium).reshape(-1, *x.shape)
p_plane = model.predict_proba(plane)[:, premium].reshape(x.shape)
p_ml = ml.predict_proba(plane)[:, ml_premium].reshape(x.shape)


def value_of_knowing(p):
    """Return what knowing the kind adds to the expected profit of the better offer."""
    return 25 * p + 10 * (1 - p) - np.maximum(25 * p, 10)


# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(12, 4.8), layout="constrained", sharey=True)
gain = left.pcolormesh(x, y, 25 * p_plane - 10, cmap="PuOr_r", vmin=-20, vmax=20, rasterized=True)
fig.colorbar(gain, ax=left, label="premium minus discount (thousand)")
for one in p_some:
    left.contour(x, y, one, levels=[0.4], colors="k", linewidths=0.4, alpha=0.35)
left.contour(x, y, p_ml, levels=[0.4], colors="#009E73", linewidths=2, linestyles="--")
worth = right.pcolormesh(x, y, value_of_knowing(p_plane), cmap="Blues", vmin=0, rasterized=True)
fig.colorbar(worth, ax=right, label="value of knowing the kind (thousand)")
for ax in (left, right):
    ax.contour(x, y, p_plane, levels=[0.4], colors="k", linewidths=2)
    ax.scatter(*customers.to_numpy().T, s=7, c="k", alpha=0.6, lw=0)
left.set_ylabel("spend (thousand a year)")
for ax in (left, right):
    ax.set(xlabel="income (thousand a year)", xlim=(20, 230), ylim=(0, 75))

# %% [markdown]
# ## What each way of deciding earns
#
# The mean profit from these 400 customers, in thousands each, with a 90 % interval over the posterior. The last
# column takes the probabilities by which they were simulated.

# %%
true_clusters = bg.Mixture(
    np.log(WEIGHTS)[None],
    MEANS[None],
    type(draws.covariance)(np.linalg.cholesky(COVARIANCES)[None]),
)
p_past = premium_probability(customers, draws, premium)
p_true = premium_probability(customers, true_clusters, 1)
offer = model.predict_proba(customers)[:, premium] > 0.4
ways = {
    "discount for all": lambda p: np.full_like(p, 10),
    "premium for all": lambda p: 25 * p,
    "premium where P > 0.4": lambda p: np.where(offer, 25 * p, 10),
    "kind known beforehand": lambda p: 25 * p + 10 * (1 - p),
}
rows = {}
for name, profit in ways.items():
    per_draw = profit(p_past).mean(1)
    low, high = np.quantile(per_draw, [0.05, 0.95])
    truth = profit(p_true).mean()
    rows[name] = {"mean": per_draw.mean(), "5 %": low, "95 %": high, "truth": truth}
pd.DataFrame(rows).T.round(2)

# %% [markdown]
# The last two rows differ by the value of knowing every customer's kind: what the shop might pay for asking.
# Knowing the two clusters exactly, as from endlessly many customers, is another kind of information. Its
# value is what each draw would earn by its own border, less what it earns by the common one:

# %%
by_common_border = ways["premium where P > 0.4"](p_past).mean()
of_kind = ways["kind known beforehand"](p_past).mean() - by_common_border
of_clusters = np.maximum(25 * p_past, 10).mean() - by_common_border
print(
    f"worth per customer, in thousands: the kind {of_kind:.2f}, the exact clusters {of_clusters:.3f}"
)

# %% [markdown]
# ## And the plug-in?
#
# Maximum likelihood takes one pair of clusters for the truth. Its border lies where those have $P = 0.4$, not
# where the average over all credible pairs has; the two differ where the draws' borders fan out. But a border
# is where both offers earn nearly the same, so a border that is a little off costs little. On 20,000 new
# customers, beside the offers by the probabilities that made them:

# %%
future, _ = simulate(20_000, rng)
(p_future,) = premium_probability(future, true_clusters, 1)
offers = {
    "true probabilities": p_future > 0.4,
    "posterior": model.predict_proba(future)[:, premium] > 0.4,
    "maximum likelihood": ml.predict_proba(future)[:, ml_premium] > 0.4,
}
best = offers["true probabilities"]
pd.DataFrame(
    {
        name: {
            "other offer than the best": (offer != best).mean(),
            "profit per customer": np.where(offer, 25 * p_future, 10).mean(),
        }
        for name, offer in offers.items()
    }
).T.round(4)

# %% [markdown]
# With 400 customers the two decide nearly alike. What the plug-in lacks is the spread: it cannot say for whom the
# probability is well known, nor what more customers would be worth.
#
# ## Some kinds known
#
# Suppose the shop asked the first twelve customers. Their labels, 0 for discount and 1 for premium, -1 for not
# known, go in as `y`. Now the clusters have names from the start, and which is which need not be guessed.

# %%
y = np.full(len(customers), -1)
y[:12] = is_premium[:12]
asked = bg.BayesianGaussianMixture(2, n_warmup=500, n_draws=250, random_state=0).fit(customers, y)
p_asked = interval_of(asked.predict_proba(new, interval=0.9), 1)
pd.concat({"nothing known": p, "twelve known": p_asked}, axis=1).round(3)

# %% [markdown]
# What they say of the three changes little: the clusters were clear without labels. Where kinds overlap more, or
# a column splits the customers in another way than the one you mean, a few labels decide what the clusters are.
