"""The door: ``select``."""

import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from ..api import check_seed, rows_in_memory, stamp
from ..data.dataset import Dataset
from ..engines.em import EM
from ..engines.restarts import agreement
from ..numerics.precision import in_float64
from ..numerics.programs import keep_room
from ..numerics.progress import tqdm
from ..numerics.warn import warn
from ..result import Fit, Outcome
from .folds import cross_validated
from .request import (
    Request,
    check_folds,
    check_numbers,
    check_start_name,
    check_structures,
    check_tolerance,
)
from .selection import Selection
from .sweep import Swept, n_restarts, sweep
from .table import COLUMN, records_of

# Differences of a criterion that mean nothing.
NEGLIGIBLE = 0.1
# Share of a winner's restarts that may have become singular.
MOST_LOST = 0.5


class SelectionWarning(UserWarning):
    """The winner of a sweep may not be the best model."""


@in_float64
def select(
    X: Any,
    n_components: int | Iterable[int] = range(1, 11),
    covariance_type: str | Iterable[str] = "full",
    *,
    n_init: int = 10,
    criterion: str = "bic",
    cv: int | None = None,
    init_params: str = "kmeans",
    tol: float = 1e-6,
    short_tol: float = 1e-3,
    max_iter: int = 1000,
    reg_covar: float = 1e-6,
    sample_weight: Any = None,
    labels: Any = None,
    seed: int = 0,
    progress: bool = True,
) -> Selection:
    """Fit a mixture for every number of components and covariance structure, and compare them.

    All restarts of all K are run by one program, compiled once for each structure. Each restart
    climbs until ``short_tol``; the best of each model then climbs on until ``tol``, so that criteria
    are compared at maxima.

    Args:
        X: rows (N, D): array, nested lists, data frame, or a Dataset; cells may be missing (NaN).
        n_components: numbers of components.
        covariance_type: names of covariance structures (see ``MixtureSpec``), or "all" for the
            fourteen of mclust.
        n_init: restarts of each model.
        criterion: what decides: "aic", "bic", "icl" or "cv", the cross-validated log-likelihood.
        cv: number of folds; None for none, or for five if they decide.
        init_params: how restarts begin: "kmeans" (k-means of all K and restarts side by side), or as in
            ``EM``: "k-means++", "random", "random_from_data", "hierarchical" (one tree for all K) or
            "annealed".
        tol: a fit ends when the mean log-likelihood per row changes by less.
        short_tol: the same for the climbs among which the best is found.
        max_iter: most updates.
        reg_covar: added to the diagonal of covariances, in squared units of the data.
        sample_weight: how many rows each row counts as, (N,), >= 0.
        labels: component of each row where it is known, 0, 1, ..., else -1, (N,).
        seed: seed of starts and folds.
        progress: whether to show a progress bar.

    Returns:
        The models: ``table``, ``best_``, ``fits`` and ``plot()``. After an interruption those that
        were fitted, the others with the reason.

    Raises:
        ValueError: data or settings that do not go together.
        TypeError: data that are not numbers.

    Warns:
        SelectionWarning: the winner lies at the end of the range tried, has not converged, lost most of
            its restarts, or is ahead by less than EM could still gain.
    """
    n_folds = check_folds(cv, criterion)
    check_start_name(init_params)
    request = Request(
        n_components=check_numbers(n_components),
        structures=check_structures(covariance_type),
        criterion=criterion,
        n_folds=n_folds,
        engine=EM(
            n_init=n_init, start=init_params, max_iter=max_iter, tol=tol, reg_covar=reg_covar
        ),
        short_tol=check_tolerance(short_tol),
        seed=check_seed(seed),
    )
    data = rows_in_memory(X, sample_weight, labels)
    require_rows_for_folds(data, n_folds)
    keep_room()
    begun = time.perf_counter()
    lanes = n_restarts(request, data) * len(request.n_components) * len(request.structures)
    with tqdm(total=lanes * (1 + n_folds), desc="select", disable=not progress, leave=False) as bar:
        swept = finished(sweep(request, data, bar))
        stopped = len(swept) < len(request.structures) or swept[-1].climbed.interrupted
        validated = {} if stopped or not n_folds else cross_validated(request, data, bar)
    records = records_of(request, data, swept, validated)
    origin = stamp(seed, time.perf_counter() - begun)
    fits = {
        (one.structure, size): replace(fit, provenance=origin)
        for one in swept
        for size, fit in one.climbed.fits.items()
        if size not in one.refused
    }
    found = Selection(records, criterion, fits, settings_of(request))
    return judged(found, swept, request)


