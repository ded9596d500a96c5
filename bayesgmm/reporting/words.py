"""What a fit found, in sentences."""

import numpy as np

from ..plots.style import counted
from ..posterior.membership import Membership
from ..posterior.partition import Partition
from ..result import Fit

# A row is sure of its cluster from the first probability on, and in doubt below the second.
SURE, DOUBTFUL = 0.95, 0.6


def verdict(fit: Fit, found: Partition) -> str:
    """Return the sentence that stands first."""
    rows = f"{counted(fit.data.n_rows, 'row')} in {counted(fit.data.n_columns, 'column')}"
    if fit.is_point:
        return f"{counted(fit.model.n_components, 'component')} by maximum likelihood, {rows}."
    numbers, counts = np.unique(fit.n_clusters, return_counts=True)
    shares = counts / counts.sum()
    best = int(shares.argmax())
    if not fit.model.spec.is_auto:
        return f"{counted(fit.model.n_components, 'component')} as given, {rows}."
    text = f"{counted(int(numbers[best]), 'cluster')} with probability {probability(shares[best])}, {rows}."
    likely = sorted(
        ((share, int(n)) for share, n in zip(shares, numbers, strict=True) if share >= SECOND),
        reverse=True,
    )[1:]
    if likely:
        others = ", ".join(f"{n} ({probability(share)})" for share, n in likely)
        text += f" Also possible: {others}."
    return text


# Numbers of clusters with less probability are not named.
SECOND = 0.05


def probability(p: float) -> str:
    """Return a probability with two digits, never as an impossible certainty."""
    return f"{p:.2f}" if 0.005 <= p < 0.995 else ("> 0.99" if p > 0.5 else "< 0.01")


def certainty(member: Membership, found: Partition) -> str:
    """Say how many rows are sure of their cluster."""
    own = np.asarray(member.mean, float)[np.arange(len(found.labels)), found.labels]
    n_sure, n_doubtful = int((own >= SURE).sum()), int((own < DOUBTFUL).sum())
    text = f"{n_sure:,} of {counted(len(own), 'row')} belong to their cluster with probability {SURE:g} or more"
    if n_doubtful:
        return f"{text}; {n_doubtful:,} could as well belong elsewhere (below {DOUBTFUL:g})."
    return f"{text}; none is below {DOUBTFUL:g}."


def partition_and_mode(fit: Fit, found: Partition) -> str:
    """Say why the partition may have another number of clusters than is most probable."""
    mode = int(np.bincount(np.ravel(fit.n_clusters)).argmax())
    if fit.is_point or mode == found.n_clusters:
        return ""
    return (
        f"The most probable number of clusters is {mode}, the representative partition has {found.n_clusters}: "
        "clusters that hold other rows in every draw find no place in one partition."
    )
