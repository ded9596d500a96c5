"""Checks of the model rather than of the run: does it describe the rows, and what decides its answer?"""

from collections.abc import Iterator

import numpy as np

from ..posterior.loo import LEAST_DRAWS, share_of_doubtful_rows
from ..posterior.partition import evenly
from ..result import Fit
from .check import Check, at_least, at_most, noted
from .classification import entropy_and_overlap
from .predictive_checks import predictive_check
from .prior import N_DRAWS, prior_table
from .replicates import key_of
from .sensitivity import SENSITIVE, clusters_by_prior, prior_sensitivity

# Pareto k takes about two milliseconds a row.
MOST_ROWS = 500
# Of so few rows the leave-one-out density loses little, and ``bg.loo`` warns of every one.
DOUBTFUL_ROWS = 0.01
# Rows that the model explains give so small a share of replicates in one data set of a hundred.
SMALLEST_P = 0.01
# A normal quantity has moved as far when it has moved by 0.3 standard deviations: what Kallioinen
# et al. (2024) take for sensitive.
MOVED = 0.12
WHAT = {
    "margins": "single columns, most of all of {}",
    "pairs": "pairs of columns, most of all of {}",
    "distances": "distances from the centres of their components, over {}",
}


def check_predictive(fit: Fit) -> Iterator[Check]:
    """Compare the rows with rows drawn from the fit; of rows with missing cells nothing is known."""
    if fit.data.has_missing:
        return
    for name, row in predictive_check(fit.sampled).iterrows():
        what = WHAT[str(name)].format(row["worst"])
        yield at_least(
            f"predictive p, {name}",
            row["p_value"],
            SMALLEST_P,
            "Rows drawn from the fit look like the data.",
            f"Rows drawn from the fit do not have the data's distribution of {what}: see "
            "bg.predictive_check(fit); try more components, another covariance, or other units.",
        )


def check_influence(fit: Fit) -> Iterator[Check]:
    """Look for rows without which the posterior would be another (PSIS-LOO)."""
    is_weighted = fit.data.weights is not None and bool((fit.data.weights != 1).any())
    if fit.kind != "posterior" or fit.log_likelihood.size < LEAST_DRAWS or is_weighted:
        return
    rows = evenly(fit.data.sample.n_rows, MOST_ROWS)
    try:
        share = share_of_doubtful_rows(fit.sampled, rows)
    except ValueError:
        share = np.nan
    yield at_most(
        "share of rows with a large Pareto k",
        share,
        DOUBTFUL_ROWS,
        "(Almost) no row decides the posterior by itself; bg.loo(fit) names those that do.",
        "Without some rows the posterior would be another: look at bg.loo(fit).pareto_k.",
    )


def check_prior(fit: Fit) -> Iterator[Check]:
    """Ask whether the prior expected such rows, and how far it decides the answer."""
    if fit.model.weights is None or fit.log_likelihood.size < LEAST_DRAWS:
        return
    yield check_expectation(fit)
    if fit.model.weights.grows:
        yield check_prior_of_clusters(fit)
    found = prior_sensitivity(fit)
    for part in ("components",) if fit.model.weights.grows else ("weights", "components"):
        yield at_most(
            f"sensitivity of the log-likelihood to the prior of {part}",
            float(found[part]["log_lik"]),
            SENSITIVE,
            "The prior of this part hardly matters.",
            f"How well the mixture fits depends on the prior of {part}: say what you know there, and "
            "see bg.prior_sensitivity(fit).",
        )


def check_expectation(fit: Fit) -> Check:
    """Compare means and standard deviations of the columns with what the prior expects."""
    table = prior_table(fit.model, fit.data.sample, N_DRAWS, key_of(fit)[-1])
    worst = str(table["p_value"].idxmin())
    return at_least(
        "prior predictive p",
        float(table["p_value"].min()),
        SMALLEST_P,
        "The prior expects rows such as these.",
        f"The prior does not expect rows such as these (the {worst}): see "
        "bg.prior_predictive_check(spec, X), and change the prior unless you mean it.",
    )


def check_prior_of_clusters(fit: Fit) -> Check:
    """See how far the posterior of K+ moves when its prior has half or twice the power."""
    table = clusters_by_prior(fit)
    moved = [
        0.5 * float(np.abs(table[name] - table["posterior"]).sum()) for name in ("half", "double")
    ]
    numbers = table.index.to_numpy()
    modes = [int(numbers[table[name].argmax()]) for name in ("half", "posterior", "double")]
    return at_most(
        "sensitivity of the number of clusters to its prior",
        max(moved),
        MOVED,
        "Half or twice the power of its prior hardly moves the number of clusters.",
        f"The prior helps to decide the number of clusters ({modes[0]}, {modes[1]} or {modes[2]} most often "
        "under half, equal or twice its power): state it by from_expected_clusters, and see "
        "bg.clusters_by_prior(fit).",
    )


def check_classification(fit: Fit) -> Iterator[Check]:
    """Note how surely rows belong to components."""
    entropy, overlap = entropy_and_overlap(fit.sampled)
    yield noted(
        "classification entropy (bits per row)",
        entropy,
        f"{doubt_in_words(overlap)} (a coin's toss is one bit).",
    )
    yield noted(
        "overlap (share misclassified at best)",
        overlap,
        f"{doubt_in_words(overlap)}.",
    )


def doubt_in_words(overlap: float) -> str:
    """Say what an overlap means for the use of labels."""
    if overlap < 0.01:
        return "Components hardly overlap: labels say nearly all"
    if overlap < 0.1:
        return "Components overlap a little: look at probabilities for rows between them"
    return "Components overlap: use probabilities rather than labels"
