"""Whether chains agree about the number of clusters: if not, averages over them mean little."""

import warnings

import numpy as np

from ..result import Fit

# Gelman & Rubin's (1992) bound; ``diagnose`` asks for 1.01.
LARGEST_R_HAT = 1.1


def warn_of_disagreement(fit: Fit) -> None:
    """Warn if chains disagree about the number of clusters."""
    if fit.is_point or r_hat_of_n_clusters(fit.n_clusters) <= LARGEST_R_HAT:
        return
    shares = [
        dict(zip(*np.unique(chain, return_counts=True), strict=True)) for chain in fit.n_clusters
    ]
    modes = [max(share, key=lambda k: share[k]) for share in shares]
    warnings.warn(
        f"Expected chains that agree about the number of clusters, got {[int(k) for k in modes]} as the "
        "most frequent of each: predictions average over chains that have not mixed. Run longer, and "
        "see bg.diagnose(fit).",
        stacklevel=4,
    )


def r_hat_of_n_clusters(n_clusters: np.ndarray) -> float:
    """Return the rank-normalised R-hat of K+ (C, S); 1 where there is nothing to compare."""
    if len(n_clusters) < 2 or n_clusters.shape[1] < 4 or np.ptp(n_clusters) == 0:
        return 1.0
    from arviz_stats.base import array_stats

    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(array_stats.rhat(n_clusters.astype(float), chain_axis=0, draw_axis=1))
    # 0/0: every chain stands still, each elsewhere.
    return value if np.isfinite(value) else np.inf
