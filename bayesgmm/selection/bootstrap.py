"""Is one component more than K worth it? The likelihood-ratio test by parametric bootstrap.

The statistic 2 (log L_{K+1} - log L_K) has no chi-squared law: under the smaller model the larger one is not
identified. Its law is that of data drawn from the fitted smaller model (McLachlan 1987, Applied
Statistics 36, 318-324). Data sets of one size share their compiled programs.
"""

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ..api import check_seed, rows_in_memory
from ..data.dataset import Dataset, DataWarning
from ..engines.em import EM
from ..numerics.precision import in_float64
from ..numerics.programs import keep_room
from ..numerics.progress import tqdm
from ..numerics.warn import warn
from ..posterior.density import draw_rows
from ..result import Fit
from .request import (
    Request,
    check_numbers,
    check_start_name,
    check_structures,
    check_tolerance,
)
from .sweep import sweep

LEVEL = 0.05


@dataclass(frozen=True)
class LikelihoodRatioTest:
    """Tests of K against K + 1 components, K ascending until one is not rejected.

    Attributes:
        table: a row per test, index K: ``statistic``, ``p_value``, ``n_bootstrap`` (data sets that count) and
            ``n_failed`` (that a model could not be fitted to).
        bootstrap: statistics of the drawn data sets by K, (n_bootstrap,) each.
        level: p-values up to this reject K.
        interrupted: whether the user stopped the run.
    """

    table: pd.DataFrame
    bootstrap: Mapping[int, np.ndarray]
    level: float
    interrupted: bool = False

    @property
    def n_components(self) -> int | None:
        """The smallest K that was not rejected; None if all were."""
        kept = self.table.index[self.table["p_value"] > self.level]
        return int(kept[0]) if len(kept) else None

    def __repr__(self) -> str:
        """Say which K is kept."""
        if self.table.empty:
            return "LikelihoodRatioTest(interrupted before the first test was finished)"
        found = "all rejected" if self.n_components is None else f"{self.n_components} not rejected"
        return f"LikelihoodRatioTest(K = {', '.join(map(str, self.table.index))}: {found})"


@in_float64
def bootstrap_lrt(
    X: Any,
    n_components: int | Iterable[int] = range(1, 10),
    covariance_type: str = "full",
    *,
    n_bootstrap: int = 199,
    level: float = LEVEL,
    n_init: int = 5,
    init_params: str = "kmeans",
    tol: float = 1e-6,
    short_tol: float = 1e-3,
    max_iter: int = 1000,
    reg_covar: float = 1e-6,
    seed: int = 0,
    progress: bool = True,
) -> LikelihoodRatioTest:
    """Test K components against K + 1, for K ascending, until K is not rejected.

    Args:
        X: rows (N, D): array, nested lists, data frame, or a Dataset; cells may be missing (NaN) and
            are then missing in the drawn data sets as well.
        n_components: the numbers K to test, in ascending order; a single one is one test.
        covariance_type: the covariance structure (see ``MixtureSpec``).
        n_bootstrap: data sets drawn for each test; p-values are multiples of 1 / (n_bootstrap + 1).
        level: a p-value up to this rejects K.
        n_init: restarts of each model, on the rows and on each drawn data set.
        init_params: how restarts begin, as in ``select``.
        tol: a fit ends when the mean log-likelihood per row changes by less.
        short_tol: the same for the climbs among which the best is found.
        max_iter: most updates.
        reg_covar: added to the diagonal of covariances, in squared units of the data.
        seed: seed of all randomness.
        progress: whether to show a progress bar.

    Returns:
        The tests. After an interruption those that were finished.

    Raises:
        ValueError: data or settings that do not go together, or a model that cannot be fitted.
    """
    numbers = check_numbers(n_components)
    structures = check_structures(covariance_type)
    check_bootstrap(structures, n_bootstrap, level)
    check_start_name(init_params)
    data = rows_in_memory(X, None, None)
    refuse_marked(data)
    engine = EM(n_init=n_init, start=init_params, max_iter=max_iter, tol=tol, reg_covar=reg_covar)
    request = Request(
        (), structures, "bic", 0, engine, check_tolerance(short_tol), check_seed(seed)
    )
    keep_room()
    rows: dict[int, dict[str, float]] = {}
    drawn: dict[int, np.ndarray] = {}
    random = np.random.RandomState(seed)
    try:
        for number in numbers:
            pair = replace(request, n_components=(number, number + 1))
            observed, smaller = statistic(pair, data)
            if smaller is None:
                refuse_or_stop(number, is_first=not rows)
                break
            with tqdm(
                total=n_bootstrap, desc=f"K = {number}", disable=not progress, leave=False
            ) as bar:
                drawn[number] = statistics_of_drawn(pair, smaller, data, n_bootstrap, random, bar)
            rows[number] = row_of(observed, drawn[number])
            if rows[number]["p_value"] > level:
                break
    except KeyboardInterrupt:
        return result(rows, drawn, level, interrupted=True)
    return result(rows, drawn, level)


