"""Covariance families: one file each, one table of names."""

from .base import Family
from .diagonal import DiagonalFamily
from .full import FullFamily
from .spherical import SphericalFamily
from .tied import TiedFamily

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (FullFamily(), TiedFamily(), DiagonalFamily(), SphericalFamily())
}


def family_named(name: str) -> Family:
    """Return the family with a name.

    Raises:
        ValueError: unknown name.
    """
    if not isinstance(name, str) or name not in FAMILIES:
        raise ValueError(
            f"Expected a covariance structure out of {sorted(FAMILIES)}, got {name!r}. Choose one of these names."
        )
    return FAMILIES[name]


__all__ = ["FAMILIES", "Family", "family_named"]
