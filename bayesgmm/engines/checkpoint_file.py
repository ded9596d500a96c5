"""Checkpoints on disk: an uncompressed ``.npz`` of arrays and a JSON header, without pickle.

Every array has a checksum of its own (CRC-32, as in any zip file), and reading executes nothing.
"""

import json
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from ..numerics.durable import whole_file
from ..numerics.trees import decode, encode, on_device
from .fingerprint import Fingerprint, require_same

FORMAT = 2
HEADER = "bayesgmm_checkpoint"
# What NumPy, zipfile, zlib and json raise over files that are cut short, overwritten or no archives of arrays.
DAMAGED = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    EOFError,
    MemoryError,
    RuntimeError,
    SyntaxError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


class Progress(NamedTuple):
    """How far a run is.

    Attributes:
        state: the last complete state.
        outputs: what slices returned beside their states.
        n_done: units of work finished.
        finished: whether nothing is left to do.
    """

    state: Any
    outputs: list[Any]
    n_done: int
    finished: bool = False


class Snapshot(NamedTuple):
    """Progress with its state copied out, so that the run may go on.

    Attributes:
        outline: of the state, JSON.
        arrays: of the state, by the names in the outline.
        progress: the rest.
    """

    outline: Any
    arrays: dict[str, np.ndarray]
    progress: Progress


def snapshot(progress: Progress) -> Snapshot:
    """Copy the state out: the next slice may take its buffers, and be interrupted."""
    views: dict[str, np.ndarray] = {}
    outline = encode(progress.state, views)
    arrays = {name: view.copy() for name, view in views.items()}
    return Snapshot(outline, arrays, progress._replace(state=None))


def write(path: Path, mark: Fingerprint, snapshot: Snapshot) -> None:
    """Write a checkpoint, whole or not at all.

    Raises:
        OSError: a place that cannot be written to, or no room.
    """
    arrays = dict(snapshot.arrays)
    header = {
        "format": FORMAT,
        "mark": mark._asdict(),
        "state": snapshot.outline,
        "outputs": encode(laid_end_to_end(snapshot.progress.outputs), arrays),
        "n_done": snapshot.progress.n_done,
        "finished": snapshot.progress.finished,
    }
    with whole_file(path) as place, open(place, "wb") as file:
        np.savez(file, allow_pickle=False, **{HEADER: np.array(json.dumps(header))}, **arrays)


def laid_end_to_end(outputs: list[Any]) -> list[Any]:
    """Return one record of all, in a list, or none."""
    if not outputs:
        return []
    return [jax.tree.map(lambda *leaves: np.concatenate(leaves), *outputs)]


def read(path: Path, wanted: Fingerprint) -> Progress:
    """Read the checkpoint of a run.

    Args:
        path: the file.
        wanted: fingerprint of the run.

    Returns:
        How far it was.

    Raises:
        ValueError: a truncated file, or one of another origin, format or run.
    """
    try:
        with open(path, "rb") as file:
            header, arrays = contents(file)
        number = header["format"] if header else None
        mark = Fingerprint(**header["mark"]) if number == FORMAT else wanted
    except PermissionError:
        raise
    except DAMAGED as error:
        raise unreadable(path, error) from error
    if number is None:
        raise ValueError(
            f"Expected a checkpoint, got another kind of file at {path}. Move it away, or pass another path."
        )
    if number != FORMAT:
        raise ValueError(
            f"Expected checkpoint format {FORMAT}, got {number!r} in {path}. Go on with the version of "
            "bayesgmm that wrote it, or pass another path."
        )
    require_same(path, mark, wanted)
    try:
        return Progress(
            state=on_device(decode(header["state"], arrays)),
            outputs=decode(header["outputs"], arrays),
            n_done=header["n_done"],
            finished=header["finished"],
        )
    except (LookupError, TypeError, AttributeError) as error:
        raise unreadable(path, error) from error


def contents(file: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the header and the arrays of an open file; nothing without our header."""
    if not zipfile.is_zipfile(file):
        raise ValueError("no zip file, or only a part of one")
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        if HEADER not in arrays.files:
            return {}, {}
        header = json.loads(str(arrays[HEADER]))
        return header, {name: arrays[name] for name in arrays.files if name != HEADER}


def unreadable(path: Path, error: Exception) -> ValueError:
    """Return the error about a file that is damaged."""
    return ValueError(
        f"Expected a checkpoint, got an unreadable file at {path} ({error}): it is truncated, or of "
        "another kind. Move it away to begin anew, or pass another path."
    )
