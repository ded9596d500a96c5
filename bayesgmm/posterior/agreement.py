"""Whether chains agree about the number of clusters: if not, averages over them mean little."""

import numpy as np

from ..numerics.warn import warn
from ..result import Fit

# Gelman & Rubin's (1992) bound; ``diagnose`` asks for 1.01.
LARGEST_R_HAT = 1.1
# Where chains hardly move R-hat is any large number.
STANDING_STILL = 100.0


def warn_of_disagreement(fit: Fit) -> None:
    """Warn if chains disagree about the number of clusters."""
    if fit.is_point:
        return
    r_hat = r_hat_of_n_clusters(fit.n_clusters)
    if r_hat <= LARGEST_R_HAT:
        return
    value = f", R-hat {r_hat:.3g}" if r_hat < STANDING_STILL else ""
    warn(
        f"Expected chains that agree about the number of clusters (R-hat at most {LARGEST_R_HAT:g}), got "
        f"{described(fit.n_clusters)}{value}: predictions average over chains that have not mixed. Run "
        "longer, and see bg.diagnose(fit)."
    )


def described(n_clusters: np.ndarray) -> str:
    """Return in words how the numbers of clusters (C, S) differ between chains."""
    modes = [int(np.bincount(chain).argmax()) for chain in n_clusters]
    if len(set(modes)) > 1:
        return f"most often {', '.join(map(str, modes))} in each"
    return f"on average {', '.join(f'{mean:.3g}' for mean in n_clusters.mean(1))} in each"


def r_hat_of_n_clusters(n_clusters: np.ndarray) -> float:
    """Return the rank-normalised R-hat of K+ (C, S); 1 where there is nothing to compare."""
    if len(n_clusters) < 2 or n_clusters.shape[1] < 4 or np.ptp(n_clusters) == 0:
        return 1.0
    from arviz_stats.base import array_stats

    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(array_stats.rhat(n_clusters.astype(float), chain_axis=0, draw_axis=1))
    # 0/0: every chain stands still, each elsewhere.
    return value if np.isfinite(value) else np.inf
