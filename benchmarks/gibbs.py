"""The partition sampler: effective draws per second, time of a sweep, memory, mixing, cold start.

Effective draws are ArviZ's bulk effective sample size, of K+ (the number of clusters) or of the
log-likelihood, over the seconds of a whole warm run: starts and warm-up included, compilation not.
The time of a sweep is the difference of a long and a short run over the difference of their lengths,
so that starts cancel; of each length the fastest of several runs counts. Memory is the peak of a
fresh process above the peak it had reached with the data loaded.

    uv run python benchmarks/gibbs.py [--quick] [--only SECTION]
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import arviz as az
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.infer import MCMC, NUTS, init_to_value, log_likelihood
from timing import fresh_output, seconds

import bayesgmm as bg

MAX_COMPONENTS = 30
MOVES = ("split_merge", "birth_death")
PUBLISHED = (0.061, 0.128, 0.182, 0.199, 0.160, 0.109, 0.071, 0.040)  # p(K = 3), ..., p(K = 10)
FRESH = """
import json
import numpy as np, bayesgmm as bg
def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
def seconds(n_sweeps):
    engine = bg.Gibbs(n_chains={n_chains}, n_warmup=0, n_draws=n_sweeps, thin=1, progress=False)
    return fit(x, spec, engine=engine).provenance.seconds
