"""The sweep itself: every structure at every K, on one data set."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..data.dataset import Dataset
from ..engines.em import EM
from ..engines.em_grid import Climbed, climb_structure
from ..engines.grid import grid_of
from ..engines.grid_starts import Starts, starts_of
from ..engines.starts import is_settled, points_of
from ..model.resolved import Model, resolve
from .request import Request


class Swept(NamedTuple):
    """One structure of a sweep.

    Attributes:
        structure: its name.
        climbed: the fits by K.
        starts: where they began.
        refused: reasons against the numbers of components that were not tried.
    """

    structure: str
    climbed: Climbed
    starts: Starts
    refused: Mapping[int, str]


def sweep(request: Request, data: Dataset, bar: Any = None) -> Iterator[Swept]:
    """Fit all models, a structure at a time; ends early when the user interrupts."""
    data.require_labels_below(min(request.n_components))
    refused = too_many(request, data)
    tried = [size for size in request.n_components if size not in refused]
    if not tried:
        raise ValueError(next(iter(refused.values())))
    engine = request.engine
    grid = grid_of(data, tried, n_restarts(request, data))
    starts = starts_of(engine, data, grid, request.seed)
    for structure in request.structures:
        models = {size: resolve(request.spec(size, structure), data) for size in tried}
        climbed = climb_structure(engine, models, starts, request.short_tol, bar)
        yield Swept(structure, climbed, starts, refused | too_few(engine, models, data))
        if climbed.interrupted:
            return


def n_restarts(request: Request, data: Dataset) -> int:
    """Return the number of restarts that differ."""
    return 1 if is_settled(request.engine.start, points_of(data)) else request.engine.n_init


def too_few(engine: EM, models: Mapping[int, Model], data: Dataset) -> dict[int, str]:
    """Return reasons against models that need more rows than there are."""
    reasons = {}
    for size, model in models.items():
        try:
            engine.require_rows(model, data)
        except ValueError as error:
            reasons[size] = str(error)
    return reasons


def too_many(request: Request, data: Dataset) -> dict[int, str]:
    """Return reasons against numbers of components that exceed the number of distinct rows."""
    reasons = {}
    for size in request.n_components:
        try:
            data.require_distinct_rows(size)
        except ValueError as error:
            reasons[size] = str(error)
    return reasons


def criteria_of(swept: Swept, data: Dataset) -> dict[int, dict[str, float]]:
    """Return log-likelihood and criteria by K, as ``information_criteria`` defines them."""
    found = {}
    for size, sums in swept.climbed.row_sums(swept.starts.grid.rows._replace(labels=None)).items():
        if size in swept.refused:
            continue
        fit = swept.climbed.fits[size]
        unit = data.total_cells * np.log(fit.model.affine.scale)
        log_likelihood, completed = (float(total - unit) for total in sums)
        n_parameters = fit.n_parameters
        penalty = n_parameters * np.log(data.total_weight)
        found[size] = {
            "aic": -2 * log_likelihood + 2 * n_parameters,
            "bic": -2 * log_likelihood + penalty,
            "icl": -2 * completed + penalty,
            "log_likelihood": log_likelihood,
        }
    return found
