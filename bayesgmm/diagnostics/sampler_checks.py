"""Checks of the sampler itself, from the statistics it recorded.

E-BFMI: Betancourt (2016), arXiv:1604.00695. What depends on the data rather than on the run, as how
many splits are accepted and how often components change names, is noted and passes.
"""

from collections.abc import Iterator

import arviz as az
import numpy as np

from ..posterior.relabel import MOST_NON_PERMUTATIONS, Relabelled, relabel
from ..result import Fit
from .check import Check, at_least, at_most, noted

# Betancourt (2016), section 6; Stan warns at the same number.
E_BFMI = 0.3
# Long trees cost time, not truth: a few are no matter.
TREE_SHARE = 0.01
MOVES = {
    "split-merge moves accepted": ("split", "merge"),
    "births and deaths accepted": ("birth_death",),
}


def check_divergences(fit: Fit) -> Iterator[Check]:
    """Count divergent transitions."""
    if "diverging" not in fit.sample_stats:
        return
    yield at_most(
        "divergent transitions",
        int(np.sum(fit.sample_stats["diverging"])),
        0,
        "The sampler followed the posterior everywhere.",
        "The sampler missed sharp places of the posterior: raise target_accept towards 0.95.",
    )


def check_energy(fit: Fit) -> Iterator[Check]:
    """Check that momenta explore the energy distribution, chain by chain."""
    if "energy" not in fit.sample_stats:
        return
    yield at_least(
        "lowest E-BFMI",
        lowest_bfmi(np.asarray(fit.sample_stats["energy"])),
        E_BFMI,
        "Momenta explore the energies of the posterior.",
        "Energies mix slowly: run longer, or use fewer components.",
    )


def lowest_bfmi(energy: np.ndarray) -> float:
    """Return the lowest E-BFMI of any chain of energies (C, S); 0 for a chain that stood still."""
    if energy.shape[1] < 2:
        return 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        fractions = az.bfmi(energy)
    return float(np.where(np.isfinite(fractions), fractions, 0.0).min())


def check_trees(fit: Fit) -> Iterator[Check]:
    """Count draws whose tree hit its bound."""
    if "tree_depth" not in fit.sample_stats:
        return
    yield at_most(
        "share of draws at max_tree_depth",
        float(np.mean(fit.sample_stats["tree_depth"] >= fit.engine.max_tree_depth)),
        TREE_SHARE,
        "Trees end by themselves.",
        "Trees hit max_tree_depth: run a longer warm-up; the answer is right but slow to come.",
    )


def check_moves(fit: Fit) -> Iterator[Check]:
    """Note the share of proposed moves between partitions that were accepted."""
    for name, kinds in MOVES.items():
        if f"{kinds[0]}_proposed" not in fit.sample_stats:
            continue
        proposed = sum(int(np.sum(fit.sample_stats[f"{kind}_proposed"])) for kind in kinds)
        accepted = sum(int(np.sum(fit.sample_stats[f"{kind}_accepted"])) for kind in kinds)
        if proposed:
            yield noted(
                f"share of {name}",
                accepted / proposed,
                f"{accepted:,} of {proposed:,}: few where clusters are clear, more where they are not.",
            )


def check_names(fit: Fit) -> Iterator[Check]:
    """Check that clusters can be named, and note how often components change their names."""
    found = relabel(fit.sampled)
    yield at_most(
        "share of draws without a permutation",
        found.non_permutation_rate,
        MOST_NON_PERMUTATIONS,
        "Components can be matched with clusters: numbers per cluster have a meaning.",
        "Components cannot be matched with clusters: use the partition, membership and other "
        "summaries that need no labels.",
    )
    yield noted(
        "share of draws that switch labels",
        switching_rate(found),
        "How often a component changes its cluster from one draw to the next; relabelling undoes it.",
    )


def switching_rate(found: Relabelled) -> float:
    """Return how often successive draws of a chain have other components for the clusters."""
    follows = np.diff(found.chains) == 0
    switches = (np.diff(found.components, axis=0) != 0).any(1)
    return float(switches[follows].mean()) if follows.any() else 0.0