fit, spec = bg.fit, bg.MixtureSpec(max_components={max_components})
x = np.load({path!r})
before = peak()
seconds(1)
short, long = (min(seconds(n) for _ in range({n_repeats})) for n in {lengths})
sweep = (long - short) / ({lengths}[1] - {lengths}[0])
print(json.dumps([peak() - before, sweep, short - {lengths}[0] * sweep]))
"""
COLD = """
import numpy as np
x = np.random.default_rng(0).normal(size=(150, 4)) + np.repeat(np.eye(4)[:3] * 6, 50, axis=0)
import jax
events = []
jax.monitoring.register_event_duration_secs_listener(lambda event, *_, **__: events.append(event))
import bayesgmm as bg
bg.fit(x, engine=bg.Gibbs(n_warmup=1, n_draws=1, thin=1, progress=False))
print(sum("backend_compile" in event for event in events))
"""


def effective(draws: Any) -> float:
    """Return the effective number of draws (C, S); none where they never change."""
    draws = np.asarray(draws, float)
    return float(az.ess(draws)) if np.ptp(draws) > 0 else 0.0


def clusters(n_rows: int, n_columns: int, n_components: int, spread: float) -> np.ndarray:
    """Draw round clusters of unit width around centres of standard deviation ``spread``."""
    rng = np.random.default_rng(1)
    centres = rng.normal(0, spread, (n_components, n_columns))
    noise = rng.normal(size=(n_rows, n_columns))
    return centres[rng.integers(n_components, size=n_rows)] + noise


def sampler(n_chains: int, n_warmup: int, n_draws: int, **settings: Any) -> bg.Gibbs:
    """Return a silent sampler that keeps every sweep."""
    return bg.Gibbs(n_chains, n_warmup, n_draws, thin=1, progress=False, **settings)


def warm_fits(x: np.ndarray, spec: bg.MixtureSpec, engine: bg.Gibbs, n_runs: int) -> list[bg.Fit]:
    """Run with different seeds after one run that compiles."""
    return [bg.fit(x, spec, engine=engine, seed=seed) for seed in range(n_runs + 1)][1:]


def spread_of(values: Any) -> str:
    """Show the smallest, middle and largest value."""
    return " ".join(f"{value:8.1f}" for value in np.percentile(values, [0, 50, 100]))


def print_rates(label: str, fits: list[bg.Fit], required: str) -> None:
    """Print effective draws of K+ per second, and where K+ lies."""
    rates = [effective(fit.n_clusters) / fit.provenance.seconds for fit in fits]
    n_clusters = np.stack([fit.n_clusters for fit in fits])
    where = f"{n_clusters.mean():5.2f} +- {n_clusters.std():4.2f}"
    time = f"{np.median([fit.provenance.seconds for fit in fits]):7.2f}"
    print(f"{label:>26} {spread_of(rates)}  {where}  {time}  {required}", flush=True)


RATES = f"{'':>26} {'min':>8} {'median':>8} {'max':>8}  {'K+':>13}  {'run/s':>7}  required"


def richardson_green(x: np.ndarray) -> bg.MixtureSpec:
    """Return the prior of Richardson and Green (1997), section 2.4: K uniform on 1, ..., 30."""
    width = float(np.ptp(x))
    middle, scale = (x.min(0) + x.max(0)) / 2, dist.Gamma(0.2, 5 / width**2)
    prior = bg.IndependentNormalWishart(middle, width**2, degrees_of_freedom=4, scale=scale)
    uniform = dist.DiscreteUniform(0, MAX_COMPONENTS - 1)
    weights = bg.MixtureOfFiniteMixtures(uniform, concentration=1.0, dynamic=False)
    return bg.MixtureSpec(max_components=MAX_COMPONENTS, weights=weights, prior=prior)


def print_unknown(is_quick: bool) -> None:
    """K unknown: rates per number of chains, then the posterior of K."""
    print("effective draws of K+ per second, galaxies, prior of Richardson & Green")
    print(RATES)
    x, pooled = bg.datasets.load("galaxies").frame.to_numpy(), []
    for n_chains, moves in itertools.product((4, 16), (MOVES[:1], MOVES)):
        lengths = (500, 2_000) if is_quick else (1_000, 10_000)
        engine = sampler(n_chains, *lengths, moves=moves)
        fits = warm_fits(x, richardson_green(x), engine, 2 if is_quick else 5)
        label = f"{n_chains} chains" + ", births" * (len(moves) > 1)
        print_rates(label, fits, "125, aim 400")
        pooled += [np.bincount(fit.n_components.ravel(), minlength=31) for fit in fits]
    shares = np.stack([counts / counts.sum() for counts in pooled])[:, 3:11]
    error = shares.std(0, ddof=1) / np.sqrt(len(shares))
    print(f"\n{'K':>10} " + " ".join(f"{k:6}" for k in range(3, 11)))
    for label, row in (("published", PUBLISHED), ("ours", shares.mean(0)), ("+-", error)):
        print(f"{label:>10} " + " ".join(f"{share:6.3f}" for share in row))


def peers_prior(x: np.ndarray) -> bg.NormalInverseWishart:
    """Return the conjugate prior that BNPmix takes by default: one row at the mean, E Sigma = cov."""
    n_columns, covariance = x.shape[1], np.atleast_2d(np.cov(x.T))
    # Its inverse gamma (2, variance) for one column is an inverse-Wishart (4, 2 variance).
    scale = 2 * covariance if n_columns == 1 else covariance
    degrees = 4.0 if n_columns == 1 else n_columns + 2.0
    return bg.NormalInverseWishart(x.mean(0), 1.0, degrees, scale)


def print_process(is_quick: bool) -> None:
    """Dirichlet process: rates on galaxies and on many rows."""
    print(
        "effective draws of K+ per second, DirichletProcess(1); BNPmix's default prior, then ours"
    )
    print(RATES)
    n_runs = 2 if is_quick else 5
    weights, x = bg.DirichletProcess(1.0), bg.datasets.load("galaxies").frame.to_numpy()
    theirs = bg.MixtureSpec(weights=weights, prior=peers_prior(x))
    ours = bg.MixtureSpec(weights=weights)
    for n_chains in (4, 16):
        engine = sampler(n_chains, *((500, 2_000) if is_quick else (1_000, 10_000)))
        for label, spec in (("galaxies", theirs), ("galaxies, ours", ours)):
            fits = warm_fits(x, spec, engine, n_runs)
            print_rates(f"{label}, {n_chains} chains", fits, "1000")
    many = clusters(10_000, 2, 5, 4)
    theirs = bg.MixtureSpec(weights=weights, prior=peers_prior(many))
    for label, spec in (("10,000 rows", theirs), ("10,000, ours", ours)):
        for name, moves in (("default", MOVES[:1]), ("births alone", MOVES[1:])):
            engine = sampler(4, *((500, 1_000) if is_quick else (500, 10_000)), moves=moves)
            print_rates(f"{label}, {name}", warm_fits(many, spec, engine, n_runs), "50")


def by_hand(prior: bg.NormalInverseWishart, K: int, x: jax.Array) -> None:
    """Write the mixture as NumPyro's manual would, with the same prior as ours."""
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(K)))
    law = dist.InverseWishartCholesky(prior.degrees_of_freedom, scale_matrix=prior.scale)
    chol = numpyro.sample("chol", law.expand([K]).to_event(1))
    wide = chol / np.sqrt(prior.mean_precision)
    means = dist.MultivariateNormal(prior.mean, scale_tril=wide).to_event(1)
    components = dist.MultivariateNormal(numpyro.sample("means", means), scale_tril=chol)
    mixture = dist.MixtureSameFamily(dist.Categorical(weights), components)
    numpyro.sample("x", mixture, obs=x)


