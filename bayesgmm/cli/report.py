"""``bayesgmm report``: a page about a fit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .loading import load_fit
from .options import AsJson, Debug, FitFile, Force, Quiet
from .output import staged_file
from .refusal import errors_in_a_sentence
from .results import write_report
from .scaling import scaling_of
from .speech import Speech


def report_fit(
    fit_file: FitFile,
    out: Annotated[Path, typer.Option("--out", help="The page.")] = Path("report.html"),
    title: Annotated[str, typer.Option(help="Its heading.")] = "Gaussian mixture",
    quiet: Quiet = False,
    as_json: AsJson = False,
    force: Force = False,
    debug: Debug = False,
) -> None:
    """Write a page about a fit, complete in itself, for people who were not there."""
    from ..posterior.partition import partition
    from ..reporting.words import verdict

    speech = Speech(quiet=quiet, as_json=as_json)
    with errors_in_a_sentence(debug):
        fit = load_fit(fit_file)
        if scaling_of(fit_file, fit) is not None:
            speech.note("The columns of this fit are standardised, and so is what the page shows.")
        with staged_file(out, force) as part:
            found = partition(fit)
            write_report(fit, part, title, speech, clusters=found)
        said = verdict(fit, found)
        speech.say(f"{said}\nWritten to {out}.")
        speech.answer({"verdict": said, "files": [str(out)]})
