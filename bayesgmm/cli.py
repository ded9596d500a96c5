"""The command line: ``bayesgmm demo``, ``bayesgmm fit DATA`` and ``bayesgmm datasets``.

Bad input ends with one sentence on standard error and exit code 2. Heavy modules load inside the
commands, so that ``bayesgmm --help`` answers at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    import pandas as pd

    from .data.dataset import Dataset
    from .model.spec import MixtureSpec
    from .posterior.partition import Partition
    from .result import Fit

app = typer.Typer(
    name="bayesgmm",
    help="Gaussian mixtures with the full posterior, the number of clusters included.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

N_CHAINS = 4
N_WARMUP = 500
DEMO_COMPONENTS = 6
BAR_WIDTH = 32
MOST_COLUMNS_SHOWN = 5
MOST_CLUSTERS_SHOWN = 12

Out = Annotated[Path, typer.Option("--out", help="Folder for the results.")]
Seed = Annotated[int, typer.Option(help="Seed of all randomness.", min=0, max=2**32 - 1)]
Draws = Annotated[int, typer.Option(help="Draws kept per chain, of 4 chains.", min=4)]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")]
Force = Annotated[bool, typer.Option("--force", help="Write into a folder that is not empty.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


class InputError(Exception):
    """What the user gave cannot be used; the text says why and what to do."""


def main() -> None:
    """Run the command line."""
    app(prog_name="bayesgmm")


@app.command()
def demo(
    data: Annotated[str, typer.Option(help="A shipped data set.")] = "faithful",
    out: Out = Path("bayesgmm-demo"),
    seed: Seed = 0,
    draws: Draws = 500,
    quiet: Quiet = False,
    force: Force = False,
    debug: Debug = False,
) -> None:
    """Fit a shipped data set with an unknown number of clusters; takes about a minute."""
    from . import datasets
    from .model.spec import MixtureSpec

    console = Console(quiet=quiet)
    with errors_in_a_sentence(debug):
        with as_input_error():
            shipped = datasets.load(data)
        folder = output_folder(out, force)
        say(console, f"{shipped.name}: {shipped.description}", style="bold")
        say(console, f"{shipped.source}")
        spec = MixtureSpec(max_components=DEMO_COMPONENTS)
        fit_and_write(console, shipped.frame, spec, folder, seed, draws, quiet)
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
    draws: Draws = 500,
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
    from . import datasets

    table = Table("name", "rows", "columns", "what", "source", box=None, header_style="bold")
    for name in datasets.names():
        one = datasets.load(name)
        n_rows, n_columns = one.frame.shape
        table.add_row(name, str(n_rows), str(n_columns), one.description, one.source)
    Console().print(table)


@contextmanager
def errors_in_a_sentence(debug: bool) -> Iterator[None]:
    """Turn an InputError into a sentence and exit code 2, unless the traceback is wanted."""
    try:
        yield
    except InputError as error:
        if debug:
            raise
        typer.echo(f"bayesgmm: {error}", err=True)
        raise typer.Exit(2) from error


@contextmanager
def as_input_error() -> Iterator[None]:
    """Take refusals of the package's doors for what they are: bad input."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise InputError(" ".join(str(error).split())) from error


