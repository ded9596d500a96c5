r"""Data for which a random scale of the covariances leaves the posterior without a finite integral.

Under a fixed scale the prior of a covariance falls like exp(-tr(C Sigma^-1) / 2) where Sigma turns
singular. Under a random one it falls as a power only. Let C = c S and Sigma = c T with c -> 0 for one
component of m equal rows, K+ - 1 others holding the rest; with a Wishart of ``a`` degrees of freedom for
C and inverse Wisharts of ``nu``

    p(c) ~ c^(D (a + nu (K+ - 1) - (m - 1)) / 2 - 1),

which has no finite integral at zero if m - 1 >= a + nu (K+ - 1); K+ = 2 comes first. With a gamma of shape
s, 2 s stands for a, and one variance for all columns divides the right side by D. A conjugate prior holds
the direction from its mean to the rows, and counts the mean as one row more in the others:

    p(c) ~ c^((D - 1) (a + nu (K+ - 1) - m) / 2 - 1).

Rows of a plane do the same across it, whatever K+ if all rows lie in one.
"""

import numpy as np

from ..data.dataset import DataWarning
from ..data.tabular import Table
from ..numerics.warn import warn
from .families import Family

# Rows looked at first; all of them where these leave a doubt.
MOST_ROWS = 10_000
# Rounding makes equal rows too; so large a share of all rows is a spike.
SPIKE = 0.05
# Smallest eigenvalue of a correlation matrix of doubles, in units of its rounding.
ROUNDING = 10.0
# Part of a column in the combination that vanishes, from which on it is named.
LOADING = 0.05


def check_propriety(
    family: Family, numbers: dict[str, np.ndarray], data: Table, n_components: int
) -> None:
    """Refuse columns that determine each other; warn of many equal rows, and of columns with few values.

    Args:
        family: the covariance family.
        numbers: those of the prior; with a fixed scale all data are well.
        data: the rows.
        n_components: K, or its bound.

    Raises:
        ValueError: columns of which some are linear combinations of others.

    Warns:
        DataWarning: so many equal rows, or so few values, that the posterior has no finite integral.
    """
    if "scale" in numbers:
        return
    few = data.values[data.representative(MOST_ROWS)]
    if family.name in ("full", "tied"):
        require_rank(few, data)
    most = most_equal_rows(family, numbers, data.n_columns)
    if family.name != "spherical":
        warn_of_few_values(few, data, most, n_components)
    if can_shrink(family, numbers, data.n_columns):
        warn_of_spike(few, data, most)


def can_shrink(family: Family, numbers: dict[str, np.ndarray], n_columns: int) -> bool:
    """Say whether a component of equal rows can shrink to them in every or nearly every direction.

    A conjugate prior ties a covariance to how far the mean is from its own, which holds one direction,
    and by it all directions of a structure without correlations.
    """
    is_conjugate = "mean_precision" in numbers
    return family.name == "full" and n_columns > 1 if is_conjugate else family.name != "tied"


def require_rank(few: np.ndarray, data: Table) -> None:
    """Raise if the rows lie in a plane of fewer dimensions; some of them (n, D) may show that they do not.

    Of rows with missing cells nothing can be said where the others lie in a plane.
    """
    if data.n_columns == 1 or flat_direction(few) is None or data.has_missing:
        return
    flat = flat_direction(data.values if data.weights is None else data.values[data.weights > 0])
    if flat is None:
        return
    named = [name for name, part in zip(data.names, np.abs(flat), strict=True) if part > LOADING]
    raise ValueError(
        f"Expected columns none of which is a linear combination of others, got {named}: across the plane "
        "of such rows a covariance can shrink for ever, and under a prior with random scale little or "
        "nothing stops it. Drop one of these columns, or state the scale of the covariances in squared units of "
        "the data (scale= of the prior; covariance_prior= of the estimator)."
    )


def flat_direction(values: np.ndarray) -> np.ndarray | None:
    """Return the direction in which standardised rows (N, D) vary by no more than rounding, (D,), or None."""
    whole = values[~np.isnan(values).any(1)].astype(float)
    if len(whole) <= values.shape[1]:
        return None
    spread = np.where(whole.std(0) > 0, whole.std(0), 1.0)
    standard = (whole - whole.mean(0)) / spread
    eigenvalues, directions = np.linalg.eigh(standard.T @ standard / len(whole))
    # Cells are rounded to multiples of their spacing: variance spacing^2 / 12, and twice that to be safe.
    spacing = np.finfo(values.dtype).eps * np.abs(whole).max(0) / spread
    rounding = max(ROUNDING * values.shape[1] * np.finfo(float).eps, float((spacing**2 / 6).max()))
    return directions[:, 0] if eigenvalues[0] <= rounding else None


def most_equal_rows(family: Family, numbers: dict[str, np.ndarray], n_columns: int) -> float:
    """Return what m - 1 equal rows must stay below for a finite integral with K+ = 2."""
    nu = float(numbers["degrees_of_freedom"])
    if "scale_degrees_of_freedom" in numbers:
        counted_as_row = 1 if "mean_precision" in numbers else 0
        return float(numbers["scale_degrees_of_freedom"]) + nu - counted_as_row
    shared = n_columns if family.name == "spherical" else 1
    return (2 * float(numbers["scale_shape"]) + nu) / shared


def warn_of_few_values(few: np.ndarray, data: Table, most: float, n_components: int) -> None:
    """Warn of columns, seen at some rows (N, D), with a component for each value and many rows there."""
    numbers = [len(np.unique(column[~np.isnan(column)])) for column in few.T]
    found = [
        f"{name} ({number})"
        for name, number in zip(data.names, numbers, strict=True)
        if number <= n_components and data.total_weight > number * (most + 1)
    ]
    if found:
        warn_of_shrinking(
            f"Few values in columns {', '.join(found)}: components can shrink to one of them each"
        )


def warn_of_spike(few: np.ndarray, data: Table, most: float) -> None:
    """Warn if a large share of the rows, seen at some (N, D), are equal, more than ``most`` + 1 in all."""
    distinct, counts = np.unique(few, axis=0, return_counts=True)
    row = distinct[counts.argmax()]
    if counts.max() < SPIKE * len(few) or np.isnan(row).any():
        return
    is_equal = (data.values == row).all(1)
    number = float(is_equal.sum() if data.weights is None else data.weights[is_equal].sum())
    if number - 1 >= most:
        cells = ", ".join(f"{name}={x:g}" for name, x in zip(data.names, row, strict=True))
        warn_of_shrinking(
            f"{number:g} rows are equal ({cells}): a component can shrink to this point"
        )


def warn_of_shrinking(found: str) -> None:
    """Warn of what was found, and say what it does."""
    warn(
        f"{found} for ever, and under a prior with random scale the posterior need have no finite integral. Draws "
        "are good only as long as that does not happen (see bg.diagnose); leave this out or describe it "
        "apart, or state the scale of the covariances in squared units of the data (scale= of the prior; "
        "covariance_prior= of the estimator).",
        DataWarning,
    )
