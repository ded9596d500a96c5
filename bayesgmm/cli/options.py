"""Options that several commands share, each described once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[Path, typer.Argument(help="A table: .csv, .parquet or .npy.", metavar="DATA")]
FitFile = Annotated[
    Path, typer.Argument(help="A fit, written by bayesgmm fit or bg.save.", metavar="FIT.nc")
]
Columns = Annotated[str | None, typer.Option(help="Columns to use, with commas between: a,b.")]
NumericOnly = Annotated[
    bool, typer.Option("--numeric-only", help="Leave out columns that are not numbers.")
]
Standardize = Annotated[
    bool,
    typer.Option(
        "--standardize",
        help="Centre each column and divide it by its standard deviation; predict does the same.",
    ),
]
Delimiter = Annotated[
    str | None,
    typer.Option(help="What stands between the cells of a .csv; tab for a tab.", show_default=","),
]
Out = Annotated[Path, typer.Option("--out", help="Folder for the results.")]
NamedOut = Annotated[
    Path | None, typer.Option("--out", help="Folder for the results.", show_default="NAME-COMMAND")
]
Seed = Annotated[int, typer.Option(help="Seed of all randomness.", min=0, max=2**32 - 1)]
Draws = Annotated[
    int | None,
    typer.Option(
        help="Draws kept per chain, of 4 chains; em has none.", min=4, show_default="1000"
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors, no progress.")]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on standard output, and no text.")
]
Force = Annotated[
    bool, typer.Option("--force", help="Write over earlier results, or into a folder with files.")
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
