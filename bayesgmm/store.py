"""Fits in files: netCDF through xarray, readable by ArviZ, never pickle.

A file holds the groups of ``to_datatree`` and one more, ``bayesgmm``, with the exact arrays and a
JSON header. Loading reads numbers and rebuilds records of known classes; it executes nothing.
"""

import dataclasses
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from .data.affine import Affine
from .data.dataset import Dataset
from .diagnostics.datatree import to_datatree
from .engines.em import EM
from .engines.nuts import NUTS
from .engines.starts import PartialStart
from .model.families import family_named
from .model.mixture import Diagonal, Full, Mixture, Spherical, Tied
from .model.priors import NormalInverseWishart
from .model.resolved import Model
from .model.spec import MixtureSpec
from .model.weights import Dirichlet, DirichletProcess, SparseDirichlet
from .result import Fit, Outcome, Provenance, Status

FORMAT = 1
GROUP = "bayesgmm"
RECORDS = {
    kind.__name__: kind
    for kind in (
        EM, NUTS, PartialStart, Full, Tied, Diagonal, Spherical, Mixture,
        NormalInverseWishart, MixtureSpec, Dirichlet, SparseDirichlet, DirichletProcess,
    )
}  # fmt: skip
DISTRIBUTIONS = (
    "Beta", "Exponential", "Gamma", "HalfCauchy", "HalfNormal", "InverseGamma", "LogNormal",
    "Uniform", "Weibull",
)  # fmt: skip
OPTIONAL = ("log_prior", "counts", "concentration", "label_key")


def save(fit: Fit, path: Any) -> None:
    """Save a fit as netCDF. The file appears whole or not at all.

    Args:
        fit: any fit.
        path: where to; an existing file is replaced.

    Raises:
        ValueError: a hyperprior that cannot be written.
        OSError: a place that cannot be written to.
    """
    path = Path(path)
    tree = to_datatree(fit)
    tree[GROUP] = xr.DataTree(exact_arrays(fit))
    tree.attrs["bayesgmm_header"] = json.dumps(header(fit))
    handle, temporary = tempfile.mkstemp(suffix=".nc", dir=path.parent or ".")
    os.close(handle)
    try:
        tree.to_netcdf(temporary, engine="h5netcdf")
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


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
    found = json.loads(tree.attrs["bayesgmm_header"])
    if found["format"] != FORMAT:
        raise ValueError(
            f"Expected file format {FORMAT}, got {found['format']} in {path}. Read it with the version "
            "of bayesgmm that wrote it."
        )
    arrays = {str(name): value.to_numpy() for name, value in tree[GROUP].variables.items()}
    values = tree["observed_data"]["x"].to_numpy()
    return build_fit(found, arrays, values)


def read_tree(path: Path) -> xr.DataTree:
    """Read a file whole, or say why it is not one of ours."""
    try:
        with xr.open_datatree(path, engine="h5netcdf") as opened:
            tree = opened.load()
    except (OSError, KeyError, ValueError) as error:
        raise ValueError(
            f"Expected a netCDF file written by bg.save, got an unreadable one at {path} ({error}). "
            "It may be truncated: save the fit again."
        ) from error
    if "bayesgmm_header" not in tree.attrs or GROUP not in tree.children:
        raise ValueError(
            f"Expected a file written by bg.save, got another netCDF file at {path}. "
            "Open it with xarray.open_datatree."
        )
    return tree


def exact_arrays(fit: Fit) -> xr.Dataset:
    """Return every array of a fit under its own name and dimensions."""
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
    if fit.model.prior is not None:
        arrays |= prefixed("prior", fit.model.prior._asdict())
    present = {name: getattr(fit, name) for name in OPTIONAL}
    arrays |= {name: value for name, value in present.items() if value is not None}
    return xr.Dataset({name: _variable(name, value) for name, value in arrays.items()})


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


