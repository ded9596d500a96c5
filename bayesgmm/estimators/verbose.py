"""What ``verbose`` prints about a maximum-likelihood fit, in scikit-learn's words.

Restarts run side by side, so their stories are told one after the other when all have ended.
"""

import numpy as np

from ..result import Fit


def print_restarts(fit: Fit, verbose: int, interval: int) -> None:
    """Print each restart, every ``interval``-th update, and how the restart ended.

    Args:
        fit: a fit by EM.
        verbose: 0 for silence; from 2 on log-likelihoods per row are printed too, and their
            changes for the restart that was kept.
        interval: updates between two lines.
    """
    if not verbose:
        return
    for restart, n_iter in enumerate(fit.history["restart_n_iter"]):
        print(f"Initialization {restart}")
        changes = changes_of(fit, restart) if verbose > 1 else None
        for update in range(interval, int(n_iter) + 1, interval):
            change = "" if changes is None else f"\t ll change {changes[update - 1]:.5f}"
            print(f"  Iteration {update}{change}")
        print(ending(fit, restart, verbose))


def changes_of(fit: Fit, restart: int) -> np.ndarray | None:
    """Return the change per row that each update made, where the fit has kept it."""
    if restart != fit.history["best_restart"]:
        return None
    return np.diff(fit.history["log_likelihood"]) / fit.data.total_weight


def ending(fit: Fit, restart: int, verbose: int) -> str:
    """Return a sentence about the end of a restart."""
    is_converged = fit.history["restart_converged"][restart]
    sentence = f"Initialization {'converged' if is_converged else 'did not converge'}."
    if verbose < 2:
        return sentence
    per_row = fit.history["restart_log_likelihood"][restart] / fit.data.total_weight
    return f"{sentence}\t lower bound {per_row:.5f}."
