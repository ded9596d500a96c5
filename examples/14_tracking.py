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
# # Tracking: a mixture that starts where the last one ended
#
# Five objects move through a plane. A sensor sees each as a cloud of points, sixty frames long, among clutter that
# belongs to nothing. Which points are which object, where is it, and how surely? A mixture is fitted to every frame. The
# question is what it should start from.

# %%
import time

import jax
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.patches import Ellipse
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.stats import chi2

import bayesgmm as bg

N_OBJECTS, N_FRAMES, N_ROWS, SIZE = 5, 60, 300, 12
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00"]


def scene(seed):
    """Return frames (60, 300, 2) and the true paths (60, 5, 2): turning and crossing."""
    rng = np.random.default_rng(seed)
    time_ = np.linspace(-0.5, 0.5, N_FRAMES)[:, None, None]
    angle = rng.uniform(0, 2 * np.pi, N_OBJECTS)
    ahead = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    aside = np.stack([-np.sin(angle), np.cos(angle)], axis=-1)
    centre, bend = rng.uniform(-4, 4, (N_OBJECTS, 2)), rng.uniform(-12, 12, (N_OBJECTS, 1))
    paths = centre + 16 * time_ * ahead + bend * time_**2 * aside
    speed = np.gradient(paths, axis=0)
    along = speed / np.linalg.norm(speed, axis=-1, keepdims=True)
    across = np.stack([-along[..., 1], along[..., 0]], axis=-1)
    frames = rng.uniform(-SIZE, SIZE, (N_FRAMES, N_ROWS, 2))
    for t in range(N_FRAMES):
        source = rng.choice(N_OBJECTS + 1, N_ROWS, p=[0.17] * N_OBJECTS + [0.15])
        for k in range(N_OBJECTS):
            here = source == k
            noise = rng.standard_normal((here.sum(), 2)) * [0.9, 0.3]
            frames[t, here] = paths[t, k] + noise @ np.stack([along[t, k], across[t, k]])
    return frames, paths


frames, paths = scene(2)

# %%
SHOWN = [0, 9, 18, 26, 33, 38, 46, 59]


def panels():
    """Return axes for eight frames, their rows drawn."""
    _, axes = plt.subplots(2, 4, figsize=(11, 5.6), layout="constrained", sharex=True, sharey=True)
    for ax, t in zip(axes.flat, SHOWN, strict=True):
        ax.scatter(*frames[t].T, s=3, color="#999999", lw=0)
        ax.set(xlim=(-SIZE, SIZE), ylim=(-SIZE, SIZE), aspect="equal", xticks=[], yticks=[])
        ax.set_title(f"frame {t}", fontsize="medium")
    return axes


axes = panels()

# %% [markdown]
# ## The first frame: how many?
#
# The posterior of the number of clusters, from the first frame alone.

# %%
SPEC = bg.MixtureSpec(max_components=10)
GIBBS = bg.Gibbs(n_chains=2, n_warmup=300, n_draws=500, thin=2, progress=False)
posterior = bg.fit(frames[0], SPEC, engine=GIBBS)
shares = pd.Series(posterior.n_clusters.ravel()).value_counts(normalize=True)
shares.rename_axis("clusters").rename("probability").round(3).to_frame()

# %% [markdown]
# Six: five objects, and the clutter. The package has no uniform component, and needs none here: a wide normal
# distribution takes the clutter. EM finds it among a hundred starts; it is the component with by far the largest area.

# %%
first = bg.GaussianMixture(6, n_init=100, tol=1e-6, max_iter=1000, random_state=0).fit(frames[0])
fig, ax = plt.subplots(figsize=(7, 5))
first.plot.clusters(ax=ax)

