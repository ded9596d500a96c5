"""``bayesgmm fit``: a table of your own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .findings import Findings, findings_of
from .options import (
    AsJson,
    Columns,
    Data,
    Debug,
    Delimiter,
    Draws,
    Force,
    NamedOut,
    NumericOnly,
    Quiet,
    Seed,
    Standardize,
)
from .output import staged_folder
from .plan import Plan, plan_of
from .refusal import INTERRUPTED, errors_in_a_sentence
from .results import say_what_was_written, write_fit
from .show import show_findings
from .speech import Speech
from .table import Source, Table, table_from


def fit_file(
    data: Data,
    k: Annotated[
        str, typer.Option("--k", help="Number of components, auto, or with --engine em A:B.")
    ] = "auto",
    max_k: Annotated[
        int | None, typer.Option(help="Bound on the components of auto.", min=2, show_default="10")
    ] = None,
    engine: Annotated[
        str, typer.Option(help="gibbs or nuts for the posterior, em for maximum likelihood.")
    ] = "gibbs",
    covariance: Annotated[
        str,
        typer.Option(help="full, tied, diag or spherical; for em also mclust's, EII to VVV."),
    ] = "full",
    columns: Columns = None,
    numeric_only: NumericOnly = False,
    standardize: Standardize = False,
    delimiter: Delimiter = None,
    out: NamedOut = None,
    seed: Seed = 0,
    draws: Draws = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="File that keeps how far a long run is; the same command goes on from it."
        ),
    ] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
    force: Force = False,
    debug: Debug = False,
) -> None:
    """Fit a table of your own, say what was found, and write a report and a cluster for each row."""
    speech = Speech(quiet=quiet, as_json=as_json)
    with errors_in_a_sentence(debug):
        plan = plan_of(k, max_k, engine, covariance, draws, checkpoint)
        folder = out or Path(f"{data.stem}-fit")
        with staged_folder(folder, force) as stage:
            table = table_from(Source(data, columns, delimiter, numeric_only, standardize), speech)
            findings = fit_into(stage, plan, table, seed, data.stem, speech)
        what_next = [f"on new rows:   bayesgmm predict {folder / 'fit.nc'} NEW.csv"]
        answer(findings, folder, what_next, speech)


def fit_into(
    folder: Path, plan: Plan, table: Table, seed: int, title: str, speech: Speech
) -> Findings:
    """Fit, print what came out, and write it all."""
    findings = findings_of(plan.run(table.data, seed, speech), speech)
    show_findings(findings, speech)
    write_fit(findings, table.scaling, folder, f"Clusters of {title}", speech)
    return findings


def answer(
    findings: Findings, folder: Path, what_next: list[str], speech: Speech, **more: Any
) -> None:
    """Say what was written; leave with the exit code of an interruption if there was one."""
    files = say_what_was_written(speech, folder, what_next)
    record = findings.as_record() | more | {"files": files}
    speech.answer(record)
    if record["interrupted"]:
        raise typer.Exit(INTERRUPTED)
