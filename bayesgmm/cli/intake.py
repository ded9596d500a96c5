"""What comes in from the command line: tables, settings and folders, refused in one sentence.

Bad input ends with one sentence on standard error and exit code 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    import pandas as pd

    from ..data.dataset import Dataset
    from ..model.spec import MixtureSpec


class InputError(Exception):
    """What the user gave cannot be used; the text says why and what to do."""


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
    except (ValueError, OSError, EOFError) as error:
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
    from ..model.spec import MixtureSpec

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


def checked(frame: pd.DataFrame, spec: MixtureSpec) -> Dataset:
    """Pass the data and the specification through the doors, before any work."""
    from ..data.dataset import Dataset
    from ..model.resolved import resolve

    data = Dataset.from_array(frame)
    data.require_plain("The sampler")
    resolve(spec, data)
    return data