def check_bootstrap(structures: tuple[str, ...], n_bootstrap: Any, level: Any) -> None:
    """Raise unless there is one structure, a number of data sets and a level."""
    if len(structures) != 1:
        raise ValueError(
            f"Expected one covariance structure, got {len(structures)}: the models of a test are nested. Name one."
        )
    if not (hasattr(n_bootstrap, "__index__") and n_bootstrap >= 1):
        raise ValueError(
            f"Expected n_bootstrap to be a whole number >= 1, got {n_bootstrap!r}. Pass n_bootstrap=199."
        )
    if not 1 / (n_bootstrap + 1) <= level < 1:
        raise ValueError(
            f"Expected level between 1 / (n_bootstrap + 1) = {1 / (n_bootstrap + 1):.3g}, the smallest p-value "
            f"there can be, and 1, got {level!r}. Raise n_bootstrap, or level."
        )


def refuse_marked(data: Dataset) -> None:
    """Raise for rows with weights or labels, whose data sets cannot be drawn from the mixture alone."""
    if data.weights is not None or data.labels is not None:
        carried = "row weights" if data.weights is not None else "known labels"
        raise ValueError(
            f"Expected rows without weights and labels, got {carried}: how they come about is not part of the "
            "mixture, so data sets with them cannot be drawn. Leave them out."
        )


def refuse_or_stop(number: int, *, is_first: bool) -> None:
    """Say that a pair of models cannot be fitted: raise, or warn where tests are finished.

    Raises:
        ValueError: there is no test yet.
    """
    said = (
        f"Expected models of {number} and {number + 1} components that can be fitted, got one that "
        "cannot: too few distinct rows, or a component that collapses. Raise reg_covar, or test fewer components."
    )
    if is_first:
        raise ValueError(said)
    warn(f"{said} The tests before are returned.")


def statistic(request: Request, data: Dataset) -> tuple[float, Fit | None]:
    """Return twice the difference of the log-likelihoods, and the smaller model; NaN and None on failure.

    Each model contains the one before, so the difference is at least zero; a search that ends below is
    one that missed.
    """
    (swept,) = sweep(request, data)
    if swept.climbed.interrupted:
        raise KeyboardInterrupt
    fits = [swept.climbed.fits.get(number) for number in request.n_components]
    if any(fit is None or fit.status.outcome.value == "collapsed" for fit in fits):
        return np.nan, None
    smaller, larger = (float(fit.log_likelihood) for fit in fits if fit is not None)
    return max(0.0, 2 * (larger - smaller)), fits[0]


def statistics_of_drawn(
    request: Request,
    smaller: Fit,
    data: Dataset,
    n_bootstrap: int,
    random: np.random.RandomState,
    bar: Any,
) -> np.ndarray:
    """Return the statistics of data sets drawn from the smaller model, NaN where a fit failed, (B,)."""
    found = np.full(n_bootstrap, np.nan)
    for index in range(n_bootstrap):
        rows, _ = draw_rows(smaller, data.n_rows, random)
        # They come sorted by component, which must not decide what is missing.
        rows = rows[random.permutation(len(rows))]
        rows[np.isnan(data.values)] = np.nan
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)
            found[index], _ = statistic(request, Dataset.from_array(rows, data.names))
        bar.update()
    return found


def row_of(observed: float, drawn: np.ndarray) -> dict[str, float]:
    """Return a row of the table: p-value (1 + #{drawn >= observed}) / (1 + B)."""
    valid = drawn[~np.isnan(drawn)]
    p_value = (1 + (valid >= observed).sum()) / (1 + len(valid))
    failed = len(drawn) - len(valid)
    return {
        "statistic": observed,
        "p_value": p_value,
        "n_bootstrap": len(valid),
        "n_failed": failed,
    }


def result(
    rows: dict[int, dict[str, float]],
    drawn: dict[int, np.ndarray],
    level: float,
    interrupted: bool = False,
) -> LikelihoodRatioTest:
    """Put the tests together."""
    columns = ["statistic", "p_value", "n_bootstrap", "n_failed"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    table = table.rename_axis("n_components").astype({"n_bootstrap": int, "n_failed": int})
    return LikelihoodRatioTest(table, {k: drawn[k] for k in rows}, level, interrupted)