# %% [markdown]
# ## From frame to frame
#
# Four trackers, all from that first mixture:
#
# - *anew*: k-means starts in every frame, the best of five, and the components are linked to those of the last frame by
#   their means and areas;
# - *warm*: EM starts from the mixture of the last frame, `bg.EM(start=mixture)` (an estimator does it with
#   `warm_start=True`), so that component 3 stays component 3, and climbs to the top;
# - *warm, four updates*: the same, but it stops on the way;
# - *moved, four updates*: before that each mean takes a step, the average of its last five.

# %%
ML = bg.MixtureSpec.maximum_likelihood(N_OBJECTS + 1)
TO_THE_TOP = {"tol": 1e-6, "max_iter": 1000}


def picked(mixture, order):
    """Return the components in another order."""
    chol = mixture.covariance.chol[order]
    covariance = mixture.covariance._replace(chol=chol)
    return mixture._replace(
        log_weights=mixture.log_weights[order], means=mixture.means[order], covariance=covariance
    )


def areas(mixture):
    """Return the roots of the determinants of the covariances, (K,)."""
    return np.linalg.det(mixture.covariance.chol)


def anew(frames, mixture):
    """Fit each frame from k-means and link its components to those of the last."""
    found, updates = [], []
    for t, frame in enumerate(frames):
        fit = bg.fit(frame, ML, engine=bg.EM(n_init=5, **TO_THE_TOP), seed=t)
        apart = cdist(mixture.means, fit.mixture.means)
        apart += np.abs(np.log(areas(mixture))[:, None] - np.log(areas(fit.mixture)))
        mixture = picked(fit.mixture, linear_sum_assignment(apart)[1])
        found.append(mixture)
        updates.append(fit.history["restart_n_iter"].sum())
    return found, np.mean(updates)


def warm(frames, mixture, moved=False, **settings):
    """Fit each frame from the mixture of the last."""
    found, updates = [], []
    for frame in frames:
        if moved and len(found) > 1:
            back = min(5, len(found) - 1)
            steps = (found[-1].means - found[-1 - back].means) / back
            steps[-1] = 0  # clutter does not move
            mixture = mixture._replace(means=mixture.means + steps)
        fit = bg.fit(frame, ML, engine=bg.EM(start=mixture, **settings))
        mixture = fit.mixture
        found.append(mixture)
        updates.append(fit.history["restart_n_iter"].sum())
    return found, np.mean(updates)


FOUR = {"tol": 0, "max_iter": 4}
TRACKERS = {
    "anew": anew,
    "warm": lambda *given: warm(*given, **TO_THE_TOP),
    "warm, four updates": lambda *given: warm(*given, **FOUR),
    "moved, four updates": lambda *given: warm(*given, moved=True, **FOUR),
}

# %% [markdown]
# The names of the objects come from the truth, in the first frame only: component k is put nearest to object k, the clutter
# last. All frames have the same number of rows, so that nothing should be compiled after the first two: we count.

# %%
compiled = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, seconds, **_: compiled.append(event) if "backend_compile" in event else None
)


def begin(first_frame, first_positions):
    """Return the mixture of a first frame, its components in the order of the objects, clutter last."""
    engine = bg.EM(n_init=100, **TO_THE_TOP)
    mixture = bg.fit(first_frame, ML, engine=engine).mixture
    clutter = int(areas(mixture).argmax())
    others = np.delete(np.arange(N_OBJECTS + 1), clutter)
    nearest = linear_sum_assignment(cdist(first_positions, mixture.means[others]))[1]
    return picked(mixture, [*others[nearest], clutter])


start = begin(frames[0], paths[0])
tracks, cost = {}, {}
for name, track in TRACKERS.items():
    compiled.clear()
    track(frames[:2], start)
    n_first, begun = len(compiled), time.perf_counter()
    tracks[name], updates = track(frames, start)
    cost[name] = {
        "programs compiled in the first two frames": n_first,
        "in all frames after": len(compiled) - n_first,
        "EM updates a frame, all starts": updates,
        "ms a frame": 1e3 * (time.perf_counter() - begun) / N_FRAMES,
    }
