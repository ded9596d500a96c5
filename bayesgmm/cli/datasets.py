"""``bayesgmm datasets``: what is shipped, and how to get it as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Debug, Force
from .output import staged_file
from .refusal import InputError, as_input_error, errors_in_a_sentence
from .show import plain_table
from .speech import Speech


def give_datasets(
    name: Annotated[
        str | None, typer.Argument(help="A shipped data set; all are listed without it.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The .csv file.", show_default="NAME.csv")
    ] = None,
    labels: Annotated[
        bool, typer.Option("--labels", help="Write the columns of known classes too.")
    ] = False,
    force: Force = False,
    debug: Debug = False,
) -> None:
    """List the shipped data sets, or write one of them as CSV."""
    speech = Speech()
    with errors_in_a_sentence(debug):
        if name is not None:
            write_dataset(name, out or Path(f"{name}.csv"), speech, labels=labels, force=force)
        elif out is not None or labels:
            raise InputError(
                "Expected the name of a data set with --out or --labels, got none; pass for instance "
                "bayesgmm datasets penguins."
            )
        else:
            list_datasets(speech)


def list_datasets(speech: Speech) -> None:
    """Print the shipped data sets."""
    from .. import datasets

    table = plain_table("", "name", "rows", "columns", "what", "source")
    for name in datasets.names():
        one = datasets.load(name)
        n_rows, n_columns = one.frame.shape
        table.add_row(name, str(n_rows), str(n_columns), one.description, one.source)
    speech.console.print(table)


def write_dataset(name: str, path: Path, speech: Speech, *, labels: bool, force: bool) -> None:
    """Write a shipped data set as CSV.

    Raises:
        InputError: no such data set, no labels, or an output that cannot be written.
    """
    from .. import datasets

    with as_input_error(ValueError, TypeError):
        shipped = datasets.load(name)
    frame = shipped.frame
    if labels and shipped.labels is None:
        raise InputError(
            f"Expected a data set with known classes for --labels, got {name}, which has none; leave out "
            "--labels."
        )
    if labels and shipped.labels is not None:
        frame = frame.join(shipped.labels)
    with staged_file(path, force) as part:
        frame.to_csv(part, index=False)
    speech.say(f"{shipped.description}\n{shipped.source}")
    speech.say(f"{len(frame)} rows, {frame.shape[1]} columns. Written to {path}.")