def nuts_rate(model: Callable[..., None], x: np.ndarray, near: bg.Fit, n_steps: int) -> float:
    """Return effective draws of the log-likelihood per second of a warm run that starts near."""
    last = jax.tree.map(lambda leaf: leaf[0, -1], near.mixture)
    start = {"weights": np.exp(last.log_weights), "means": last.means, "chol": last.covariance.chol}
    with jax.enable_x64(True):
        kernel = NUTS(model, init_strategy=init_to_value(values=start))
        settings = {"num_warmup": n_steps, "num_samples": n_steps, "progress_bar": False}
        mcmc, rows = MCMC(kernel, jit_model_args=True, **settings), jnp.asarray(x)
        mcmc.run(jax.random.key(1), rows)
        elapsed = seconds(lambda: mcmc.run(jax.random.key(2), rows), 1)
        draws = mcmc.get_samples(group_by_chain=True)
        terms = log_likelihood(model, draws, rows, batch_ndims=2)
    return effective(np.asarray(terms["x"]).sum(-1)) / elapsed


def print_nuts(is_quick: bool) -> None:
    """Compare the sampler with NUTS on a mixture by hand, for both settings of OpenBLAS."""
    n_steps = 30 if is_quick else 100
    print("effective draws of the log-likelihood per second, N=5000, D=K=5, one chain")
    print(
        f"NUTS: {n_steps} steps of warm-up and {n_steps} draws from a posterior draw; ours: 500, 500"
    )
    print(
        f"{'OPENBLAS_NUM_THREADS':>26} {'ours':>8} {'NUTS':>8} {'ratio':>8}  required", flush=True
    )
    for setting in ({}, {"OPENBLAS_NUM_THREADS": "1"})[is_quick:]:
        command = [sys.executable, __file__, "--only", "nuts-here", *["--quick"] * is_quick]
        subprocess.run(command, check=True, env=os.environ | setting)


def print_nuts_here(is_quick: bool) -> None:
    """Print one row of the comparison, with the settings of this process."""
    K, x = 5, clusters(5_000, 5, 5, 4)
    prior = bg.NormalInverseWishart(np.median(x, 0), 0.01, 7.0, np.diag(x.var(0) / 4))
    spec = bg.MixtureSpec(K, weights=bg.Dirichlet(1.0), prior=prior)
    fits = warm_fits(x, spec, sampler(1, 500, 500), 3)
    ours = np.median([effective(fit.log_likelihood) / fit.provenance.seconds for fit in fits])
    best = max(fits, key=lambda fit: float(fit.log_likelihood.mean()))
    theirs = nuts_rate(partial(by_hand, prior, K), x, best, 30 if is_quick else 100)
    setting = os.environ.get("OPENBLAS_NUM_THREADS", "not set")
    print(f"{setting:>26} {ours:8.1f} {theirs:8.3f} {ours / theirs:8.1f}  40", flush=True)


def seconds_per_step(run: Callable[[int], Any], lengths: tuple[int, int], n_repeats: int) -> float:
    """Return the time a longer run needs more, per step more, from the fastest of each length."""
    turns = [[seconds(partial(run, n), 1) for n in lengths] for _ in range(n_repeats + 1)]
    short, long = np.min(turns[1:], axis=0)
    return float(long - short) / (lengths[1] - lengths[0])


