"""The posterior behind scikit-learn's interface."""

from functools import cached_property
from numbers import Integral, Real
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils import Bunch, check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from ..api import fit
from ..data.sources import Source, dask_in_dask_out
from ..diagnostics.checks import diagnose
from ..diagnostics.datatree import to_datatree
from ..diagnostics.summary import summary
from ..engines.gibbs import Gibbs
from ..engines.nuts import NUTS
from ..model.priors import NormalInverseWishart
from ..model.spec import DEFAULT_MAX_COMPONENTS, MixtureSpec
from ..model.weights import (
    Dirichlet,
    DirichletProcess,
    MixtureOfFiniteMixtures,
    SparseDirichlet,
)
from ..posterior.anomaly import anomaly_score
from ..posterior.ball import CredibleBall, credible_ball
from ..posterior.density import draw_rows, log_density
from ..posterior.loo import loo
from ..posterior.membership import membership
from ..posterior.partition import Partition, co_clustering, partition
from ..posterior.waic import waic
from ..store import save
from .intake import taken_in
from .random_state import seed_of
from .uses import Uses

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from arviz import ELPDData, ELPDDataLOO

    from ..plots.of_fit import PlotsOfFit
    from ..reporting.report import Report

WEIGHT_PRIORS = {
    "mixture_of_finite_mixtures": MixtureOfFiniteMixtures,
    "dirichlet_distribution": SparseDirichlet,
    "dirichlet_process": DirichletProcess,
}
ENGINES = {"gibbs": Gibbs, "nuts": NUTS}


