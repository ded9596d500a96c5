"""How many rows a covariance structure needs for an estimate that is not singular."""

from . import ALIASES
from .base import Family

LETTERS = {known: name for name, known in ALIASES.items()}


def least_rows(family: Family, n_components: int, n_columns: int) -> int:
    """Return a number of rows below which every division of them leaves a covariance singular.

    m rows in general position span m - 1 directions. A volume of its own needs two rows. A shape with
    axes needs all directions: from each component where everything is its own, else once, from any
    of them or from all together, as a component of a single row takes whatever shape.

    Args:
        family: the covariance family, without prior or regularisation.
        n_components: K.
        n_columns: D.
    """
    name = LETTERS.get(family.name, family.name)
    volume, shape, orientation = name[0], name[1], name[2]
    own_volumes = n_components * (2 if volume == "V" else 1)
    if n_columns == 1 or orientation == "I":
        return max(own_volumes, n_components + 1)
    if (volume, shape) == ("V", "V"):
        return n_components * (n_columns + 1)
    if orientation == "E":
        return max(own_volumes, n_components + n_columns)
    return own_volumes + n_columns - (1 if volume == "V" else 0)