def print_sweep(is_quick: bool) -> None:
    """Compare a sweep of one chain with an iteration of EM."""
    n_rows, K = 100_000, 10
    x = bg.Dataset.from_array(clusters(n_rows, 10, K, 2))
    likelihood, bayes = bg.MixtureSpec.maximum_likelihood(K), bg.MixtureSpec(K)
    n_repeats, lengths = (2, (5, 45)) if is_quick else (5, (10, 110))

    def climb(n: int) -> Any:
        return bg.fit(x, likelihood, engine=bg.EM(start="random_from_data", max_iter=n, tol=0))

    def sweep(moves: tuple[str, ...], n: int) -> Any:
        return bg.fit(x, bayes, engine=sampler(1, 0, n, moves=moves))

    print(f"time of a sweep of one chain and of an EM iteration, N={n_rows}, D=K=10")
    print(f"{'':>26} {'ms':>8} {'ratio':>8}  required")
    iteration = seconds_per_step(climb, lengths, n_repeats)
    print(f"{'EM':>26} {1e3 * iteration:8.2f} {1.0:8.2f}", flush=True)
    for label, moves in (("without moves", ()), ("split-merge", ("split_merge",))):
        time = seconds_per_step(partial(sweep, moves), lengths, n_repeats)
        print(f"{label:>26} {1e3 * time:8.2f} {time / iteration:8.2f}  at most 1.5", flush=True)


def print_large(is_quick: bool) -> None:
    """Time and memory of many rows, in a fresh process for each number of chains."""
    n_rows = 100_000 if is_quick else 1_000_000
    print(f"N={n_rows}, D=10, max_components={MAX_COMPONENTS}; required at a million rows")
    print(f"{'chains':>8} {'s/sweep':>8} {'start/s':>8} {'500 sweeps/min':>15} {'peak/GB':>8}")
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "x.npy")
        np.save(path, clusters(n_rows, 10, 10, 4))
        for n_chains in (1, 4):
            code = FRESH.format(
                n_chains=n_chains, max_components=MAX_COMPONENTS, path=path,
                n_repeats=2 if is_quick else 1, lengths=(2, 52) if is_quick else (2, 42),
            )  # fmt: skip
            peak, sweep, start = json.loads(fresh_output(code))
            minutes = (start + 500 * sweep) / 60
            row = f"{n_chains:8} {sweep:8.3f} {start:8.1f} {minutes:15.1f} {peak / 1024:8.2f}"
            print(row + "  required: 15 min, 4 GB" * (n_chains == 4), flush=True)


def print_mixing(is_quick: bool) -> None:
    """Show K+ of over-dispersed chains after warm-ups of different length."""
    n_rows = 20_000 if is_quick else 100_000
    x = clusters(n_rows, 10, 15, 5)
    print(f"K+ by chain, N={n_rows}, D=10, 15 clusters, max_components=40; required: 15 everywhere")
    print(f"{'warm-up':>8} " + " ".join(f"{f'chain {i}':>8}" for i in range(4)) + "      run/s")
    for n_warmup in (0, 100, 300) if is_quick else (0, 50, 100, 200, 300):
        spec, engine = bg.MixtureSpec(max_components=40), sampler(4, n_warmup, 1)
        fit = bg.fit(x, spec, engine=engine, seed=1)
        counts = " ".join(f"{k:8}" for k in fit.n_clusters[:, 0])
        print(f"{n_warmup:8} {counts} {fit.provenance.seconds:10.1f}", flush=True)


def print_cold(is_quick: bool) -> None:
    """Time a first fit in fresh processes."""
    counts: list[int] = []
    times = [
        seconds(lambda: counts.append(int(fresh_output(COLD))), 1)
        for _ in range(1 if is_quick else 5)
    ]
    print("cold process, 150 rows, 4 columns, 4 chains, 2 sweeps; no requirement")
    print(f"{'':>26} {'min':>8} {'median':>8} {'max':>8}")
    print(f"{'seconds':>26} {spread_of(times)}\n{'compiled programs':>26} {spread_of(counts)}")


SECTIONS: dict[str, Callable[[bool], None]] = {
    "unknown": print_unknown,
    "process": print_process,
    "nuts": print_nuts,
    "sweep": print_sweep,
    "large": print_large,
    "mixing": print_mixing,
    "cold": print_cold,
}
HERE = {"nuts-here": print_nuts_here}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short runs, fewer rows")
    parser.add_argument("--only", choices=[*SECTIONS, *HERE], help="one section")
    options = parser.parse_args()
    for name in [options.only] if options.only else SECTIONS:
        (SECTIONS | HERE)[name](options.quick)
        print(flush=True)


if __name__ == "__main__":
    main()