class BayesianGaussianMixture(Uses, DensityMixin, BaseEstimator):
    """Posterior of a Gaussian mixture, by default with the number of clusters inferred.

    Hyperparameters that scikit-learn names keep its names and meaning. None is the weakly
    informative default, which ``print(model.fit_.model)`` shows in the data's units.

    Args:
        n_components: number of components, or "auto" to infer the number of clusters.
        max_components: bound on the components with "auto".
        covariance_type: "full", "tied", "diag" or "spherical".
        inference: the engine, "gibbs" or "nuts". NUTS has no density for a mixture of finite
            mixtures: give it one of the other priors.
        weight_concentration_prior_type: with "auto", "mixture_of_finite_mixtures" (K has a prior of
            its own), "dirichlet_distribution" (sparse Dirichlet) or "dirichlet_process". A given
            number of components has a symmetric Dirichlet under either of the first two.
        weight_concentration_prior: concentration, a number or a NumPyro distribution.
        mean_prior: prior mean of the means, (D,).
        mean_precision_prior: rows that prior mean is worth, > 0.
        degrees_of_freedom_prior: of the inverse-Wishart prior of the covariances.
        covariance_prior: its scale, (D, D), (D,), a number, or a NumPyro distribution.
        n_chains: chains from over-dispersed starts.
        n_warmup: sweeps or adaptation steps per chain, discarded.
        n_draws: draws kept per chain.
        random_state: seed.
        verbose: whether to show a progress bar.
        checkpoint: path of a file that keeps how far ``fit`` is; where it exists ``fit`` goes on from it (see
            ``Gibbs``).

    Attributes:
        fit_: the underlying ``Fit``.
        partition_: the representative ``Partition``.
        labels_: its labels, 0 for the largest cluster, known labels first, (N,).
        n_clusters_: posterior mode of the number of clusters that hold rows.
        n_clusters_pmf_: its posterior distribution, a pandas Series.
        n_features_in_: number of columns, D.
        feature_names_in_: column names, if the data had them.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_components": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "max_components": [Interval(Integral, 2, None, closed="left")],
        "covariance_type": [StrOptions({"full", "tied", "diag", "spherical"})],
        "inference": [StrOptions(set(ENGINES))],
        "weight_concentration_prior_type": [StrOptions(set(WEIGHT_PRIORS))],
        "weight_concentration_prior": [
            None,
            Interval(Real, 0, None, closed="neither"),
            HasMethods("log_prob"),
        ],
        "mean_precision_prior": [None, Interval(Real, 0, None, closed="neither")],
        "mean_prior": [None, "array-like"],
        "degrees_of_freedom_prior": [None, Interval(Real, 0, None, closed="neither")],
        "covariance_prior": [
            None,
            "array-like",
            Interval(Real, 0, None, closed="neither"),
            HasMethods("log_prob"),
        ],
        "n_chains": [Interval(Integral, 1, None, closed="left")],
        "n_warmup": [Interval(Integral, 0, None, closed="left")],
        "n_draws": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "checkpoint": [str, PathLike, None],
    }

    def __init__(
        self,
        n_components: int | Literal["auto"] = "auto",
        *,
        max_components: int = DEFAULT_MAX_COMPONENTS,
        covariance_type: str = "full",
        inference: str = "gibbs",
        weight_concentration_prior_type: str = "mixture_of_finite_mixtures",
        weight_concentration_prior: Any = None,
        mean_prior: Any = None,
        mean_precision_prior: float | None = None,
        degrees_of_freedom_prior: float | None = None,
        covariance_prior: Any = None,
        n_chains: int = 4,
        n_warmup: int = 1000,
        n_draws: int = 1000,
        random_state: Any = None,
        verbose: int = 0,
        checkpoint: Any = None,
    ) -> None:
        self.n_components = n_components
        self.max_components = max_components
        self.covariance_type = covariance_type
        self.inference = inference
        self.weight_concentration_prior_type = weight_concentration_prior_type
        self.weight_concentration_prior = weight_concentration_prior
        self.mean_prior = mean_prior
        self.mean_precision_prior = mean_precision_prior
        self.degrees_of_freedom_prior = degrees_of_freedom_prior
        self.covariance_prior = covariance_prior
        self.n_chains = n_chains
        self.n_warmup = n_warmup
        self.n_draws = n_draws
        self.random_state = random_state
        self.verbose = verbose
        self.checkpoint = checkpoint

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Sample the posterior.

        Args:
            X: rows (N, D): array, nested lists or data frame, NaN where a cell is missing; for
                ``inference="gibbs"`` also rows that stay where they are: a Dask array or data frame, the path of a
                ``.npy`` file or of Parquet, or what ``bg.stream`` and ``bg.shard`` give.
            y: component of each row where it is known, 0, 1, ..., else -1, (N,), as in
                ``GaussianMixture.fit``: ignored unless it holds integers with both -1 and 0 among
                them. Rows with the same label are together, with different ones apart.
            sample_weight: how many rows each row counts as, (N,), >= 0; for ``inference="nuts"``.

        Returns:
            The estimator.

        Raises:
            ValueError: data or settings that do not go together.
            TypeError: data that are not numbers.
        """
        self._validate_params()
        data = taken_in(self, X, y, sample_weight)
        self.__dict__.pop("partition_", None)
        engine = ENGINES[self.inference](
            self.n_chains,
            self.n_warmup,
            self.n_draws,
            progress=bool(self.verbose),
            checkpoint=self.checkpoint,
        )
        self.fit_ = fit(data, self.specification(), engine=engine, seed=seed_of(self.random_state))
        return self

    def specification(self) -> MixtureSpec:
        """Return the ``MixtureSpec`` these parameters describe."""
        prior = NormalInverseWishart(
            mean=self.mean_prior,
            mean_precision=self.mean_precision_prior,
            degrees_of_freedom=self.degrees_of_freedom_prior,
            scale=self.covariance_prior,
        )
        return MixtureSpec(
            self.n_components, self.max_components, self.covariance_type, self._weights(), prior
        )

    def _weights(self) -> Any:
        concentration = self.weight_concentration_prior
        kind = WEIGHT_PRIORS[self.weight_concentration_prior_type]
        if self.n_components == "auto" or kind is DirichletProcess:
            return kind(concentration=concentration)
        return Dirichlet(1.0 if concentration is None else concentration)

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None) -> np.ndarray:
        """Sample the posterior and return the labels of the representative partition, (N,)."""
        self.fit(X, y, sample_weight)
        return self.predict(X) if isinstance(self.fit_.data, Source) else self.labels_

    def __sklearn_tags__(self) -> Any:
        """Say that cells may be missing."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    @cached_property
    def partition_(self) -> Partition:
        """The representative partition of the fitted rows, of those elsewhere that of their sample."""
        return partition(self._fitted().sampled)

    @property
    def labels_(self) -> np.ndarray:
        """Labels of the representative partition, 0 for the largest cluster, (N,)."""
        data = self._fitted().data
        if isinstance(data, Source):
            raise ValueError(
                f"Expected rows in memory, got {data.kind} ones, of which partition_.labels has the sample's labels. "
                "Use model.predict(X) for a Dask collection, or bg.map_rows(model.predict, path, out='labels.npy')."
            )
        return self.partition_.labels

    @property
    def n_clusters_pmf_(self) -> "pd.Series":
        """Posterior probabilities of the number of clusters that hold rows."""
        import pandas as pd

        drawn = pd.Series(self._fitted().n_clusters.ravel())
        shares = drawn.value_counts(normalize=True).sort_index()
        return shares.rename("probability").rename_axis("n_clusters")

    @property
    def n_clusters_(self) -> int:
        """Posterior mode of the number of clusters that hold rows."""
        pmf = self.n_clusters_pmf_
        return int(pmf.index[int(np.argmax(pmf.to_numpy()))])

    @dask_in_dask_out
    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable cluster of rows (M, D), (M,)."""
        return membership(self._fitted(), self.partition_, X).mean.argmax(1)

    @dask_in_dask_out
    def predict_proba(self, X: Any, interval: float | None = None) -> Any:
        """Return the probabilities of membership in the clusters of ``partition_``.

        Args:
            X: rows (M, D).
            interval: probability of an equal-tailed interval over posterior draws, or None.

        Returns:
            (M, J); with an interval a Bunch of ``mean``, ``lower`` and ``upper``, (M, J) each.

        Raises:
            ValueError: another number of columns, or an interval outside (0, 1).
        """
        result = membership(self._fitted(), self.partition_, X, interval)
        return result.mean if interval is None else Bunch(**result._asdict())

    @dask_in_dask_out
    def score_samples(self, X: Any) -> np.ndarray:
        """Return the log posterior predictive density of rows (M, D), (M,)."""
        return log_density(self._fitted(), X)

    @dask_in_dask_out
    def anomaly_score(self, X: Any) -> np.ndarray:
        """Return the share of predictive mass less dense than rows (M, D), (M,), small if unusual."""
        return anomaly_score(self._fitted(), X, seed=seed_of(self.random_state))

    def score(self, X: Any, y: Any = None) -> float:
        """Return the mean log posterior predictive density per row."""
        return float(self.score_samples(X).mean())

    def sample(self, n_samples: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Draw rows from the posterior predictive distribution.

        Returns:
            Rows (n_samples, D) and the most probable cluster of each.
        """
        rows, _ = draw_rows(self._fitted(), n_samples, check_random_state(self.random_state))
        return rows, self.predict(rows)

    def co_clustering(self, rows: Any = None) -> np.ndarray:
        """Return the posterior probability that two fitted rows belong together, (M, M)."""
        return co_clustering(self._fitted().sampled, rows)

    def credible_ball(self, prob: float = 0.95) -> CredibleBall:
        """Return the ball of partitions around ``partition_`` with this posterior probability."""
        return credible_ball(self._fitted().sampled, prob, self.partition_)

    def loo(self) -> "ELPDDataLOO":
        """Return the leave-one-out predictive density of the fitted rows (``bg.loo``)."""
        return loo(self._fitted())

    def waic(self) -> "ELPDData":
        """Return the widely applicable information criterion (``bg.waic``); prefer ``loo``."""
        return waic(self._fitted())

    def diagnose(self) -> "pd.DataFrame":
        """Return the table of checks."""
        return diagnose(self._fitted())

    def summary(self, method: str = "ecr") -> "pd.DataFrame":
        """Return the table of parameters (``bg.summary``), clusters named as in ``labels_``."""
        return summary(self._fitted().sampled, method, self.partition_)

    @property
    def plot(self) -> "PlotsOfFit":
        """The pictures of ``bg.plots`` as methods, such as ``model.plot.clusters()``."""
        # Imported on use: an estimator need not wait for Matplotlib.
        from ..plots.of_fit import PlotsOfFit

        return PlotsOfFit(self._fitted().sampled, lambda: self.partition_)

    def report(self, path: Any = None, *, title: str = "Gaussian mixture") -> "Report":
        """Make a self-contained HTML page about the fit (``bg.report``), and write it to ``path``."""
        from ..reporting.report import report

        return report(self._fitted().sampled, path, title=title, clusters=self.partition_)

    @property
    def datatree_(self) -> "xr.DataTree":
        """The posterior in ArviZ's layout (``bg.to_datatree``), made anew at every access."""
        return to_datatree(self._fitted().sampled)

    def save(self, path: Any) -> None:
        """Save the fit as netCDF; ``bg.load`` reads it back."""
        save(self._fitted(), path)