pd.DataFrame(cost).T.round(1)

# %% [markdown]
# The last of them, in eight frames: ellipses hold 90 % of a component, crosses are the true centres.


# %%
def draw_ellipse(ax, centre, covariance, prob=0.9, **style):
    """Draw the ellipse that holds so much of a normal distribution."""
    values, vectors = np.linalg.eigh(covariance)
    width, height = 2 * np.sqrt(chi2.ppf(prob, 2) * values)
    tilt = np.degrees(np.arctan2(vectors[1, 0], vectors[0, 0]))
    ax.add_patch(Ellipse(centre, width, height, angle=tilt, fill=False, **style))


axes = panels()
for ax, t in zip(axes.flat, SHOWN, strict=True):
    mixture = tracks["moved, four updates"][t]
    for k, colour in enumerate(COLOURS):
        chol = mixture.covariance.chol[k]
        draw_ellipse(ax, mixture.means[k], chol @ chol.T, edgecolor=colour, lw=1.6)
    ax.scatter(*paths[t].T, marker="x", s=22, c=COLOURS, lw=1.2)

# %%
fig, axes = plt.subplots(1, 4, figsize=(13, 3.6), layout="constrained", sharex=True, sharey=True)
for ax, (name, found) in zip(axes, tracks.items(), strict=True):
    means = np.array([mixture.means for mixture in found])
    for k, colour in enumerate(COLOURS):
        ax.plot(*paths[:, k].T, color=colour, lw=5, alpha=0.25)
        ax.plot(*means[:, k].T, color=colour, lw=1.2)
    ax.set(title=name, aspect="equal", xticks=[], yticks=[], xlim=(-SIZE, SIZE), ylim=(-SIZE, SIZE))

# %% [markdown]
# Wide pale lines are the true paths, thin ones the tracks; a thin line that goes on in another colour's path has
# changed its object. One scene is an anecdote, so here are six. An object is *lost*
# in a frame if no track is within one unit of it; a *switch* is an object that is found again by another track than
# before.


# %%
def lost_and_switches(found, paths):
    """Return how often an object is not found, and how often another track takes it over."""
    last, lost, switches = np.arange(N_OBJECTS), 0, 0
    for mixture, positions in zip(found, paths, strict=True):
        apart = cdist(positions, mixture.means[:-1])
        objects, nearest = linear_sum_assignment(apart)
        is_there = apart[objects, nearest] < 1
        lost += (~is_there).sum()
        switches += (is_there & (nearest != last)).sum()
        last = np.where(is_there, nearest, last)
    return lost / paths[..., 0].size, switches


records = []
for seed in range(6):
    some_frames, some_paths = scene(seed)
    mixture = begin(some_frames[0], some_paths[0])
    for name, track in TRACKERS.items():
        found, _ = track(some_frames, mixture)
        lost, switches = lost_and_switches(found, some_paths)
        records.append({"tracker": name, "lost": lost, "switches": switches, "seed": seed})
records = pd.DataFrame(records)
summary = records.groupby("tracker", sort=False)[["lost", "switches"]].agg(["mean", "max"])
summary.round(3)

# %% [markdown]
# k-means loses objects wherever the frame alone does not tell two clouds apart, or where clutter looks as good as a
# cloud. A warm start keeps what earlier frames knew. Climbing to the top of the likelihood of a frame forgets some of it
# at crossings. Four updates lose objects less often, though they switch them no less; where an object was heading mends
# most of that too.
#
# ## What one frame knows
#
# The posterior of two single frames: one with the objects apart, one with two clouds nearly on top of each other.

