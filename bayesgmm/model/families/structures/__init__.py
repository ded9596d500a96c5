"""Covariance structures: how volumes, shapes and orientations are shared, one file per idea."""

from .axes import AlongColumns, OwnAxes, Spheres, Unconstrained
from .base import Structure
from .common_axes import CommonAxes
from .equal_shape import FormShared, ShapeShared
from .variances import AllShared, NothingShared, VolumeShared

__all__ = [
    "AllShared",
    "AlongColumns",
    "CommonAxes",
    "FormShared",
    "NothingShared",
    "OwnAxes",
    "ShapeShared",
    "Spheres",
    "Structure",
    "Unconstrained",
    "VolumeShared",
]
