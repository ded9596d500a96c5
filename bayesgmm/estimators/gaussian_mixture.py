"""Maximum likelihood by EM behind scikit-learn's interface: a drop-in for its GaussianMixture.

Parameters, methods, attributes and messages are those of scikit-learn 1.9, ``checkpoint`` is added, and
an integer ``random_state`` gives the same starts. What differs:

* ``lower_bound_`` and ``lower_bounds_`` belong to the parameters after each update, so that
  ``lower_bound_ == score(X)`` (but for known labels, of which ``score`` takes no notice);
  scikit-learn's belong to the parameters before it.
* Fitted attributes are views of ``fit_`` and cannot be assigned.
* A component that collapses ends the fit with a warning and the last regular parameters.
* Convergence is judged by the last evaluation too, so ``converged_`` can hold after ``max_iter``
  updates where scikit-learn, one evaluation behind, warns.
* ``sample`` draws other rows of the same distribution.
* Rows that are all equal, and fewer distinct rows than components, are refused; a constant
  column, and a ``reg_covar`` above the variance of the data, are warned of.
"""

from numbers import Integral, Real
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import validate_data

from ..api import fit
from ..data.marks import check_weights
from ..data.sources import Source, dask_in_dask_out, is_elsewhere
from ..data.table import read_table
from ..diagnostics.restarts import restarts
from ..engines.em import EM
from ..engines.starts import NAMES
from ..model.families import BY_NAME
from ..model.spec import MixtureSpec
from ..numerics.warn import warn
from ..posterior.criteria import InformationCriteria, information_criteria
from ..posterior.density import draw_rows, log_density, log_responsibilities
from ..result import Fit, Outcome
from .covariances import covariances, precisions, precisions_cholesky
from .given_start import given_start
from .intake import is_frame, taken_in
from .random_state import seed_of
from .uses import Uses
from .verbose import print_restarts

if TYPE_CHECKING:
    import pandas as pd

    from ..plots.of_fit import PlotsOfFit
    from ..reporting.report import Report


