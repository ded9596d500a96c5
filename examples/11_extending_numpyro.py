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
# # The mixture as a part of a larger model
#
# `bg.numpyro_model(spec, X)` is an ordinary NumPyro model function with the labels summed out. One can call it
# inside another model, fix or share its sites with NumPyro's handlers, and run the whole with NumPyro's own
# samplers. Two extensions of the Palmer penguins:
#
# * a regression inside each cluster: do penguins with deeper bills weigh more?
# * three islands that share their kinds of penguin: which kinds live where?
#
# The species is not shown to the models; it is the answer we compare with.

# %%
import warnings

warnings.filterwarnings("ignore", message="IProgress not found")  # no progress bars here

import arviz as az
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import numpyro
import numpyro.distributions as dist
import pandas as pd
from numpyro import handlers
from numpyro.infer import MCMC, NUTS

import bayesgmm as bg

numpyro.enable_x64()
penguins = bg.datasets.penguins()
table = penguins.frame.join(penguins.labels).dropna().reset_index(drop=True)
print(len(table), "penguins of known sex")

# %% [markdown]
# ## What the model is made of
#
# The prior is stated in millimetres: a kind of penguin is about half as wide as all penguins together, and its mean is
# somewhere among them. `bg.fit` finds its own starts and can do with vaguer priors; NumPyro starts anywhere, and wants
# a plausible one.


# %%
def plausible(X):
    """Return a prior of kinds of penguin in the units of X."""
    return bg.NormalInverseWishart(
        mean=X.mean().to_numpy(),
        mean_precision=0.05,
        degrees_of_freedom=X.shape[1] + 2,
        scale=(X.std() / 2).to_numpy() ** 2,
    )


X = table[["flipper_length_mm", "bill_depth_mm"]]
kinds = bg.numpyro_model(bg.MixtureSpec(2, prior=plausible(X)), X)
with handlers.seed(rng_seed=0):
    sites = handlers.trace(kinds).get_trace()
pd.DataFrame(
    [(name, site["type"], np.shape(site["value"])) for name, site in sites.items()],
    columns=["site", "type", "shape"],
)

# %% [markdown]
# Three sites are latent, in coordinates that suit a gradient sampler: `sticks` make the weights, `covariances` the
# covariance matrices; `mean_noise` is standard normal and makes the means. Hyperpriors would add `concentration` and
# `scale`. The factor `log_likelihood` scores all rows, with a gradient that costs one EM iteration. The
# deterministic sites `weights`, `means` and `covariance_matrices` record the mixture in millimetres; calling the model
# returns it as a `bg.Mixture`.
#
# ## A regression inside each cluster
#
# Over all penguins, body mass falls as the bill gets deeper. Is that so within a kind? Let
#
# $$ \text{mass} \mid x, \text{sex}, k \sim N(a_k + b_k \, \text{depth} + c \, \text{male}, \; s_k^2) $$
#
# in kilogrammes. With the labels summed out, the mass given flipper and bill is a mixture of these regressions, with
# the responsibilities $r_k(x)$ as weights: experts with Gaussian gates (Xu, Jordan & Hinton 1995, *An alternative model
# for mixtures of experts*). So the larger model calls ours and adds one observed site.

# %%
rows = jnp.asarray(X.to_numpy())
depth = jnp.asarray(table["bill_depth_mm"] - table["bill_depth_mm"].mean())
male = jnp.asarray((table["sex"] == "male").to_numpy(float))
mass = jnp.asarray(table["body_mass_g"] / 1000)


def experts():
    mixture = kinds()
    inside = dist.MultivariateNormal(mixture.means, scale_tril=mixture.covariance.chol)
    gate = dist.Categorical(logits=mixture.log_weights + inside.log_prob(rows[:, None]))
    with numpyro.plate("kinds", 2):
        level = numpyro.sample("level", dist.Normal(4, 2))
        slope = numpyro.sample("slope", dist.Normal(0, 1))
        noise = numpyro.sample("noise", dist.HalfNormal(1))
    of_male = numpyro.sample("male", dist.Normal(0, 1))
    lines = level + slope * depth[:, None] + of_male * male[:, None]
    numpyro.sample("mass", dist.MixtureSameFamily(gate, dist.Normal(lines, noise)), obs=mass)


# %% [markdown]
# NumPyro's own NUTS runs it: two chains from different random starts.


