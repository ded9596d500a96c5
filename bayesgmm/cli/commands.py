"""The commands, thin: check the input, fit, show, write.

Heavy modules load inside the commands, so that ``bayesgmm --help`` answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from .intake import (
    as_input_error,
    checked,
    errors_in_a_sentence,
    output_folder,
    pick_columns,
    read_frame,
    spec_of,
)
from .results import assignments, write_results
from .show import (
    note_on_partition,
    print_checks,
    say,
    say_what_next,
    seconds_of,
    table_of_clusters,
    table_of_n_clusters,
)

if TYPE_CHECKING:
    import pandas as pd

    from ..data.dataset import Dataset
    from ..model.spec import MixtureSpec
    from ..posterior.partition import Partition
    from ..result import Fit

app = typer.Typer(
    name="bayesgmm",
    help="Gaussian mixtures with the full posterior, the number of clusters included.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

N_CHAINS = 4
DEMO_COMPONENTS = 10
# Two columns make a picture.
DEMO_COLUMNS = {"penguins": ["flipper_length_mm", "bill_depth_mm"]}

Out = Annotated[Path, typer.Option("--out", help="Folder for the results.")]
Seed = Annotated[int, typer.Option(help="Seed of all randomness.", min=0, max=2**32 - 1)]
Draws = Annotated[int, typer.Option(help="Draws kept per chain, of 4 chains.", min=4)]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")]
Force = Annotated[bool, typer.Option("--force", help="Write into a folder that is not empty.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def main() -> None:
    """Run the command line."""
    app(prog_name="bayesgmm")


@app.command()
def demo(
    data: Annotated[str, typer.Option(help="A shipped data set.")] = "penguins",
    out: Out = Path("bayesgmm-demo"),
    seed: Seed = 0,
    draws: Draws = 1000,
    quiet: Quiet = False,
    force: Force = False,
    debug: Debug = False,
) -> None:
    """Fit a shipped data set with an unknown number of clusters; takes about a minute."""
    from .. import datasets
    from ..model.spec import MixtureSpec

    console = Console(quiet=quiet)
    with errors_in_a_sentence(debug):
        with as_input_error():
            shipped = datasets.load(data)
        folder = output_folder(out, force)
        say(console, f"{shipped.name}: {shipped.description}", style="bold")
        say(console, f"{shipped.source}")
        frame = shipped.frame[DEMO_COLUMNS.get(data, list(shipped.frame.columns))]
        spec = MixtureSpec(max_components=DEMO_COMPONENTS)
        fit_and_write(console, frame, spec, folder, seed, draws, quiet)
    say_what_next(console, folder, is_demo=True)


@app.command("fit")
def fit_file(
    data: Annotated[Path, typer.Argument(help="A table: .csv, .parquet or .npy.", metavar="DATA")],
    k: Annotated[str, typer.Option("--k", help="Number of components, or auto.")] = "auto",
    max_k: Annotated[int, typer.Option(help="Bound on the components of auto.", min=2)] = 10,
    columns: Annotated[
        str | None, typer.Option(help="Columns to use, with commas between: a,b.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the results.", show_default="NAME-fit")
    ] = None,
    seed: Seed = 0,
    draws: Draws = 1000,
    quiet: Quiet = False,
    force: Force = False,
    debug: Debug = False,
) -> None:
    """Fit a table of your own and write a cluster for each row."""
    console = Console(quiet=quiet)
    with errors_in_a_sentence(debug):
        frame = pick_columns(read_frame(data), columns)
        spec = spec_of(k, min(max_k, len(frame)))
        folder = output_folder(out or Path(f"{data.stem}-fit"), force)
        say(console, f"{data}: {len(frame)} rows, {frame.shape[1]} columns", style="bold")
        fit, found = fit_and_write(console, frame, spec, folder, seed, draws, quiet)
        assignments(fit, found).to_csv(folder / "assignments.csv", index=False)
    say_what_next(console, folder, is_demo=False)


@app.command("datasets")
def list_datasets() -> None:
    """List the shipped data sets."""
    from .. import datasets

    table = Table("name", "rows", "columns", "what", "source", box=None, header_style="bold")
    for name in datasets.names():
        one = datasets.load(name)
        n_rows, n_columns = one.frame.shape
        table.add_row(name, str(n_rows), str(n_columns), one.description, one.source)
    Console().print(table)


def fit_and_write(
    console: Console,
    frame: pd.DataFrame,
    spec: MixtureSpec,
    folder: Path,
    seed: int,
    draws: int,
    quiet: bool,
) -> tuple[Fit, Partition]:
    """Fit, print what came out, and write the fit and its pictures."""
    from ..posterior.partition import partition

    with as_input_error():
        data = checked(frame, spec)
    fit = sample(data, spec, seed, draws, progress=not quiet)
    found = partition(fit)
    say(console, f"\n{fit.model}\n")
    say(console, f"{fit.status.message} {seconds_of(fit)}\n")
    console.print(table_of_n_clusters(fit))
    console.print(table_of_clusters(fit, found))
    say(console, note_on_partition(fit, found))
    print_checks(console, fit)
    write_results(fit, found, folder)
    return fit, found


def sample(data: Dataset, spec: MixtureSpec, seed: int, draws: int, *, progress: bool) -> Fit:
    """Sample the posterior."""
    from ..api import fit
    from ..engines.gibbs import Gibbs

    engine = Gibbs(n_chains=N_CHAINS, n_draws=draws, progress=progress)
    return fit(data, spec, engine=engine, seed=seed)
