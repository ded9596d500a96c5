"""Value and gradient of the log joint density: our kernel against a hand-written NumPyro model.

Both are NumPyro models with the same priors on the same sites, in float64, jitted, timed in turn in
one process. By hand the rows are an observed ``MixtureSameFamily`` of ``MultivariateNormal``. Its
triangular solves go to OpenBLAS, whose threads get in each other's and XLA's way on few or busy
cores; a second table, with one thread, shows what remains when the user knows that remedy.

    uv run python benchmarks/gradient.py [--quick]
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.infer.util import potential_energy
from timing import HEADER, Comparison, alternate

import bayesgmm as bg
from bayesgmm.engines.numpyro_model import mixture_model, mixture_prior
from bayesgmm.model.resolved import Model
from bayesgmm.numerics.rows import chunk_length

D, K = 5, 5
CASES = ((5_000, None), (50_000, 40))
TOLERANCE = 1e-9
BLAS_SETTINGS: dict[str, dict[str, str]] = {
    "as installed": {},
    "OPENBLAS_NUM_THREADS=1": {"OPENBLAS_NUM_THREADS": "1"},
}


def hand_written(weights: Any, prior: Any, x: jax.Array) -> None:
    """Write the mixture as NumPyro's manual would, on the same prior sites."""
    mixture = mixture_prior(weights, prior, None, K)
    components = dist.MultivariateNormal(mixture.means, scale_tril=mixture.covariance.chol)
    mixing = dist.Categorical(logits=mixture.log_weights)
    numpyro.sample("x", dist.MixtureSameFamily(mixing, components), obs=x)


def draw_rows(n_rows: int) -> np.ndarray:
    """Draw overlapping clusters."""
    rng = np.random.default_rng(3)
    centres = rng.normal(0, 2, (K, D))
    return centres[rng.integers(K, size=n_rows)] + rng.normal(size=(n_rows, D))


def positions(model: Model) -> list[dict[str, jax.Array]]:
    """Return a few points of the unconstrained space."""
    rng = np.random.default_rng(5)
    shapes = {"sticks": (K - 1,), "covariances": model.prior.raw_shape(K), "mean_noise": (K, D)}
    scales = {"sticks": 0.5, "covariances": 0.3, "mean_noise": 0.1}
    return [
        {name: jnp.asarray(rng.normal(0, scales[name], shape)) for name, shape in shapes.items()}
        for _ in range(3)
    ]


def programs(model: Model, data: bg.Dataset) -> tuple[Callable, Callable]:
    """Return both value-and-gradient functions of a position."""
    width = model.family.n_features(D) + K
    rows = jax.device_put(data.rows(chunk_length(data.n_rows, width)))

    @jax.jit
    def ours(position: Any, rows: Any) -> Any:
        args = (model.family, K, model.weights, model.prior, None, rows)
        return jax.value_and_grad(partial(potential_energy, mixture_model, args, {}))(position)

    @jax.jit
    def theirs(position: Any, x: jax.Array) -> Any:
        args = (model.weights, model.prior, x)
        return jax.value_and_grad(partial(potential_energy, hand_written, args, {}))(position)

    x = jnp.asarray(data.scaled())
    return partial(call, ours, rows), partial(call, theirs, x)


def call(program: Callable, data: Any, position: Any) -> Any:
    """Run a program and wait for it."""
    return jax.block_until_ready(program(position, data))


def relative_difference(one: Any, other: Any) -> float:
    """Return the largest difference of two results, leaf by leaf, relative to the leaf's size."""
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return max(float(jnp.abs(a - b).max() / jnp.abs(b).max()) for a, b in pairs)


def compare(n_rows: int, n_repeats: int) -> tuple[Comparison, float]:
    """Return timings and the largest relative difference of values and gradients."""
    data = bg.Dataset.from_array(draw_rows(n_rows))
    prior = bg.NormalInverseWishart(scale=np.eye(D))
    model = bg.resolve(bg.MixtureSpec(K, prior=prior), data)
    ours, theirs = programs(model, data)
    points = positions(model)
    difference = max(relative_difference(ours(point), theirs(point)) for point in points)
    times = alternate(partial(ours, points[0]), partial(theirs, points[0]), n_repeats)
    return times, difference


def print_cases(n_repeats: int) -> None:
    """Print a row per size."""
    print(f"{'N':>7} {'D':>3} {'K':>3} {HEADER}  difference  target")
    with jax.enable_x64(True):
        for n_rows, target in CASES:
            times, difference = compare(n_rows, n_repeats)
            assert difference <= TOLERANCE, difference
            row = f"{n_rows:7} {D:3} {K:3} {times}  {difference:10.1e}  {target or '-'}"
            print(row, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="3 repeats instead of 9")
    parser.add_argument("--here", action="store_true", help="in this process, with its settings")
    options = parser.parse_args()
    if options.here:
        return print_cases(3 if options.quick else 9)
    for title, setting in BLAS_SETTINGS.items():
        print(title, flush=True)
        command = [sys.executable, __file__, "--here", *["--quick"] * options.quick]
        subprocess.run(command, check=True, env=os.environ | setting)
    return None


if __name__ == "__main__":
    main()
