"""The commands by their names.

Heavy modules load inside the commands, so that ``bayesgmm --help`` answers at once. Exit codes are 0 for
success, 2 for bad input, 130 for an interruption and 1 for what nobody expected.
"""

import signal
import sys

import typer

from .datasets import give_datasets
from .demo import demo
from .fit import fit_file
from .predict import predict_file
from .report import report_fit
from .select import select_models

app = typer.Typer(
    name="bayesgmm",
    help="Gaussian mixtures with the full posterior, the number of clusters included.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo)
app.command("fit")(fit_file)
app.command("select")(select_models)
app.command("predict")(predict_file)
app.command("report")(report_fit)
app.command("datasets")(give_datasets)


def main() -> None:
    """Run the command line; when told to terminate, leave nothing half-written."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    app(prog_name="bayesgmm")
