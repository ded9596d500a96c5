r"""What a picture looks at: one or two columns, or the rows' first two principal components.

Rows are seen at (x - centre) A; a component N(mu, Sigma) as N((mu - centre) A, A^T Sigma A).
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from ..result import Fit

Columns = Sequence[str] | Literal["pca"] | None


class View(NamedTuple):
    """A linear map from D columns to d axes.

    Attributes:
        names: what the axes show, d of them.
        matrix: A, (D, d).
        centre: what lies at the origin, (D,).
    """

    names: tuple[str, ...]
    matrix: np.ndarray
    centre: np.ndarray

    def rows(self, values: np.ndarray) -> np.ndarray:
        """Return rows (N, D) as they are seen, (N, d); NaN where a cell that matters is missing."""
        matters = self.matrix.any(1)
        return (values - self.centre)[:, matters] @ self.matrix[matters]


def view_of(fit: Fit, columns: Columns, most: int = 2) -> View:
    """Return the view that a user asks for: names of columns, "pca", or the first two by default.

    Raises:
        ValueError: unknown columns, more than ``most``, or principal components of one column.
    """
    if isinstance(columns, str) and columns == "pca":
        return principal_components(fit)
    names = fit.model.names
    wanted = list(names[:2]) if columns is None else list(columns)
    unknown = [name for name in wanted if name not in names]
    if unknown or not 1 <= len(wanted) <= most:
        number = "one or two" if most == 2 else f"one to {most}"
        raise ValueError(
            f"Expected columns to be {number} of {list(names)}, or 'pca', got {wanted}. "
            "Pass for instance columns=" + repr(list(names[-2:])) + "."
        )
    return column_view(fit, [names.index(name) for name in wanted])


def plane_of(fit: Fit, columns: Columns) -> View:
    """Return a view of two axes.

    Raises:
        ValueError: as ``view_of``, or a single column.
    """
    view = view_of(fit, columns)
    if len(view.names) != 2:
        raise ValueError(
            f"Expected two columns for a picture in the plane, got {list(view.names)}. Use "
            "bg.plots.clusters, which draws one."
        )
    return view


def column_view(fit: Fit, indices: Sequence[int]) -> View:
    """Return the view of some columns."""
    names = tuple(fit.model.names[index] for index in indices)
    matrix = np.eye(fit.model.n_columns)[:, list(indices)]
    return View(names, matrix, np.zeros(fit.model.n_columns))


def principal_components(fit: Fit) -> View:
    """Return the first two principal components of the standardised columns.

    From the whole rows, by their weights.
    """
    if fit.model.n_columns < 2:
        raise ValueError(
            f"Expected two columns or more for columns='pca', got {list(fit.model.names)}. Leave "
            "columns out."
        )
    is_whole = ~np.isnan(fit.data.values).any(1)
    rows = np.asarray(fit.data.values[is_whole], float)
    weights = np.ones(len(rows)) if fit.data.weights is None else fit.data.weights[is_whole]
    centre = np.average(rows, axis=0, weights=weights)
    scales = np.sqrt(np.average((rows - centre) ** 2, axis=0, weights=weights))
    standard = (rows - centre) / scales
    values, vectors = np.linalg.eigh(standard.T @ (standard * weights[:, None]) / weights.sum())
    shares, axes = values[::-1] / values.sum(), vectors[:, ::-1][:, :2]
    # An eigenvector has no sign: its largest entry is made positive.
    axes = axes * np.sign(axes[np.abs(axes).argmax(0), [0, 1]])
    names = tuple(f"principal component {i + 1} ({shares[i]:.0%})" for i in range(2))
    return View(names, axes / scales[:, None], centre)
