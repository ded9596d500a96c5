"""``bayesgmm demo``: a shipped data set from its rows to a report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .fit import answer, fit_into
from .options import AsJson, Debug, Draws, Force, Out, Quiet, Seed
from .output import staged_folder
from .plan import plan_of
from .refusal import as_input_error, errors_in_a_sentence
from .speech import Speech
from .table import table_of

DEMO_COMPONENTS = 10
# Two columns make a picture.
DEMO_COLUMNS = {"penguins": ["flipper_length_mm", "bill_depth_mm"]}


def demo(
    data: Annotated[str, typer.Option(help="A shipped data set.")] = "penguins",
    out: Out = Path("bayesgmm-demo"),
    seed: Seed = 0,
    draws: Draws = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
    force: Force = False,
    debug: Debug = False,
) -> None:
    """Fit a shipped data set with an unknown number of clusters; takes about a minute."""
    from .. import datasets

    speech = Speech(quiet=quiet, as_json=as_json)
    with errors_in_a_sentence(debug):
        with as_input_error(ValueError, TypeError):
            shipped = datasets.load(data)
        plan = plan_of("auto", DEMO_COMPONENTS, "gibbs", "full", draws)
        with staged_folder(out, force) as stage:
            speech.say(f"{shipped.description}\n{shipped.source}")
            frame = shipped.frame[DEMO_COLUMNS.get(data, list(shipped.frame.columns))]
            table = table_of(frame, speech, shipped.name, [])
            findings = fit_into(stage, plan, table, seed, shipped.name, speech)
        answer(findings, out, ["your own data: bayesgmm fit table.csv --out results"], speech)
