"""Fits in files: netCDF through xarray, readable by ArviZ, never pickle.

A file holds the groups of ``to_datatree`` and one more, ``bayesgmm``, with the exact arrays; what
is not an array is a JSON header among the file's attributes. Loading reads numbers and rebuilds
records of known classes; it executes nothing and resolves nothing anew.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..data.affine import Affine
from ..data.dataset import Dataset
from ..data.sources import Source, left_behind
from ..data.tabular import Table
from ..diagnostics.datatree import to_datatree
from ..model.components import GammaScale, IndependentPrior, WishartScale
from ..model.families import Family, family_named
from ..model.mixture import Mixture
from ..model.resolved import Model
from ..numerics.durable import check_folder, whole_file
from ..result import Fit, Outcome, Provenance, Status
from .settings import decode, encode

FORMAT = 1
GROUP = "bayesgmm"
HEADER = "bayesgmm_header"
VERSION = "bayesgmm_format"
MARKS = ("weights", "labels", "places")
OPTIONAL = ("log_prior", "counts", "concentration", "scale", "n_components", "label_key")


def save(fit: Fit, path: Any) -> None:
    """Save a fit as netCDF. The file appears whole or not at all.

    Args:
        fit: any fit.
        path: where to; an existing file is replaced.

    Raises:
        ValueError: a hyperprior or a setting that cannot be written.
        OSError: a place that cannot be written to, or no such folder.
    """
    path = Path(path)
    check_folder(path, "fit.nc")
    tree = to_datatree(fit.sampled, log_likelihood=False, posterior_predictive=0, prior=0)
    arrays = exact_arrays(fit)
    tree.attrs |= {HEADER: json.dumps(header(fit, arrays)), VERSION: FORMAT}
    tree[GROUP] = xr.DataTree(
        xr.Dataset({name: _variable(name, value) for name, value in arrays.items()})
    )
    with whole_file(path) as place:
        tree.to_netcdf(place, engine="h5netcdf")


def load(path: Any) -> Fit:
    """Load a fit that ``save`` wrote.

    Args:
        path: the file.

    Returns:
        The fit, bit for bit.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a truncated file, or one of another origin or format.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"Expected a fit at {path}, got no such file. Check the path.")
    tree = read_tree(path)
    if tree.attrs[VERSION] != FORMAT:
        raise ValueError(
            f"Expected file format {FORMAT}, got {tree.attrs[VERSION]} in {path}. Read it with the "
            "version of bayesgmm that wrote it."
        )
    arrays = {str(name): value.to_numpy() for name, value in tree[GROUP].variables.items()}
    try:
        values = tree["observed_data"]["x"].to_numpy()
        return build_fit(json.loads(tree.attrs[HEADER]), arrays, values)
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"Expected a complete fit of format {FORMAT}, got parts that do not fit together in {path} "
            f"({error!r}). Save the fit again with this version of bayesgmm."
        ) from error


def read_tree(path: Path) -> xr.DataTree:
    """Read a file whole, or say why it is not one of ours."""
    try:
        with xr.open_datatree(path, engine="h5netcdf") as opened:
            tree = opened.load()
    except PermissionError:
        raise
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"Expected a netCDF file written by bg.save, got an unreadable one at {path} ({error}). "
            "It may be truncated, or no netCDF file: save the fit again."
        ) from error
    if not {HEADER, VERSION} <= set(tree.attrs) or GROUP not in tree.children:
        raise ValueError(
            f"Expected a file written by bg.save, got another netCDF file at {path}. "
            "Open it with xarray.open_datatree."
        )
    return tree


def exact_arrays(fit: Fit) -> dict[str, Any]:
    """Return every array of a fit under its own name."""
    arrays = {
        "log_weights": fit.scaled.log_weights,
        "means": fit.scaled.means,
        "log_likelihood": fit.log_likelihood,
        "affine_centre": fit.model.affine.centre,
        "affine_scale": fit.model.affine.scale,
    }
    arrays |= prefixed("covariance", fit.scaled.covariance._asdict())
    arrays |= prefixed("history", fit.history) | prefixed("stats", fit.sample_stats)
    arrays |= prefixed("shown", fit.model.prior_in_data_units)
    arrays |= prefixed("prior", prior_arrays(fit.model.prior))
    if fit.model.scale_prior is not None:
        arrays |= prefixed("scale_prior", fit.model.scale_prior._asdict())
    marks = {name: getattr(fit.data.sample, name) for name in MARKS}
    arrays |= prefixed("rows", {name: mark for name, mark in marks.items() if mark is not None})
    present = {name: getattr(fit, name) for name in OPTIONAL}
    return arrays | {name: value for name, value in present.items() if value is not None}


