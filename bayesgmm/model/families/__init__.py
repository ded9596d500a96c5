"""Covariance families: one file each, one table of names.

``FAMILIES`` serve every engine and have a conjugate prior. ``CONSTRAINED`` have none: they are the
rest of the fourteen eigenvalue decompositions under the names of mclust (volume, shape, orientation:
E equal, V variable, I spherical or along the columns), of which four are families of the first table.
"""

from .base import Family
from .diagonal import DiagonalFamily
from .full import FullFamily
from .spherical import SphericalFamily
from .structures import (
    AllShared,
    AlongColumns,
    CommonAxes,
    FormShared,
    NothingShared,
    OwnAxes,
    ShapeShared,
    Spheres,
    VolumeShared,
)
from .tied import TiedFamily

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (FullFamily(), TiedFamily(), DiagonalFamily(), SphericalFamily())
}
CONSTRAINED: dict[str, Family] = {
    family.name: family
    for family in (
        SphericalFamily("EII", structure=Spheres(AllShared())),
        DiagonalFamily("EEI", structure=AlongColumns(AllShared())),
        DiagonalFamily("VEI", structure=AlongColumns(ShapeShared())),
        DiagonalFamily("EVI", structure=AlongColumns(VolumeShared())),
        FullFamily("VEE", structure=FormShared()),
        FullFamily("EVE", structure=CommonAxes(VolumeShared())),
        FullFamily("VVE", structure=CommonAxes(NothingShared())),
        FullFamily("EEV", structure=OwnAxes(AllShared())),
        FullFamily("VEV", structure=OwnAxes(ShapeShared())),
        FullFamily("EVV", structure=OwnAxes(VolumeShared())),
    )
}
ALIASES = {"VII": "spherical", "VVI": "diag", "EEE": "tied", "VVV": "full"}
BY_NAME = FAMILIES | CONSTRAINED | {alias: FAMILIES[name] for alias, name in ALIASES.items()}


def family_named(name: str) -> Family:
    """Return the family with a name, scikit-learn's or mclust's.

    Raises:
        ValueError: unknown name.
    """
    if not isinstance(name, str) or name not in BY_NAME:
        raise ValueError(
            f"Expected a covariance structure out of {sorted(BY_NAME)}, got {name!r}. Choose one of these names."
        )
    return BY_NAME[name]


__all__ = ["BY_NAME", "CONSTRAINED", "FAMILIES", "Family", "family_named"]