# %%
alone = {t: bg.fit(frames[t], SPEC, engine=GIBBS) for t in (9, 35)}
_, axes = plt.subplots(2, 2, figsize=(9, 6), layout="constrained", height_ratios=[2.6, 1])
for (above, below), (t, fit) in zip(axes.T, alone.items(), strict=True):
    bg.plots.clusters(fit, n_ellipses=15, ax=above)
    above.get_legend().remove()
    above.set(title=f"frame {t}", xlim=(-17, 17), ylim=(-17, 17), aspect="equal")
    bg.plots.n_clusters(fit, ax=below)

# %% [markdown]
# In the second frame most of the probability is on five clusters: the frame alone does not hold two objects there. A
# tracker says so because it remembers, not because it sees.
#
# ## How surely is it there?
#
# Where the posterior sees all objects, it gives each position a credible ellipse. Coloured ones hold the centre with
# probability 0.9; dashed ones are what is often taken instead, the covariance of the fitted component over its number
# of points, as if the object behind every point were known. Crosses are the truth; each panel is three units wide.


# %%
def positions(fit, mixture):
    """Return draws of the objects' centres (S, 5, 2), named by the components of a track."""
    named = bg.relabel(fit, n_clusters=N_OBJECTS + 1)
    named.require_identified()
    apart = cdist(mixture.means, named.mixture.means.mean(0))
    return named.mixture.means[:, linear_sum_assignment(apart)[1][:-1]]


def as_if_known(mixture, k):
    """Return the covariance of a centre if the object behind every point were known."""
    chol = mixture.covariance.chol[k]
    return chol @ chol.T / (N_ROWS * np.exp(mixture.log_weights[k]))


best = tracks["moved, four updates"]
drawn = {9: positions(alone[9], best[9])}
for t in (18, 46, 59):
    drawn[t] = positions(bg.fit(frames[t], SPEC, engine=GIBBS), best[t])

# %%
_, axes = plt.subplots(2, 5, figsize=(11, 4.8), layout="constrained")
for row, t in zip(axes, (9, 46), strict=True):
    for k, (ax, colour) in enumerate(zip(row, COLOURS, strict=True)):
        centre = drawn[t][:, k].mean(0)
        ax.scatter(*frames[t].T, s=8, color="#BBBBBB", lw=0)
        known = as_if_known(best[t], k)
        draw_ellipse(ax, best[t].means[k], known, edgecolor="#333333", ls="--", zorder=3)
        draw_ellipse(ax, centre, np.cov(drawn[t][:, k].T), edgecolor=colour, lw=2.5)
        ax.scatter(*paths[t, k], marker="x", s=40, color="#333333", zorder=4)
        ax.set(xlim=centre[0] + [-1.5, 1.5], ylim=centre[1] + [-1.5, 1.5], xticks=[], yticks=[])
        ax.set(aspect="equal", title=f"frame {t}, object {k}")

# %% [markdown]
# In frame 9 the two nearly agree. In frame 46, where objects 0 and 3 cross, not knowing whose points are whose widens
# theirs, that of object 3 most. Do ellipses of either kind hold what they say? Four frames of five objects:

# %%
held = {"posterior": [], "as if known": []}
for t, draws in drawn.items():
    for k in range(N_OBJECTS):
        for name, centre, covariance in (
            ("posterior", draws[:, k].mean(0), np.cov(draws[:, k].T)),
            ("as if known", best[t].means[k], as_if_known(best[t], k)),
        ):
            off = paths[t, k] - centre
            held[name].append(off @ np.linalg.solve(covariance, off) < chi2.ppf(0.9, 2))
{name: f"{sum(values)} of {len(values)}" for name, values in held.items()}

# %% [markdown]
# ## What to do with it
#
# - Start EM from the last mixture, with the same number of rows in each frame, and a fit takes milliseconds. Frames of
#   different length can be filled up with rows of `sample_weight` zero.
# - Let it make a few updates only, and move the means ahead first: a frame in which objects overlap should change the
#   mixture little.
# - Give clutter a component of its own: it need not be uniform, only wide.
# - Ask for a posterior where it matters, at crossings and alarms: it says whether the frame sees the object at all.
