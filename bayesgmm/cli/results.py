"""What the command line writes: the fit, its pictures and the assignments."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from ..posterior.partition import Partition
    from ..result import Fit


def write_results(fit: Fit, found: Partition, folder: Path) -> None:
    """Write fit.nc and the pictures."""
    from ..store import save

    save(fit, folder / "fit.nc")
    write_pictures(fit, found, folder)


def write_pictures(fit: Fit, found: Partition, folder: Path) -> None:
    """Write clusters.png, n_clusters.png and trace.png."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from .. import plots

    figures = {
        "clusters": plots.clusters(fit, clusters=found).figure,
        "n_clusters": plots.n_clusters(fit).figure,
        "trace": plots.trace(fit)[0, 0].figure,
    }
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png", dpi=150)
        plt.close(figure)


def assignments(fit: Fit, found: Partition) -> pd.DataFrame:
    """Return for each row its cluster, the probability of it, and the entropy in bits."""
    import numpy as np
    import pandas as pd

    from ..posterior.membership import membership

    probabilities = np.asarray(membership(fit, found, fit.data.values).mean, float)
    positive = np.where(probabilities > 0, probabilities, 1.0)
    return pd.DataFrame(
        {
            "row": np.arange(len(probabilities)),
            "label": found.labels,
            "certainty": probabilities[np.arange(len(probabilities)), found.labels],
            "entropy": -(positive * np.log2(positive)).sum(1) + 0.0,
        }
    )
