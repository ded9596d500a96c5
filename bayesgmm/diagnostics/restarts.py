"""The restarts of EM as a table, the best first."""

from typing import TYPE_CHECKING

import numpy as np

from ..result import Fit

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("log_likelihood", "n_iter", "converged", "collapsed", "agreement")


def restarts(fit: Fit) -> "pd.DataFrame":
    """Rank the restarts of an EM fit.

    Args:
        fit: a point fit by EM.

    Returns:
        A row per restart, the one that was kept first, the others by falling log-likelihood, their
        index the number of the restart; columns
        ``log_likelihood``, ``n_iter``, ``converged``, ``collapsed`` (whether a component turned
        singular) and ``agreement``, the adjusted Rand index of its labels and those of the best; NaN
        in fits of a sweep that did not win.

    Raises:
        ValueError: a fit without restarts.
    """
    if "restart_log_likelihood" not in fit.history:
        raise ValueError(
            f"Expected a fit by EM, got one by {type(fit.engine).__name__}: it has no restarts. Use "
            "bg.fit(X, spec, engine=bg.EM(n_init=10))."
        )
    # Imported on use: an estimator has the table, but need not wait for it.
    import pandas as pd

    unknown = np.full(len(fit.history["restart_log_likelihood"]), np.nan)
    history = {"restart_agreement": unknown, **fit.history}
    found = {name: np.asarray(history[f"restart_{name}"]) for name in COLUMNS}
    table = pd.DataFrame(found | {"collapsed": found["collapsed"] >= 0})
    rest = table.drop(index=int(fit.history["best_restart"]))
    order = [int(fit.history["best_restart"])]
    order += rest.sort_values("log_likelihood", ascending=False).index.to_list()
    return table.loc[order].rename_axis("restart")
