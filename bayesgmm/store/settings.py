"""Settings as JSON: records of known classes by name, hyperpriors by name and parameters.

Arrays among the settings (a given start, a prior mean) are kept aside, exact, under a name that
takes their place. Decoding builds the classes named here and no others.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..engines.em import EM
from ..engines.gibbs import Gibbs
from ..engines.nuts import NUTS
from ..engines.starts import PartialStart
from ..model.mixture import Diagonal, Full, Mixture, Spherical, Tied
from ..model.priors import IndependentNormalWishart, NormalInverseWishart
from ..model.spec import MixtureSpec
from ..model.weights import (
    Dirichlet,
    DirichletProcess,
    MixtureOfFiniteMixtures,
    SparseDirichlet,
)

RECORDS = {
    kind.__name__: kind
    for kind in (
        EM, Gibbs, NUTS, PartialStart, Full, Tied, Diagonal, Spherical, Mixture,
        NormalInverseWishart, IndependentNormalWishart, MixtureSpec,
        Dirichlet, SparseDirichlet, DirichletProcess, MixtureOfFiniteMixtures,
    )
}  # fmt: skip
DISTRIBUTIONS = (
    "Beta", "BetaNegativeBinomial", "BinomialLogits", "BinomialProbs", "CategoricalLogits",
    "CategoricalProbs", "Chi2", "DiscreteUniform", "Exponential", "FisherSnedecor", "Gamma",
    "GeometricLogits", "GeometricProbs", "HalfCauchy", "HalfNormal", "InverseGamma", "LogNormal",
    "NegativeBinomialLogits", "NegativeBinomialProbs", "Poisson", "Uniform", "Weibull", "Wishart",
)  # fmt: skip
# NumPyro keeps every form of a matrix that it was given in one; the constructor wants one.
PARAMETERS = {"Wishart": ("concentration", "rate_matrix")}


def encode(value: Any, arrays: dict[str, Any]) -> Any:
    """Turn settings into JSON; arrays move to ``arrays`` and leave their name.

    Raises:
        ValueError: a class that is not known here.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tuple) and all(isinstance(one, str) for one in value):
        return {"names": list(value)}
    if RECORDS.get(type(value).__name__) is type(value):
        fields = {name: encode(field, arrays) for name, field in fields_of(value).items()}
        return {"record": type(value).__name__, "fields": fields}
    if hasattr(value, "log_prob"):
        return encode_distribution(value, arrays)
    return {"array": set_aside(value, arrays)}


def fields_of(record: Any) -> dict[str, Any]:
    """Return the fields of a dataclass or named tuple by name."""
    if hasattr(record, "_asdict"):
        return record._asdict()
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}


def encode_distribution(value: Any, arrays: dict[str, Any]) -> dict[str, Any]:
    """Encode a distribution by its name and parameters."""
    name = type(value).__name__
    if name not in DISTRIBUTIONS or type(value) is not distribution_named(name):
        raise ValueError(
            f"Expected a hyperprior out of NumPyro's {list(DISTRIBUTIONS)}, got {name}: it cannot be "
            "written. Use one of these, or keep fit.mixture by itself."
        )
    names = PARAMETERS.get(name, tuple(type(value).arg_constraints))
    given = {p: np.asarray(getattr(value, p)) for p in names}
    parameters = {
        p: one.item() if one.ndim == 0 else {"array": set_aside(one, arrays)}
        for p, one in given.items()
    }
    return {"distribution": name, "parameters": parameters}


def distribution_named(name: str) -> Any:
    """Return a class of distributions."""
    # Imported on use: most files need no NumPyro.
    if name == "FisherSnedecor":
        from ..model.weights.snedecor import FisherSnedecor

        return FisherSnedecor
    import numpyro.distributions as dist

    return getattr(dist, name)


def set_aside(value: Any, arrays: dict[str, Any]) -> str:
    """Add an array to ``arrays`` and return the name it got."""
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"Expected settings made of numbers, names and records of bayesgmm, got {value!r}: it "
            "cannot be written. Pass an array of numbers."
        )
    name = f"settings:{len(arrays)}"
    arrays[name] = array
    return name


def decode(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """Invert ``encode``.

    Raises:
        ValueError: a class that is not known here.
    """
    if not isinstance(value, dict):
        return value
    if "names" in value:
        return tuple(value["names"])
    if "array" in value:
        return arrays[value["array"]]
    if "record" in value:
        fields = {name: decode(field, arrays) for name, field in value["fields"].items()}
        return RECORDS[known(value["record"], RECORDS)](**fields)
    kind = distribution_named(known(value["distribution"], DISTRIBUTIONS))
    return kind(**{name: decode(one, arrays) for name, one in value["parameters"].items()})


def known(name: str, names: Any) -> str:
    """Return a name of a class if it may be built."""
    if name not in names:
        raise ValueError(
            f"Expected a class out of {sorted(names)}, got {name!r} in the file. "
            "Read it with the version of bayesgmm that wrote it."
        )
    return name
