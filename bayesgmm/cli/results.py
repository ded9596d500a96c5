"""What the command line writes into a folder, and what each file is for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .findings import Findings
from .scaling import Scaling, keep_scaling
from .speech import Speech

if TYPE_CHECKING:
    from ..result import Fit
    from ..selection.selection import Selection

DPI = 150
PURPOSE = {
    "report.html": "all of it on one page, to read in a browser",
    "clusters.png": "the clusters; large hollow dots are rows in doubt",
    "n_clusters.png": "how many clusters, and whether the chains agree",
    "trace.png": "how the run went",
    "selection.png": "the criterion of every model",
    "table.csv": "every model with its criteria",
    "assignments.csv": "cluster of each row, its probability and entropy (bits)",
    "summary.csv": "the parameters with their uncertainty",
    "fit.nc": "the fit: bg.load and bayesgmm predict read it",
}


def write_fit(
    findings: Findings, scaling: Scaling | None, folder: Path, title: str, speech: Speech
) -> None:
    """Write everything about a fit."""
    write_essentials(findings, scaling, folder, title, speech)
    findings.summary.to_csv(folder / "summary.csv", index_label="parameter")
    with speech.listening():
        for name, axes in pictures(findings).items():
            save_picture(axes, folder / f"{name}.png")


def write_essentials(
    findings: Findings, scaling: Scaling | None, folder: Path, title: str, speech: Speech
) -> None:
    """Write the fit, the cluster of each row, and the report."""
    from ..store import save

    save(findings.fit, folder / "fit.nc")
    keep_scaling(scaling, folder / "fit.nc")
    findings.assignments.to_csv(folder / "assignments.csv", index=False)
    known = {"clusters": findings.found, "checks": findings.checks}
    write_report(findings.fit, folder / "report.html", title, speech, **known)


def write_selection(selected: Selection, folder: Path) -> None:
    """Write the table of a sweep and its picture."""
    draw_into_files()
    selected.table.to_csv(folder / "table.csv", index=False)
    save_picture(selected.plot(), folder / "selection.png")


def write_report(fit: Fit, path: Path, title: str, speech: Speech, **known: Any) -> None:
    """Write the page about a fit; ``known`` is what ``bg.report`` need not work out again."""
    from ..reporting.report import report

    draw_into_files()
    with speech.listening():
        report(fit, path, title=title, **known)


def pictures(findings: Findings) -> dict[str, Any]:
    """Return axes of the pictures of a fit by the names of their files."""
    from .. import plots

    draw_into_files()
    fit = findings.fit
    drawn = {"clusters": plots.clusters(fit, clusters=findings.found)}
    if not fit.is_point:
        drawn["n_clusters"] = plots.n_clusters(fit)
    return drawn | {"trace": plots.trace(fit)[0, 0]}


def draw_into_files() -> None:
    """Draw without a window."""
    import matplotlib

    matplotlib.use("Agg")


def save_picture(axes: Any, path: Path) -> None:
    """Write the figure of axes and close it."""
    import matplotlib.pyplot as plt

    axes.figure.savefig(path, dpi=DPI)
    plt.close(axes.figure)


def say_what_was_written(speech: Speech, folder: Path, what_next: list[str]) -> list[str]:
    """Say what lies in a folder and what to look at next; return the files."""
    names = [name for name in PURPOSE if (folder / name).exists()]
    width = max(map(len, names))
    lines = [f"Written to {folder}:", *(f"  {name:{width}}  {PURPOSE[name]}" for name in names)]
    path = str(folder / "fit.nc")
    lines += [
        "Look next:",
        f"  in Python:     import bayesgmm as bg; fit = bg.load({path!r})",
        "                 bg.diagnose(fit); bg.partition(fit).labels; bg.plots.clusters(fit)",
        *(f"  {line}" for line in what_next),
    ]
    speech.say("\n".join(lines))
    return [str(folder / name) for name in names]