# %%
def sample(model, dims, seed):
    """Run NumPyro's NUTS and return the draws, with named dimensions, and the number of divergences."""
    mcmc = MCMC(
        NUTS(model),
        num_warmup=300,
        num_samples=400,
        num_chains=2,
        chain_method="vectorized",
        progress_bar=False,
    )
    mcmc.run(jax.random.key(seed))
    tree = az.from_numpyro(mcmc, dims=dims, log_likelihood=False)
    return tree.posterior.to_dataset(), int(tree.sample_stats["diverging"].sum())


per_kind = {name: ["kind"] for name in ("weights", "level", "slope", "noise")}
draws, n_divergent = sample(experts, per_kind | {"means": ["kind", "column"]}, seed=1)
print(n_divergent, "divergent transitions")

# %% [markdown]
# Nothing says which component is number 0, so chains may number them differently. These two kinds lie far apart:
# sorting the components of each draw by flipper length names them. (Where clusters overlap, sorting misleads;
# `bg.relabel` takes more care with a fit of the package, and refuses where names make no sense.)


# %%
def named(draws, names, column):
    """Sort the components of each draw by one column of their means, and name them."""
    draws = draws.drop_vars("kind")
    order = draws["means"].isel(column=column, drop=True).argsort(axis=-1)
    return draws.isel(kind=order).assign_coords(kind=names)


regression = named(draws, ["short flipper", "long flipper"], column=0)
az.summary(regression[["weights", "level", "slope", "noise", "male"]], round_to=3)

# %% [markdown]
# R-hat is close to one and hundreds of draws are effective. Both slopes are positive. Now the check: least squares with the
# species known, where the long flippers are those of the Gentoo penguins.

# %%
gentoo = (table["species"] == "Gentoo").to_numpy(float)
design = np.stack([1 - gentoo, gentoo, (1 - gentoo) * depth, gentoo * depth, male], axis=1)
least_squares, *_ = np.linalg.lstsq(design, np.asarray(mass), rcond=None)
low, high = np.quantile(regression["slope"], [0.05, 0.95], axis=(0, 1))
pd.DataFrame(
    {
        "species known": least_squares[2:4],
        "posterior mean": regression["slope"].mean(["chain", "draw"]),
        "5 %": low,
        "95 %": high,
    },
    index=["slope, others", "slope, Gentoo"],
).round(3)

# %% [markdown]
# Without the kinds the slope has the other sign (dashed): the kind with deeper bills is the lighter one. Bands hold the
# line of a kind, midway between the sexes, with probability 0.9.

# %%
colours = ["#0072B2", "#D55E00"]
fig, ax = plt.subplots(figsize=(8, 5), layout="constrained")
ax.scatter(table["bill_depth_mm"], mass, c=np.where(gentoo, *colours[::-1]), s=14, alpha=0.6, lw=0)
for k, (kind, colour) in enumerate(zip(regression["kind"].values, colours, strict=True)):
    one = regression.isel(kind=k).stack(sample=["chain", "draw"])
    grid = np.linspace(*np.quantile(depth[gentoo == k], [0, 1]), 50)
    lines = (one["level"] + one["male"] / 2).values + np.outer(grid, one["slope"])
    band = np.quantile(lines, [0.05, 0.95], axis=1)
    at = grid + table["bill_depth_mm"].mean()
    ax.fill_between(at, *band, color=colour, alpha=0.3, lw=0)
    ax.plot(at, lines.mean(1), color=colour, label=kind)
pooled = np.polyfit(table["bill_depth_mm"], mass, 1)
ends = np.array([table["bill_depth_mm"].min(), table["bill_depth_mm"].max()])
ax.plot(ends, np.polyval(pooled, ends), "--", color="#333333", label="all penguins, one line")
ax.set(xlabel="bill depth (mm)", ylabel="body mass (kg)")
ax.legend(frameon=False)
ax.spines[["top", "right"]].set_visible(False)

# %% [markdown]
# Colours of the dots show the species, which the model has not seen.
#
# ## Islands that share their kinds
#
# Three kinds of penguin live on three islands, in different proportions. The kinds (means and covariances) are the
# same everywhere; the weights belong to the island, $w_g \sim \text{Dirichlet}(\alpha, \alpha, \alpha)$, and all islands
# share $\alpha$, which says how mixed islands tend to be and is estimated too.
#
# One model per island, with one and the same prior in millimetres. Then handlers make them one:
#
# * `substitute` gives each island the shared values, `block` keeps their prior from being counted again;
# * `scope` puts the island before the names of the sites that are its own;
# * the shared sites come from a model of all rows, whose own sticks and likelihood are left out.