def header(fit: Fit) -> dict[str, Any]:
    """Return what is not an array."""
    return {
        "format": FORMAT,
        "kind": fit.kind,
        "names": list(fit.data.names),
        "named": fit.data.named,
        "spec": encode(fit.model.spec),
        "weights": encode(fit.model.weights),
        "engine": encode(fit.engine),
        "status": [fit.status.outcome.value, fit.status.message],
        "provenance": None if fit.provenance is None else dataclasses.asdict(fit.provenance),
    }


def build_fit(found: dict[str, Any], arrays: dict[str, np.ndarray], values: np.ndarray) -> Fit:
    """Put a fit together from a header and arrays."""
    spec = decode(found["spec"])
    family = family_named(spec.covariance)
    data = Dataset(values, tuple(found["names"]), found["named"])
    affine = Affine(arrays["affine_centre"], arrays["affine_scale"])
    prior = unprefixed("prior", arrays)
    model = Model(
        spec=spec,
        family=family,
        n_components=spec.size,
        names=data.names,
        named=data.named,
        dtype=data.dtype,
        affine=affine,
        weights=decode(found["weights"]),
        prior=family.prior(**prior) if prior else None,
        prior_in_data_units=unprefixed("shown", arrays),
    )
    record = unprefixed("covariance", arrays)
    scaled: Any = (arrays["log_weights"], arrays["means"], family.record(**record))
    outcome, message = found["status"]
    stamp = found["provenance"]
    return Fit(
        model=model,
        data=data,
        engine=decode(found["engine"]),
        kind=found["kind"],
        scaled=Mixture(*scaled),
        log_likelihood=arrays["log_likelihood"],
        status=Status(Outcome(outcome), message),
        history=unprefixed("history", arrays),
        sample_stats=unprefixed("stats", arrays),
        provenance=None if stamp is None else Provenance(**stamp),
        **{name: arrays.get(name) for name in OPTIONAL},
    )


def encode(value: Any) -> Any:
    """Turn a settings record into JSON, its class by name."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if type(value).__name__ in RECORDS:
        return {"record": type(value).__name__, "fields": encode_fields(value)}
    if hasattr(value, "log_prob"):
        return encode_distribution(value)
    if isinstance(value, np.generic):
        return value.item()
    return {"array": np.asarray(value).tolist(), "dtype": str(np.asarray(value).dtype)}


def encode_fields(record: Any) -> dict[str, Any]:
    """Encode the fields of a dataclass or named tuple."""
    if hasattr(record, "_asdict"):
        return {name: encode(field) for name, field in record._asdict().items()}
    return {f.name: encode(getattr(record, f.name)) for f in dataclasses.fields(record)}


def encode_distribution(value: Any) -> dict[str, Any]:
    """Encode a NumPyro distribution by its name and parameters."""
    name = type(value).__name__
    if name not in DISTRIBUTIONS:
        raise ValueError(
            f"Expected a hyperprior out of {list(DISTRIBUTIONS)}, got {name}: it cannot be written. "
            "Save fit.mixture and the rest yourself, or use one of these."
        )
    parameters = {p: float(getattr(value, p)) for p in type(value).arg_constraints}
    return {"distribution": name, "parameters": parameters}


def decode(value: Any) -> Any:
    """Invert ``encode``; only classes named in this file are built."""
    if not isinstance(value, dict):
        return value
    if "array" in value:
        return np.asarray(value["array"], value["dtype"])
    if "record" in value:
        return RECORDS[value["record"]](**{n: decode(v) for n, v in value["fields"].items()})
    if value["distribution"] not in DISTRIBUTIONS:
        raise ValueError(
            f"Expected a hyperprior out of {list(DISTRIBUTIONS)}, got {value['distribution']!r}. "
            "The file was not written by this version."
        )
    # Imported on use: most files need no NumPyro.
    import numpyro.distributions as dist

    return getattr(dist, value["distribution"])(**value["parameters"])
