"""What the command line prints: tables of the posterior, of clusters, of checks and of models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from .findings import Findings
from .speech import Speech

if TYPE_CHECKING:
    from ..diagnostics.diagnosis import Diagnosis
    from ..result import Fit
    from ..selection.selection import Selection

BAR_WIDTH = 32
MOST_COLUMNS_SHOWN = 5
MOST_CLUSTERS_SHOWN = 12
MOST_MODELS_SHOWN = 10


def show_findings(findings: Findings, speech: Speech) -> None:
    """Print what was found: the verdict first."""
    from ..reporting.words import partition_and_mode

    fit = findings.fit
    speech.say(f"\n{findings.verdict}", style="bold")
    speech.say(f"{fit.status.message} {seconds_of(fit)}\n")
    speech.say(f"{fit.model}\n")
    if not fit.is_point:
        speech.console.print(table_of_n_clusters(findings))
    speech.console.print(table_of_clusters(findings))
    speech.say(partition_and_mode(fit, findings.found))
    show_checks(findings.checks, speech)


def seconds_of(fit: Fit) -> str:
    """Say how long the run took."""
    return "" if fit.provenance is None else f"{fit.provenance.seconds:.0f} seconds."


def table_of_n_clusters(findings: Findings) -> Table:
    """Return the posterior of the number of clusters with a bar each."""
    table = plain_table("Posterior of the number of clusters", "clusters", "probability", "")
    for size, p in findings.probabilities().items():
        table.add_row(str(size), f"{p:.3f}", "█" * round(BAR_WIDTH * p) or "▏")
    return table


def table_of_clusters(findings: Findings) -> Table:
    """Return size, certainty and column means of each cluster of the partition."""
    import pandas as pd

    fit, found = findings.fit, findings.found
    names = fit.model.names[:MOST_COLUMNS_SHOWN]
    head = ("cluster", "rows", "certainty", *(f"mean {name}" for name in names))
    table = plain_table("Clusters of the representative partition", *head)
    certainty = findings.assignments["certainty"].to_numpy()
    for j in range(min(found.n_clusters, MOST_CLUSTERS_SHOWN)):
        inside = found.labels == j
        means = pd.DataFrame(fit.data.values[inside, : len(names)]).mean()
        row = (j, inside.sum(), f"{certainty[inside].mean():.3f}", *(f"{m:.4g}" for m in means))
        table.add_row(*map(str, row))
    return table


def plain_table(title: str, *head: str) -> Table:
    """Return an empty table without a frame, its title above at the left."""
    return Table(
        *head, title=title, title_justify="left", title_style="bold", box=None, header_style="dim"
    )


def show_checks(checks: Diagnosis, speech: Speech) -> None:
    """Print the verdict of the checks, and those that failed."""
    speech.say(f"{checks.verdict}\n", style="bold")
    failed = checks[~checks["passed"]]
    if failed.empty:
        return
    table = plain_table("Checks that failed", "check", "value", "threshold", "advice")
    for row in failed.to_dict("records"):
        table.add_row(row["check"], number(row["value"]), row["threshold"], row["advice"])
    speech.console.print(table)


def show_models(selected: Selection, speech: Speech) -> None:
    """Print the best models of a sweep."""
    from ..selection.table import COLUMN

    column = COLUMN[selected.criterion]
    ranked = selected.ranked
    shown = ranked.head(MOST_MODELS_SHOWN)
    title = f"The best {len(shown)} of {len(ranked)} models"
    head = ("structure", "K", column, "delta", "log-likelihood", "status")
    table = plain_table(title, *head)
    for row in shown.to_dict("records"):
        values = (f"{row[name]:.2f}" for name in (column, "delta", "log_likelihood"))
        table.add_row(row["covariance_type"], str(row["n_components"]), *values, row["status"])
    speech.console.print(table)


def number(value: Any) -> str:
    """Return a number with four digits, and anything else as it is."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