def finished(sweeps: Iterable[Swept]) -> list[Swept]:
    """Return the structures that were finished before the user interrupted, if any."""
    done: list[Swept] = []
    try:
        for one in sweeps:
            done.append(one)
    except KeyboardInterrupt:
        if not done:
            raise
    return done


def require_rows_for_folds(data: Dataset, n_folds: int) -> None:
    """Raise unless every fold has a row that counts."""
    counted = data.n_rows if data.weights is None else int((data.weights > 0).sum())
    if n_folds > counted:
        raise ValueError(
            f"Expected cv to be at most the number of rows that count, {counted}, got {n_folds}. Pass fewer folds."
        )


def settings_of(request: Request) -> dict[str, Any]:
    """Return the settings as parameters of the estimator."""
    engine = request.engine
    return {
        "tol": engine.tol,
        "reg_covar": engine.reg_covar,
        "max_iter": engine.max_iter,
        "n_init": engine.n_init,
        "init_params": engine.start,
        "random_state": request.seed,
    }


def with_agreement(fit: Fit, swept: Swept) -> Fit:
    """Add how well the restarts of a fit agree with the best of them."""
    grid = swept.starts.grid
    lanes = grid.of(fit.model.n_components)
    # With their padding: one program for all K.
    restarts = jax.tree.map(lambda leaf: leaf[lanes], swept.climbed.state.mixture)
    best = int(fit.history["best_restart"])
    alike = np.asarray(agreement(fit.model.family, restarts, best, grid.rows))
    return replace(fit, history={**fit.history, "restart_agreement": alike})


def judged(found: Selection, all_swept: list[Swept], request: Request) -> Selection:
    """Complete the fit of the winner, and warn where it may not be one."""
    if np.isnan(found.deltas).all():
        return found
    structure, size = found.best
    swept = next(one for one in all_swept if one.structure == structure)
    best = with_agreement(found.fits[structure, size], swept)
    for doubt in doubts(found, request):
        warn(doubt, SelectionWarning)
    return replace(found, fits={**found.fits, (structure, size): best})


def doubts(found: Selection, request: Request) -> list[str]:
    """Return reasons to doubt the winner."""
    order = np.argsort(np.where(np.isnan(found.deltas), np.inf, found.deltas), kind="stable")
    first, *others = (found.records[index] for index in order)
    size, said = int(first["n_components"]), []
    tried = request.n_components
    if len(tried) > 1 and size == tried[-1]:
        said.append(
            f"The best number of components, {size}, is the largest tried. Extend n_components."
        )
    if first["status"] != Outcome.CONVERGED.value:
        said.append(f"The best model did not converge: {first['reason']}")
    said += lost_restarts(found.fits[found.best], first["covariance_type"])
    if others and request.criterion != "cv":
        gains = [row["remaining_gain"] for row in (first, others[0])]
        open_gain = 2 * float(np.nanmax([0.0, *gains]))
        if max(others[0]["delta"], NEGLIGIBLE) < open_gain:
            said.append(
                f"The best model is ahead by {others[0]['delta']:.2g} in {COLUMN[request.criterion]}, and "
                f"{open_gain:.2g} is still to be gained by EM. Lower tol and raise max_iter."
            )
    return said


def lost_restarts(best: Fit, structure: str) -> list[str]:
    """Return the doubt about a winner most of whose restarts became singular: it may be an accident."""
    lost = np.asarray(best.history["restart_collapsed"]) >= 0
    if lost.mean() <= MOST_LOST:
        return []
    return [
        f"{lost.sum()} of {lost.size} restarts of the best model, {structure} with "
        f"{best.model.n_components} components, became singular. Raise n_init, or try structures that "
        "share more."
    ]