def read_frame(path: Path) -> pd.DataFrame:
    """Read a table by the extension of its file.

    Raises:
        InputError: no file, an unknown extension, or contents that cannot be read.
    """
    readers = {".csv": read_csv, ".parquet": read_parquet, ".npy": read_npy}
    if path.suffix.lower() not in readers:
        raise InputError(
            f"Expected a file ending in .csv, .parquet or .npy, got {path}; convert it first."
        )
    if not path.is_file():
        raise InputError(f"Expected a file, found none at {path}; check the path.")
    try:
        return readers[path.suffix.lower()](path)
    except (ValueError, OSError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise InputError(f"Expected a readable table in {path}, got an error: {reason}.") from error


def read_csv(path: Path) -> pd.DataFrame:
    """Read a CSV file with a header."""
    import pandas as pd

    return pd.read_csv(path)


def read_parquet(path: Path) -> pd.DataFrame:
    """Read a Parquet file with pyarrow or polars, whichever is installed."""
    import pandas as pd

    try:
        return pd.read_parquet(path)
    except ImportError:
        pass
    try:
        import polars
    except ImportError as error:
        raise InputError(
            "Reading Parquet needs pyarrow or polars, and neither is installed; "
            "run pip install pyarrow, or convert the table to CSV."
        ) from error
    try:
        return pd.DataFrame(polars.read_parquet(path).to_dict(as_series=False))
    except polars.exceptions.PolarsError as error:
        raise ValueError(str(error)) from error


def read_npy(path: Path) -> pd.DataFrame:
    """Read a NumPy array of one or two dimensions."""
    import numpy as np
    import pandas as pd

    values = np.load(path, allow_pickle=False)
    if values.ndim not in (1, 2):
        raise InputError(
            f"Expected an array of rows and columns in {path}, got {values.ndim} dimensions; "
            "reshape it first."
        )
    table = values.reshape(len(values), -1)
    return pd.DataFrame(table, columns=[f"x{j}" for j in range(table.shape[1])])


def pick_columns(frame: pd.DataFrame, columns: str | None) -> pd.DataFrame:
    """Return the columns asked for, all by default, numbers only.

    Raises:
        InputError: unknown columns, columns that are not numbers, or none at all.
    """
    if columns is not None:
        wanted = [name.strip() for name in columns.split(",") if name.strip()]
        unknown = [name for name in wanted if name not in frame.columns]
        if unknown or not wanted:
            raise InputError(
                f"Expected --columns to name columns of the table, {listed(frame.columns)}, "
                f"got {listed(unknown) or 'none'}; correct --columns."
            )
        frame = frame[wanted]
    numeric = frame.select_dtypes(["number", "bool"]).columns
    others = [name for name in frame.columns if name not in numeric]
    if not len(numeric):
        raise InputError(
            f"Expected numeric columns, got none (columns: {listed(frame.columns) or 'none'}); "
            "encode them as numbers first."
        )
    if others:
        raise InputError(
            f"Expected numeric columns, got text or dates in {listed(others)}; choose with "
            f"--columns {','.join(map(str, numeric))}."
        )
    return frame


def listed(names: Any) -> str:
    """Return names with commas between."""
    return ", ".join(map(str, names))


def spec_of(k: str, max_components: int) -> MixtureSpec:
    """Return the specification for ``--k``.

    Raises:
        InputError: neither auto nor a whole number >= 1.
    """
    from .model.spec import MixtureSpec

    if k == "auto":
        with as_input_error():
            return MixtureSpec(max_components=max_components)
    if not k.isdecimal() or int(k) < 1:
        raise InputError(f"Expected --k to be auto or a whole number >= 1, got {k!r}; pass --k 3.")
    return MixtureSpec(int(k))


def output_folder(folder: Path, force: bool) -> Path:
    """Make the folder for the results and see that it can be written, before any work.

    Raises:
        InputError: not empty without ``--force``, or not writable.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not force and any(folder.iterdir()):
            raise InputError(
                f"Expected an empty or new output folder, got {folder} with files in it; "
                "pass --force to overwrite them or --out for another folder."
            )
        probe = folder / ".bayesgmm-probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(
            f"Expected an output folder that can be written, got {folder} ({error.strerror}); "
            "pass another one with --out."
        ) from error
    return folder


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
    from .posterior.partition import partition
    from .store import save

    with as_input_error():
        data = checked(frame, spec)
    fit = sample(data, spec, seed, draws, progress=not quiet)
    found = partition(fit)
    say(console, f"\n{fit.model}\n")
    say(console, f"{fit.status.message} {seconds_of(fit)}\n")
    console.print(table_of_n_clusters(fit))
    console.print(table_of_clusters(fit, found))
    print_checks(console, fit)
    save(fit, folder / "fit.nc")
    write_pictures(fit, found, folder)
    return fit, found


def checked(frame: pd.DataFrame, spec: MixtureSpec) -> Dataset:
    """Pass the data and the specification through the doors, before any work."""
    from .data.dataset import Dataset
    from .model.resolved import resolve

    data = Dataset.from_array(frame)
    resolve(spec, data)
    return data


def sample(data: Dataset, spec: MixtureSpec, seed: int, draws: int, *, progress: bool) -> Fit:
    """Sample the posterior with NUTS."""
    from .api import fit
    from .engines.nuts import NUTS

    engine = NUTS(n_chains=N_CHAINS, n_warmup=N_WARMUP, n_draws=draws, progress=progress)
    return fit(data, spec, engine=engine, seed=seed)


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


def plain_table(title: str, *head: str) -> Table:
    """Return an empty table without a frame, its title above at the left."""
    return Table(
        *head, title=title, title_justify="left", title_style="bold", box=None, header_style="dim"
    )


def print_checks(console: Console, fit: Fit) -> None:
    """Print the table of checks and the verdict."""
    from .diagnostics.checks import diagnose

    checks = diagnose(fit).reset_index()
    name = "check" if "check" in checks else "name"
    table = plain_table("Checks", "check", "value", "threshold", "passed", "advice")
    for row in checks.to_dict("records"):
        mark = "[green]yes[/]" if row["passed"] else "[red]no[/]"
        advice = "" if row["passed"] else str(row["advice"])
        table.add_row(str(row[name]), number(row["value"]), number(row["threshold"]), mark, advice)
    console.print(table)
    say(console, f"{checks.attrs.get('verdict', '')}\n", style="bold")


def number(value: Any) -> str:
    """Return a number with four digits, and anything else as it is."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def assignments(fit: Fit, found: Partition) -> pd.DataFrame:
    """Return for each row its cluster, the probability of it, and the entropy in bits."""
    import numpy as np
    import pandas as pd

    from .posterior.membership import membership

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


def write_pictures(fit: Fit, found: Partition, folder: Path) -> None:
    """Write clusters.png, n_clusters.png and trace.png."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from . import plots

    figures = {
        "clusters": plots.clusters(fit, clusters=found).figure,
        "n_clusters": plots.n_clusters(fit).figure,
        "trace": plots.trace(fit)[0, 0].figure,
    }
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png", dpi=150)
        plt.close(figure)


def say_what_next(console: Console, folder: Path, *, is_demo: bool) -> None:
    """Say what was written and what to look at next."""
    lines = [
        f"Written to {folder}:",
        "  clusters.png    the clusters; large hollow dots are rows in doubt",
        "  n_clusters.png  how many clusters, and whether the chains agree",
        "  trace.png       whether the chains have mixed",
        "  fit.nc          the fit: bg.load reads it, and so does xarray.open_datatree",
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