class GaussianMixture(Uses, DensityMixin, BaseEstimator):
    """Gaussian mixture fitted by expectation-maximisation.

    Args:
        n_components: number of components, K.
        covariance_type: "full", "tied", "diag" or "spherical", or one of the fourteen names of
            mclust, "EII" to "VVV" (see ``MixtureSpec``).
        tol: a fit ends when the mean log-likelihood per row changes by less.
        reg_covar: added to the diagonal of covariances, in squared units of the data.
        max_iter: most updates; 0 returns the start.
        n_init: number of restarts; the best is kept.
        init_params: "kmeans", "k-means++", "random" or "random_from_data" as in scikit-learn;
            "hierarchical" or "annealed" (see ``EM``).
        weights_init: starting weights (K,), in place of those ``init_params`` gives.
        means_init: starting means (K, D), likewise.
        precisions_init: starting inverse covariances, likewise: (K, D, D) for "full", (D, D) for
            "tied" or "EEE", (K, D) for "diag" and all along the columns ("EEI"), (K,) for
            "spherical" and "EII", (K, D, D) for the other names. They need not keep to what the
            components share: the first update does.
        random_state: an integer, a RandomState or None: of the starts and of ``sample``.
        warm_start: whether ``fit`` starts from the last fit, once, whatever ``n_init``.
        verbose: 0 silent, 1 prints restarts and updates, 2 log-likelihoods too.
        verbose_interval: updates between two lines.
        checkpoint: path of a file that keeps how far ``fit`` is; where it exists ``fit`` goes on from it (see
            ``EM``).

    Attributes:
        fit_: the underlying ``Fit``, with the data, the status and the history.
        weights_: weights, (K,).
        means_: means, (K, D).
        covariances_: covariances, in the shape of ``precisions_init``.
        precisions_: their inverses.
        precisions_cholesky_: upper factors U of the precisions U U^T, or inverse scales.
        converged_: whether the best restart met ``tol``.
        n_iter_: its number of updates.
        lower_bound_: mean log-likelihood per fitted row of the returned parameters.
        lower_bounds_: the same after each update, ``(n_iter_,)``.
        restarts_: the restarts, best first, a data frame.
        n_features_in_: number of columns, D.
        feature_names_in_: column names, if the data had them.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "covariance_type": [StrOptions(set(BY_NAME))],
        "tol": [Interval(Real, 0.0, None, closed="left")],
        "reg_covar": [Interval(Real, 0.0, None, closed="left")],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "init_params": [StrOptions(set(NAMES))],
        "weights_init": ["array-like", None],
        "means_init": ["array-like", None],
        "precisions_init": ["array-like", None],
        "random_state": ["random_state"],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
        "verbose_interval": [Interval(Integral, 1, None, closed="left")],
        "checkpoint": [str, PathLike, None],
    }

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str = "full",
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: str = "kmeans",
        weights_init: Any = None,
        means_init: Any = None,
        precisions_init: Any = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
        checkpoint: Any = None,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.checkpoint = checkpoint

    # Fitting

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Estimate the parameters by EM.

        Args:
            X: rows (N, D): array, nested lists or data frame; or rows that stay where they are: a Dask
                array or data frame, the path of a ``.npy`` file or of Parquet, or what ``bg.stream`` and
                ``bg.shard`` give.
            y: component of each row where it is known, 0, 1, ..., else -1, (N,). Ignored unless it
                holds integers with both -1 and 0 among them: the labels that model selection passes
                along to be scored, and -1 and 1 of outlier detection, are no knowledge. For any
                other labels use ``bg.fit(X, spec, labels=y)``.
            sample_weight: how many rows each row counts as, (N,), >= 0.

        Returns:
            The estimator.

        Raises:
            ValueError: data or parameters that do not go together.
            TypeError: data that are not numbers.
            CollapsedError: a ValueError; every restart began with a singular covariance.
        """
        self._validate_params()
        data = taken_in(self, X, y, sample_weight)
        spec = MixtureSpec.maximum_likelihood(self.n_components, self.covariance_type)
        engine = self._engine(data.n_columns)
        self.fit_ = fit(data, spec, engine=engine, seed=seed_of(self.random_state))
        print_restarts(self.fit_, self.verbose, self.verbose_interval)
        self._warn_unless_converged()
        return self

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None) -> np.ndarray:
        """Estimate the parameters and return the most probable component of each row, (N,)."""
        self.fit(X, y, sample_weight)
        if isinstance(self.fit_.data, Source):
            return self.predict(X)
        return self.fit_.allocations()[0, 0].astype(np.int64)

    def __sklearn_tags__(self) -> Any:
        """Say that cells may be missing."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _engine(self, n_columns: int) -> EM:
        continues = self.warm_start and hasattr(self, "fit_")
        return EM(
            n_init=1 if continues else self.n_init,
            start=self.fit_.mixture if continues else self._start(n_columns),
            max_iter=self.max_iter,
            tol=self.tol,
            reg_covar=self.reg_covar,
            progress=bool(self.verbose),
            checkpoint=self.checkpoint,
        )

    def _start(self, n_columns: int) -> Any:
        return given_start(
            self.init_params,
            self.covariance_type,
            (self.n_components, n_columns),
            weights=self.weights_init,
            means=self.means_init,
            precisions=self.precisions_init,
        )

    def _warn_unless_converged(self) -> None:
        if not self.converged_ and self.max_iter > 0:
            warn(
                "Best performing initialization did not converge. Try different init parameters, "
                "or increase max_iter, tol, or check for degenerate data. "
                f"{self.fit_.status.message}",
                ConvergenceWarning,
            )

    # The fitted mixture

    @property
    def weights_(self) -> np.ndarray:
        """Weights, (K,)."""
        return np.exp(self._fitted().scaled.log_weights).astype(self._fitted().model.dtype)

    @property
    def means_(self) -> np.ndarray:
        """Means, (K, D)."""
        return np.asarray(self._fitted().mixture.means)

    @property
    def covariances_(self) -> np.ndarray:
        """Covariances, (K, D, D), (D, D), (K, D) or (K,)."""
        return covariances(self._fitted())

    @property
    def precisions_(self) -> np.ndarray:
        """Inverse covariances, in the same shape."""
        return precisions(self._fitted())

    @property
    def precisions_cholesky_(self) -> np.ndarray:
        """Upper factors U of the precisions U U^T, or inverse scales."""
        return precisions_cholesky(self._fitted())

    @property
    def converged_(self) -> bool:
        """Whether the best restart met ``tol``."""
        return self._fitted().status.outcome is Outcome.CONVERGED

    @property
    def n_iter_(self) -> int:
        """Number of updates of the best restart."""
        return len(self._fitted().history["log_likelihood"]) - 1

    @property
    def lower_bound_(self) -> float:
        """Mean log-likelihood per fitted row of the returned parameters."""
        return float(self._fitted().log_likelihood) / self._fitted().data.total_weight

    @property
    def lower_bounds_(self) -> np.ndarray:
        """Mean log-likelihood per fitted row after each update, ``(n_iter_,)``."""
        return self._fitted().history["log_likelihood"][1:] / self._fitted().data.total_weight

    @property
    def restarts_(self) -> "pd.DataFrame":
        """The restarts, best first, with log-likelihood, updates, agreement (``bg.restarts``)."""
        return restarts(self._fitted())

    # Using it

    @dask_in_dask_out
    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable component of rows (M, D), (M,)."""
        return self._log_responsibilities(X).argmax(1)

    @dask_in_dask_out
    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each component for rows (M, D), (M, K)."""
        return np.exp(self._log_responsibilities(X))

    @dask_in_dask_out
    def score_samples(self, X: Any) -> np.ndarray:
        """Return the log-likelihood of rows (M, D), (M,)."""
        return log_density(self._fitted(), self._rows(X))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the mean log-likelihood per row (M, D), rows weighted by ``sample_weight`` (M,)."""
        log_densities = self.score_samples(X)
        weights = (
            None if sample_weight is None else check_weights(sample_weight, len(log_densities))
        )
        return float(np.average(log_densities.astype(float), weights=weights))

    def aic(self, X: Any, sample_weight: Any = None) -> float:
        """Return Akaike's information criterion on rows (M, D); lower is better."""
        return self._criteria(X, sample_weight).aic

    def bic(self, X: Any, sample_weight: Any = None) -> float:
        """Return the Bayesian information criterion on rows (M, D); lower is better."""
        return self._criteria(X, sample_weight).bic

    def icl(self, X: Any, sample_weight: Any = None) -> float:
        """Return the integrated completed likelihood on rows (M, D); lower is better."""
        return self._criteria(X, sample_weight).icl

    def sample(self, n_samples: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Draw rows from the fitted mixture.

        Args:
            n_samples: number of rows, >= 1.

        Returns:
            Rows (n_samples, D), grouped by component, and the component of each.

        Raises:
            ValueError: less than one row asked for.
        """
        return draw_rows(self._fitted(), n_samples, check_random_state(self.random_state))

    @property
    def plot(self) -> "PlotsOfFit":
        """The pictures of ``bg.plots`` as methods, such as ``model.plot.clusters()``."""
        # Imported on use: an estimator need not wait for Matplotlib.
        from ..plots.of_fit import PlotsOfFit

        return PlotsOfFit(self._fitted().sampled)

    def report(self, path: Any = None, *, title: str = "Gaussian mixture") -> "Report":
        """Make a self-contained HTML page about the fit (``bg.report``), and write it to ``path``."""
        from ..reporting.report import report

        return report(self._fitted().sampled, path, title=title)

    def _log_responsibilities(self, X: Any) -> np.ndarray:
        return log_responsibilities(self._fitted(), self._rows(X))

    def _criteria(self, X: Any, sample_weight: Any) -> InformationCriteria:
        rows = X if is_elsewhere(X) else self._rows(X)
        return information_criteria(self._fitted(), rows, sample_weight)

    def _rows(self, X: Any) -> np.ndarray:
        """Return rows (M, D) whose columns are those of the fit."""
        if is_frame(X):
            validate_data(self, X, reset=False, skip_check_array=True)
            return read_table(X, missing=True)[0]
        values, _ = read_table(X, missing=True)
        return validate_data(self, values, reset=False, skip_check_array=True)


def estimator_of(fit: Fit, **settings: Any) -> GaussianMixture:
    """Return the estimator of a point fit.

    Its parameters are the settings of the fit; fitting it again takes starts of its own, and no row
    weights or labels unless they are passed.
    """
    model = GaussianMixture(fit.model.n_components, **settings)
    model.fit_ = fit
    model.n_features_in_ = fit.data.n_columns
    if fit.data.named:
        model.feature_names_in_ = np.array(fit.data.names, dtype=object)
    return model
