"""``bayesgmm predict``: clusters, densities and anomaly scores of new rows, some rows at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .columns import columns_of_fit
from .intake import read_blocks
from .loading import load_fit
from .options import AsJson, Data, Debug, Delimiter, FitFile, Force, Quiet
from .output import staged_file
from .refusal import InputError, errors_in_a_sentence
from .scaling import Scaling, scaling_of
from .speech import Speech

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ..posterior.partition import Partition
    from ..result import Fit


def predict_file(
    fit_file: FitFile,
    data: Data,
    out: Annotated[Path, typer.Option("--out", help="The table.")] = Path("predictions.csv"),
    interval: Annotated[
        float | None,
        typer.Option(help="Probability of intervals of the cluster probabilities, in (0, 1)."),
    ] = None,
    delimiter: Delimiter = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
    force: Force = False,
    debug: Debug = False,
) -> None:
    """Write cluster, certainty, probabilities and density of each row of a table."""
    from ..posterior.partition import partition

    speech = Speech(quiet=quiet, as_json=as_json)
    with errors_in_a_sentence(debug):
        check_interval(interval)
        fit = load_fit(fit_file)
        scaling = scaling_of(fit_file, fit)
        with staged_file(out, force) as part:
            predictor = Predictor(fit, partition(fit), scaling, interval)
            with speech.listening():
                n_rows = write_blocks(predictor, read_blocks(data, delimiter), part)
        if scaling is not None:
            speech.note("Rows were standardised as those of the fit.")
        speech.say(f"{n_rows} rows, {predictor.found.n_clusters} clusters. Written to {out}.")
        record = {"n_rows": n_rows, "n_labels": predictor.found.n_clusters, "files": [str(out)]}
        speech.answer(record)


def check_interval(interval: float | None) -> None:
    """Raise unless an interval, if any, has a probability."""
    if interval is not None and not 0 < interval < 1:
        raise InputError(
            f"Expected --interval to lie between 0 and 1, got {interval:g}; pass --interval 0.9."
        )


@dataclass(frozen=True)
class Predictor:
    """What predictions need.

    Attributes:
        fit: the fit.
        found: its representative partition.
        scaling: how its columns were standardised, None if they were not.
        interval: probability of the intervals, None for none.
    """

    fit: Fit
    found: Partition
    scaling: Scaling | None
    interval: float | None

    def table(self, frame: pd.DataFrame, first: int) -> pd.DataFrame:
        """Return the predictions of rows, the first of which has the number ``first``.

        Raises:
            InputError: columns or cells that the fit cannot be asked about.
        """
        import numpy as np
        import pandas as pd

        from ..posterior.membership import membership

        values = columns_of_fit(frame, self.fit.data.names).to_numpy(float, na_value=np.nan)
        check_cells(values, first)
        rows = values if self.scaling is None else self.scaling.forward(values)
        member = membership(self.fit, self.found, rows, self.interval)
        labels = member.mean.argmax(1)
        head = {
            "row": first + np.arange(len(rows)),
            "label": labels,
            "certainty": np.take_along_axis(member.mean, labels[:, None], 1)[:, 0],
            "entropy": member.entropy,
        }
        named = {"": member.mean, "_lower": member.lower, "_upper": member.upper}
        shares = {
            f"p{j}{name}": share[:, j]
            for name, share in named.items()
            if share is not None
            for j in range(self.found.n_clusters)
        }
        return pd.DataFrame(head | shares | self.densities(rows))

    def densities(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Return log densities in the units of the table and, for draws, anomaly scores."""
        from ..posterior.anomaly import anomaly_score
        from ..posterior.density import log_density

        log_densities = log_density(self.fit, rows)
        if self.scaling is not None:
            log_densities = log_densities - self.scaling.log_volume(rows)
        found = {"log_density": log_densities}
        return found if self.fit.is_point else found | {"anomaly": anomaly_score(self.fit, rows)}


def check_cells(values: np.ndarray, first: int) -> None:
    """Raise for rows that no fit can be asked about, by their numbers in the table."""
    import numpy as np

    empty, infinite = np.isnan(values).all(1), np.isinf(values).any(1)
    if empty.any():
        raise InputError(
            f"Expected some observed cell in every row, got none in row {first + int(empty.argmax())}; drop "
            "such rows."
        )
    if infinite.any():
        raise InputError(
            f"Expected finite numbers, got infinity in row {first + int(infinite.argmax())}; correct such "
            "cells, or leave them empty."
        )


def write_blocks(predictor: Predictor, blocks: Iterable[pd.DataFrame], path: Path) -> int:
    """Write the predictions of all blocks one below the other; return how many rows there are.

    Raises:
        InputError: no rows at all.
    """
    n_rows = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        for block in blocks:
            if block.empty:
                continue
            predictor.table(block, n_rows).to_csv(file, index=False, header=n_rows == 0)
            n_rows += len(block)
    if not n_rows:
        raise InputError("Expected a table with rows, got none; check the file.")
    return n_rows