# %%
Y = table[["bill_length_mm", "bill_depth_mm", "flipper_length_mm"]]
spec = bg.MixtureSpec(3, weights=bg.Dirichlet(dist.Gamma(1.0, 1.0)), prior=plausible(Y))
of_island = {name: bg.numpyro_model(spec, part) for name, part in Y.groupby(table["island"])}
no_sticks = handlers.substitute(bg.numpyro_model(spec, Y), data={"sticks": jnp.zeros(2)})
common = handlers.block(no_sticks, hide=["sticks", "weights", "log_likelihood"])
SHARED = ["covariances", "mean_noise", "concentration"]


def archipelago():
    sites = handlers.trace(common).get_trace()
    shared = {name: sites[name]["value"] for name in SHARED}
    for island, model in of_island.items():
        own = handlers.block(handlers.substitute(model, data=shared), hide=SHARED)
        handlers.scope(own, prefix=island, divider="_")()


# %% [markdown]
# Latent are the three shared sites, once, and the sticks of each island.

# %%
shares = {f"{name}_weights": ["kind"] for name in of_island}
draws, n_divergent = sample(archipelago, shares | {"means": ["kind", "column"]}, seed=1)
print(n_divergent, "divergent transitions")
{name: values.shape[2:] for name, values in draws.items()}

# %% [markdown]
# The deterministic sites of each island are in millimetres of their own; their means are those of the shared kinds:

# %%
{name: bool(np.allclose(draws[f"{name}_means"], draws["means"])) for name in of_island}

# %% [markdown]
# Each chain numbers the kinds in its own way, and R-hat of the means as they are numbered is of no use. Sorted by the
# flipper, in which all three lie apart, they have names, and R-hat means what it should. (Two of the kinds have bills of nearly
# the same length: sorted by these, some draws would be named wrongly.)

# %%
islands = named(draws, ["short flipper", "middle", "long flipper"], column=2)


def worst_r_hat(draws):
    return az.summary(draws[["means"]], kind="diagnostics", round_to="none")["r_hat"].max()


print(f"largest R-hat: {worst_r_hat(draws):.2f} as numbered, {worst_r_hat(islands):.2f} as named")

# %%
az.summary(islands[["concentration", *shares]], round_to=3)

# %% [markdown]
# The check is again the species: dots are posterior means with 90 % intervals, crosses the shares of Adelie, Chinstrap and
# Gentoo penguins on each island.

# %%
truth = pd.crosstab(table["species"], table["island"], normalize="columns")
truth = truth.loc[["Adelie", "Chinstrap", "Gentoo"]]
fig, axes = plt.subplots(1, 3, figsize=(10, 3), sharex=True, sharey=True, layout="constrained")
for ax, (name, share) in zip(axes, zip(of_island, shares, strict=True), strict=True):
    values = islands[share].stack(sample=["chain", "draw"]).values
    low, high = np.quantile(values, [0.05, 0.95], axis=1)
    at = np.arange(3)
    ax.hlines(at, low, high, color="#0072B2", lw=3)
    ax.plot(values.mean(1), at, "o", color="#0072B2", label="posterior")
    ax.plot(truth[name], at, "x", ms=9, mew=2, color="#D55E00", label="share of the species")
    ax.set_yticks(at, truth.index)
    ax.set(title=name, xlabel="weight", ylim=(-0.5, 2.7))
axes[2].legend(frameon=False, loc="center", fontsize="small")
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)

# %% [markdown]
# The kinds found by their measurements are the species, nearly, and so are their shares; on Torgersen island, with its
# single species, the other two weights are close to zero. The small $\alpha$ says that islands tend to be dominated by few
# kinds; three islands do not say much more about it.
#
# ## What to keep in mind
#
# * The labels are summed out, so K is given; a mixture of finite mixtures has no density here and is refused. For K
#   unknown use `bg.Gibbs()`.
# * The fast gradient is that of `log_likelihood`. A site added by hand costs what NumPyro's distributions cost.
# * NumPyro's random starts may leave a component without rows, in which case chains disagree: look at R-hat before
#   anything else. `bg.NUTS()` runs the plain model from over-dispersed starts with checks of its own.