def prior_arrays(prior: Any) -> dict[str, Any]:
    """Return the numbers of a prior of the components."""
    if prior is None:
        return {}
    if isinstance(prior, IndependentPrior):
        return prior.base._asdict() | {"mean_chol": prior.mean_chol}
    return prior._asdict()


def prior_from(family: Family, arrays: dict[str, Any]) -> Any:
    """Invert ``prior_arrays``."""
    if not arrays:
        return None
    factor = arrays.pop("mean_chol", None)
    base = family.prior(**arrays)
    return base if factor is None else IndependentPrior(base, factor)


def scale_prior_from(arrays: dict[str, Any]) -> WishartScale | GammaScale | None:
    """Return the hyperprior of the scale out of its numbers."""
    if not arrays:
        return None
    return GammaScale(**arrays) if "shape" in arrays else WishartScale(**arrays)


def _variable(name: str, value: Any) -> xr.Variable:
    value = np.asarray(value)
    return xr.Variable([f"{name}_{axis}" for axis in range(value.ndim)], value)


def prefixed(prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Put a prefix before the names of arrays."""
    return {f"{prefix}:{name}": value for name, value in values.items()}


def unprefixed(prefix: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Pick the arrays with a prefix and take it off."""
    start = f"{prefix}:"
    return {n.removeprefix(start): value for n, value in arrays.items() if n.startswith(start)}


def header(fit: Fit, arrays: dict[str, Any]) -> dict[str, Any]:
    """Return what is not an array; arrays among the settings are added to ``arrays``."""
    return {
        "kind": fit.kind,
        "names": list(fit.data.names),
        "named": fit.data.named,
        "streamed": fit.data.n_rows if isinstance(fit.data, Source) else None,
        "spec": encode(fit.model.spec, arrays),
        "weights": encode(fit.model.weights, arrays),
        "engine": encode(fit.engine, arrays),
        "status": [fit.status.outcome.value, fit.status.message],
        "provenance": None if fit.provenance is None else dataclasses.asdict(fit.provenance),
    }


def build_fit(found: dict[str, Any], arrays: dict[str, np.ndarray], values: np.ndarray) -> Fit:
    """Put a fit together from a header and arrays."""
    spec = decode(found["spec"], arrays)
    family = family_named(spec.covariance)
    marks = unprefixed("rows", arrays)
    rows = Dataset(values, tuple(found["names"]), found["named"], **marks)
    affine = Affine(arrays["affine_centre"], arrays["affine_scale"])
    # Sums over rows in another memory order round differently: keep the affine map of the fit.
    vars(rows)["affine"] = affine
    data: Table = rows
    if found.get("streamed") is not None:
        data = left_behind(rows, found["streamed"])
    model = Model(
        spec=spec,
        family=family,
        n_components=spec.size,
        names=data.names,
        named=data.named,
        dtype=data.dtype,
        affine=affine,
        weights=decode(found["weights"], arrays),
        prior=prior_from(family, unprefixed("prior", arrays)),
        prior_in_data_units=unprefixed("shown", arrays),
        scale_prior=scale_prior_from(unprefixed("scale_prior", arrays)),
    )
    record = unprefixed("covariance", arrays)
    scaled: Any = (arrays["log_weights"], arrays["means"], family.record(**record))
    outcome, message = found["status"]
    stamp = found["provenance"]
    return Fit(
        model=model,
        data=data,
        engine=decode(found["engine"], arrays),
        kind=found["kind"],
        scaled=Mixture(*scaled),
        log_likelihood=arrays["log_likelihood"],
        status=Status(Outcome(outcome), message),
        history=unprefixed("history", arrays),
        sample_stats=unprefixed("stats", arrays),
        provenance=None if stamp is None else Provenance(**stamp),
        **{name: arrays.get(name) for name in OPTIONAL},
    )
