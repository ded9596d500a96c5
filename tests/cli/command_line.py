"""What the tests of the command line share: calling it, and a sampler that takes no time."""

import json
from dataclasses import replace

import jax
import numpy as np
from typer.testing import CliRunner

import bayesgmm as bg
from bayesgmm import cli

PICTURES = {"clusters.png", "n_clusters.png", "trace.png"}
TABLES = {"assignments.csv", "summary.csv"}
EVERYTHING = PICTURES | TABLES | {"fit.nc", "report.html"}


def run(*args):
    return CliRunner().invoke(cli.app, [str(arg) for arg in args])


def assert_refused(result, *words):
    """One sentence on standard error, exit code 2, no traceback."""
    assert result.exit_code == 2, result.output
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("bayesgmm: ")
    assert all(str(word) in lines[0] for word in words), lines[0]
    assert "Traceback" not in result.output


def assert_fine(result, code=0):
    assert result.exit_code == code, (result.output, result.exception)


def json_of(result):
    """Return the JSON object on standard output, which holds nothing else and no NaN."""

    def refuse(name):
        raise AssertionError(name)

    return json.loads(result.stdout, parse_constant=refuse)


def names_in(folder):
    return {path.name for path in folder.iterdir()}


def repeated(data, spec, engine, seed, n_draws=100):
    """Stand in for the samplers: a point by EM, repeated as two chains of draws."""
    spec = replace(spec, max_components=2) if spec.is_auto else spec
    size = spec.size
    point = bg.fit(data, bg.MixtureSpec.maximum_likelihood(size), engine=bg.EM(), seed=seed)
    if spec.is_maximum_likelihood:
        return point
    shape = (2, n_draws)
    scaled = jax.tree.map(lambda leaf: np.broadcast_to(leaf, (*shape, *leaf.shape)), point.scaled)
    random = np.random.default_rng(0)
    scaled = scaled._replace(means=scaled.means + random.normal(0, 0.01, scaled.means.shape))
    counts = np.bincount(point.allocations().ravel(), minlength=size)
    return replace(
        point,
        kind="posterior",
        model=bg.resolve(spec, data),
        engine=engine,
        scaled=scaled,
        log_likelihood=point.log_likelihood + random.normal(0, 0.1, shape),
        history={},
        counts=np.broadcast_to(counts, (*shape, size)),
        label_key=np.zeros(2, np.uint32),
    )
