"""What both estimators answer about parts of rows: the functions of the package under their names."""

from typing import Any

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ..posterior.condition import condition, marginal
from ..posterior.impute import Imputation, impute
from ..posterior.predictive import Predictive
from ..result import Fit
from .random_state import seed_of


class Uses(BaseEstimator):
    """Methods that any fitted estimator has.

    Attributes:
        fit_: the underlying ``Fit``, there once the estimator is fitted.
        random_state: scikit-learn's parameter.
    """

    fit_: Fit
    random_state: Any

    def marginal(self, columns: Any) -> Predictive:
        """Return the distribution of some columns of a new row (``bg.marginal``)."""
        return marginal(self._fitted(), columns)

    def condition(self, values: Any) -> Predictive:
        """Return the distribution of the other columns given some (``bg.condition``)."""
        return condition(self._fitted(), values)

    def impute(self, X: Any, n_draws: int = 0) -> Imputation:
        """Return rows (N, D) with their missing cells filled in (``bg.impute``)."""
        return impute(self._fitted(), X, n_draws, seed_of(self.random_state))

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        """Show a notebook scikit-learn's picture of the parameters, and the fit once there is one."""
        bundle: dict[str, str] = super()._repr_mimebundle_(**kwargs)
        if hasattr(self, "fit_") and "text/html" in bundle:
            bundle["text/html"] += self.fit_._repr_html_()
        return bundle

    def _fitted(self) -> Fit:
        check_is_fitted(self, "fit_")
        return self.fit_
