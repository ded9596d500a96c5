"""What the command line prints: tables of the posterior, of clusters and of checks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from .results import assignments

if TYPE_CHECKING:
    from ..posterior.partition import Partition
    from ..result import Fit

BAR_WIDTH = 32
MOST_COLUMNS_SHOWN = 5
MOST_CLUSTERS_SHOWN = 12


def seconds_of(fit: Fit) -> str:
    """Say how long the run took."""
    return "" if fit.provenance is None else f"{fit.provenance.seconds:.0f} seconds."


def say(console: Console, text: str, style: str | None = None) -> None:
    """Print text as it is: brackets and numbers keep their plain look."""
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def table_of_n_clusters(fit: Fit) -> Table:
    """Return the posterior of the number of clusters with a bar each."""
    import numpy as np

    table = plain_table("Posterior of the number of clusters", "clusters", "probability", "")
    numbers, counts = np.unique(fit.n_clusters, return_counts=True)
    for number, p in zip(numbers, counts / counts.sum(), strict=True):
        table.add_row(str(number), f"{p:.3f}", "█" * round(BAR_WIDTH * p) or "▏")
    return table


def table_of_clusters(fit: Fit, found: Partition) -> Table:
    """Return size, certainty and column means of each cluster of the partition."""
    import numpy as np

    names = fit.model.names[:MOST_COLUMNS_SHOWN]
    head = ("cluster", "rows", "certainty", *(f"mean {name}" for name in names))
    table = plain_table("Clusters of the representative partition", *head)
    certainty = assignments(fit, found)["certainty"].to_numpy()
    for j in range(min(found.n_clusters, MOST_CLUSTERS_SHOWN)):
        inside = found.labels == j
        means = np.asarray(fit.data.values)[inside, : len(names)].mean(0)
        row = (j, inside.sum(), f"{certainty[inside].mean():.3f}", *(f"{m:.4g}" for m in means))
        table.add_row(*map(str, row))
    return table


def note_on_partition(fit: Fit, found: Partition) -> str:
    """Say why the partition may have another number of clusters than is most probable."""
    import numpy as np

    mode = int(np.bincount(fit.n_clusters.ravel()).argmax())
    if mode == found.n_clusters:
        return ""
    return (
        f"The most probable number of clusters is {mode}, the representative partition has "
        f"{found.n_clusters}:\nclusters that hold other rows in every draw find no place in one "
        "partition.\n"
    )


def plain_table(title: str, *head: str) -> Table:
    """Return an empty table without a frame, its title above at the left."""
    return Table(
        *head, title=title, title_justify="left", title_style="bold", box=None, header_style="dim"
    )


def print_checks(console: Console, fit: Fit) -> None:
    """Print the verdict, and the checks that failed."""
    from ..diagnostics.checks import diagnose

    checks = diagnose(fit)
    say(console, f"{checks.verdict}\n", style="bold")
    failed = checks[~checks["passed"]]
    if failed.empty:
        return
    table = plain_table("Checks that failed", "check", "value", "threshold", "advice")
    for row in failed.to_dict("records"):
        table.add_row(row["check"], number(row["value"]), row["threshold"], row["advice"])
    console.print(table)


def number(value: Any) -> str:
    """Return a number with four digits, and anything else as it is."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def say_what_next(console: Console, folder: Path, *, is_demo: bool) -> None:
    """Say what was written and what to look at next."""
    lines = [
        f"Written to {folder}:",
        "  clusters.png    the clusters; large hollow dots are rows in doubt",
        "  n_clusters.png  how many clusters, and whether the chains agree",
        "  trace.png       whether the chains have mixed",
        "  fit.nc          the fit: bg.load reads it",
    ]
    if not is_demo:
        lines.append("  assignments.csv cluster of each row, its probability and entropy (bits)")
    lines += [
        "Look next:",
        f"  in Python:      import bayesgmm as bg; fit = bg.load({str(folder / 'fit.nc')!r})",
        "                  bg.diagnose(fit); bg.partition(fit).labels; bg.plots.clusters(fit)",
    ]
    if is_demo:
        lines.append("  your own table: bayesgmm fit table.csv --out results")
    say(console, "\n".join(lines))
