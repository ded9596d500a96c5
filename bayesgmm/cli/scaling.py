"""Standardised columns: each centred and divided by its standard deviation before the fit.

What was done is kept inside the file of the fit, as an attribute that ``bg.load`` passes over, so that
``bayesgmm predict`` does the same to new rows however the file is moved.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .columns import listed
from .refusal import InputError

if TYPE_CHECKING:
    import numpy as np

    from ..data.dataset import Dataset
    from ..result import Fit

ATTRIBUTE = "bayesgmm_scaling"


@dataclass(frozen=True)
class Scaling:
    """How columns were standardised.

    Attributes:
        names: the columns, D strings.
        centre: their means over observed cells, (D,).
        sd: their standard deviations over observed cells, (D,), > 0.
    """

    names: tuple[str, ...]
    centre: tuple[float, ...]
    sd: tuple[float, ...]

    def forward(self, values: np.ndarray) -> np.ndarray:
        """Standardise rows (M, D)."""
        import numpy as np

        return (values - np.array(self.centre)) / np.array(self.sd)

    def log_volume(self, values: np.ndarray) -> np.ndarray:
        """Return the log of the product of ``sd`` over the observed cells of rows (M, D), (M,)."""
        import numpy as np

        return np.where(np.isnan(values), 0.0, np.log(np.array(self.sd))).sum(1)

    def as_text(self) -> str:
        """Return it as JSON."""
        return json.dumps({"names": self.names, "centre": self.centre, "sd": self.sd})


def standardised(data: Dataset) -> tuple[Dataset, Scaling]:
    """Return the standardised rows and how they came about.

    Raises:
        InputError: columns without spread.
    """
    import numpy as np

    from ..data.dataset import Dataset

    values = np.asarray(data.values, float)
    centre, sd = np.nanmean(values, 0), np.nanstd(values, 0)
    constant = [
        name for name, column in zip(data.names, values.T, strict=True) if not np.nanstd(column) > 0
    ]
    if constant:
        raise InputError(
            f"Expected columns that vary for --standardize, got a constant one: {listed(constant)}; "
            "leave it out with --columns."
        )
    scaling = Scaling(data.names, tuple(centre.tolist()), tuple(sd.tolist()))
    names = data.names if data.named else None
    return Dataset.from_array(scaling.forward(values), names), scaling


def keep_scaling(scaling: Scaling | None, path: Path) -> None:
    """Write it into the file of a fit, if there is any."""
    if scaling is None:
        return
    import h5netcdf

    with h5netcdf.File(path, "r+") as file:
        file.attrs[ATTRIBUTE] = scaling.as_text()


def scaling_of(path: Path, fit: Fit) -> Scaling | None:
    """Return how the columns of a fit were standardised, None if they were not.

    Raises:
        InputError: what the file says cannot be true.
    """
    import h5netcdf

    with h5netcdf.File(path, "r") as file:
        text = file.attrs.get(ATTRIBUTE)
    if text is None:
        return None
    try:
        scaling = scaling_from(json.loads(text))
    except (ValueError, TypeError, KeyError) as error:
        raise broken(path, f"{type(error).__name__} {error}") from error
    if scaling.names != fit.data.names:
        raise broken(path, f"columns {listed(scaling.names)}")
    return scaling


def scaling_from(found: dict[str, Any]) -> Scaling:
    """Return a scaling out of JSON; raise unless its numbers can be used."""
    import numpy as np

    centre, sd = np.array(found["centre"], float), np.array(found["sd"], float)
    n_columns = len(found["names"])
    if not (centre.shape == sd.shape == (n_columns,) and np.isfinite(centre).all()):
        raise ValueError("a centre that is not a number per column")
    if not (np.isfinite(sd).all() and (sd > 0).all()):
        raise ValueError("a standard deviation that is not positive")
    return Scaling(tuple(map(str, found["names"])), tuple(centre.tolist()), tuple(sd.tolist()))


def broken(path: Path, what: str) -> InputError:
    """Return the refusal of a scaling."""
    return InputError(
        f"Expected {path} to tell how the columns of its fit were standardised, got {what}; fit again with "
        "--standardize."
    )
