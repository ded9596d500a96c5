"""Gaussian mixtures with honest uncertainty: fast EM and the full posterior on one JAX kernel."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

# Names load on first use, so that ``import bayesgmm`` costs no more than it must.
_HOME = {
    "BayesianGaussianMixture": "estimators.bayesian",
    "CheckpointWarning": "engines.checkpoint",
    "CredibleBall": "posterior.ball",
    "CollapsedError": "engines.em",
    "DataWarning": "data.dataset",
    "Diagnosis": "diagnostics.diagnosis",
    "Dataset": "data.dataset",
    "DensityEstimate": "posterior.density",
    "Dirichlet": "model.weights",
    "DirichletProcess": "model.weights",
    "EM": "engines.em",
    "EarlyStopWarning": "engines.em",
    "Fit": "result",
    "Gibbs": "engines.gibbs",
    "GaussianMixture": "estimators.gaussian_mixture",
    "Imputation": "posterior.impute",
    "IndependentNormalWishart": "model.priors",
    "LikelihoodRatioTest": "selection.bootstrap",
    "Membership": "posterior.membership",
    "MergedComponents": "posterior.merging",
    "Mixture": "model.mixture",
    "MixtureSpec": "model.spec",
    "MixtureOfFiniteMixtures": "model.weights",
    "Model": "model.resolved",
    "NUTS": "engines.nuts",
    "NormalInverseWishart": "model.priors",
    "NotIdentifiedError": "posterior.relabel",
    "Outcome": "result",
    "Partition": "posterior.partition",
    "Predictive": "posterior.predictive",
    "Selection": "selection.selection",
    "SelectionWarning": "selection.select",
    "Source": "data.sources",
    "Status": "result",
    "Streamed": "data.sources",
    "Relabelled": "posterior.relabel",
    "SparseDirichlet": "model.weights",
    "anomaly_score": "posterior.anomaly",
    "bootstrap_lrt": "selection.bootstrap",
    "clusters_by_prior": "diagnostics.sensitivity",
    "co_clustering": "posterior.partition",
    "credible_ball": "posterior.ball",
    "compare": "posterior.compare",
    "condition": "posterior.condition",
    "datasets": "datasets",
    "diagnose": "diagnostics.checks",
    "em_path": "api",
    "expected_loss": "posterior.partition",
    "fit": "api",
    "impute": "posterior.impute",
    "information_criteria": "posterior.criteria",
    "load": "store",
    "log_density": "posterior.density",
    "log_density_with_error": "posterior.density",
    "loo": "posterior.loo",
    "map_rows": "data.sources",
    "marginal": "posterior.condition",
    "membership": "posterior.membership",
    "merge_components": "posterior.merging",
    "numpyro_model": "engines.numpyro_model",
    "partition": "posterior.partition",
    "plots": "plots",
    "pointwise_log_likelihood": "posterior.density",
    "predictive_check": "diagnostics.predictive_checks",
    "prior_of_clusters": "model.cluster_prior",
    "prior_predictive_check": "diagnostics.prior",
    "prior_sensitivity": "diagnostics.sensitivity",
    "relabel": "posterior.relabel",
    "restarts": "diagnostics.restarts",
    "Report": "reporting.report",
    "report": "reporting.report",
    "resolve": "model.resolved",
    "sample_prior": "diagnostics.prior",
    "save": "store",
    "select": "selection.select",
    "shard": "data.sources",
    "stream": "data.sources",
    "summary": "diagnostics.summary",
    "to_datatree": "diagnostics.datatree",
    "vi_lower_bound": "posterior.partition",
    "waic": "posterior.waic",
}
_MODULES = {"datasets", "plots"}

__all__ = sorted(_HOME)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Load a public name on first use."""
    if name not in _HOME:
        raise AttributeError(f"module 'bayesgmm' has no attribute {name!r}")
    module = import_module(f".{_HOME[name]}", __name__)
    value = module if name in _MODULES else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])


if TYPE_CHECKING:
    from . import datasets, plots
    from .api import em_path, fit
    from .data.dataset import Dataset, DataWarning
    from .data.sources import Source, Streamed, map_rows, shard, stream
    from .diagnostics.checks import diagnose
    from .diagnostics.datatree import to_datatree
    from .diagnostics.diagnosis import Diagnosis
    from .diagnostics.predictive_checks import predictive_check
    from .diagnostics.prior import prior_predictive_check, sample_prior
    from .diagnostics.restarts import restarts
    from .diagnostics.sensitivity import clusters_by_prior, prior_sensitivity
    from .diagnostics.summary import summary
    from .engines.checkpoint import CheckpointWarning
    from .engines.em import EM, CollapsedError, EarlyStopWarning
    from .engines.gibbs import Gibbs
    from .engines.numpyro_model import numpyro_model
    from .engines.nuts import NUTS
    from .estimators.bayesian import BayesianGaussianMixture
    from .estimators.gaussian_mixture import GaussianMixture
    from .model.cluster_prior import prior_of_clusters
    from .model.mixture import Mixture
    from .model.priors import IndependentNormalWishart, NormalInverseWishart
    from .model.resolved import Model, resolve
    from .model.spec import MixtureSpec
    from .model.weights import (
        Dirichlet,
        DirichletProcess,
        MixtureOfFiniteMixtures,
        SparseDirichlet,
    )
    from .posterior.anomaly import anomaly_score
    from .posterior.ball import CredibleBall, credible_ball
    from .posterior.compare import compare
    from .posterior.condition import condition, marginal
    from .posterior.criteria import information_criteria
    from .posterior.density import (
        DensityEstimate,
        log_density,
        log_density_with_error,
        pointwise_log_likelihood,
    )
    from .posterior.impute import Imputation, impute
    from .posterior.loo import loo
    from .posterior.membership import Membership, membership
    from .posterior.merging import MergedComponents, merge_components
    from .posterior.partition import (
        Partition,
        co_clustering,
        expected_loss,
        partition,
        vi_lower_bound,
    )
    from .posterior.predictive import Predictive
    from .posterior.relabel import NotIdentifiedError, Relabelled, relabel
    from .posterior.waic import waic
    from .reporting.report import Report, report
    from .result import Fit, Outcome, Status
    from .selection.bootstrap import LikelihoodRatioTest, bootstrap_lrt
    from .selection.select import SelectionWarning, select
    from .selection.selection import Selection
    from .store import load, save
