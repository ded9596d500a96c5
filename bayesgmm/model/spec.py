"""``MixtureSpec``: what was asked for, before any data are seen."""

from dataclasses import dataclass, field
from typing import Any, Literal

from .families import CONSTRAINED, FAMILIES, family_named
from .priors import IndependentNormalWishart, NormalInverseWishart
from .weights import Dirichlet, MixtureOfFiniteMixtures

DEFAULT_MAX_COMPONENTS = 20


@dataclass(frozen=True)
class MixtureSpec:
    """A Gaussian mixture model: number of components, covariance structure and priors.

    Attributes:
        n_components: a number, or "auto": the number of clusters is inferred.
        max_components: static bound on the components when ``n_components="auto"``.
        covariance: "full", "tied", "diag" or "spherical"; without priors also the other
            eigenvalue decompositions by the names of mclust (volume, shape, orientation: E equal,
            V variable, I spherical or along the columns): "EII", "EEI", "VEI", "EVI", "VEE",
            "EVE", "VVE", "EEV", "VEV", "EVV". "VVV", "EEE", "VVI" and "VII" are kept as the first
            four, which they are.
        weights: prior on the weights; "default" is ``Dirichlet(1)`` for a given number of
            components and ``MixtureOfFiniteMixtures()`` for "auto"; None is no prior.
        prior: prior on means and covariances; None is no prior (maximum likelihood).

    Raises:
        ValueError: a setting outside its domain.
    """

    n_components: int | Literal["auto"] = "auto"
    max_components: int = DEFAULT_MAX_COMPONENTS
    covariance: str = "full"
    weights: Any = "default"
    prior: NormalInverseWishart | IndependentNormalWishart | None = field(
        default_factory=NormalInverseWishart
    )

    def __post_init__(self) -> None:
        """Check the settings against each other."""
        object.__setattr__(self, "covariance", family_named(self.covariance).name)
        object.__setattr__(self, "weights", self._checked_weights())
        _check_count(self.n_components, "n_components", allow_auto=True)
        _check_count(self.max_components, "max_components", allow_auto=False)
        if self.is_auto and self.max_components < 2:
            raise ValueError(
                f"Expected max_components >= 2 with n_components='auto', got {self.max_components}. "
                "Give a bound well above the number of clusters you expect."
            )
        self._check_fits_together()

    @classmethod
    def maximum_likelihood(cls, n_components: int, covariance: str = "full") -> "MixtureSpec":
        """Specify a mixture without priors."""
        return cls(n_components, covariance=covariance, weights=None, prior=None)

    @property
    def is_auto(self) -> bool:
        """Whether the number of clusters is inferred."""
        return self.n_components == "auto"

    @property
    def is_maximum_likelihood(self) -> bool:
        """Whether there is no prior at all."""
        return self.prior is None

    @property
    def size(self) -> int:
        """The number of components, K, or its static bound."""
        return self.max_components if self.n_components == "auto" else self.n_components

    def _checked_weights(self) -> Any:
        if isinstance(self.weights, str) and self.weights == "default":
            return MixtureOfFiniteMixtures() if self.is_auto else Dirichlet()
        is_class = isinstance(self.weights, type)
        if self.weights is not None and (is_class or not hasattr(self.weights, "partition_prior")):
            raise ValueError(
                f"Expected weights to be a weight prior, got {self.weights!r}. Use bg.Dirichlet, "
                "bg.SparseDirichlet, bg.DirichletProcess, bg.MixtureOfFiniteMixtures, or None for no prior."
            )
        return self.weights

    def _check_fits_together(self) -> None:
        if self.is_auto and (self.weights is None or not self.weights.grows):
            raise ValueError(
                f"Expected a weight prior that leaves components empty with n_components='auto', got "
                f"{self.weights!r}. Use bg.SparseDirichlet() or bg.DirichletProcess(), or give a number."
            )
        if (self.weights is None) != (self.prior is None):
            raise ValueError(
                f"Expected priors on both weights and components, or on neither, got weights={self.weights!r} "
                f"and prior={self.prior!r}. Use MixtureSpec.maximum_likelihood for no priors."
            )
        if self.prior is not None and self.covariance in CONSTRAINED:
            raise ValueError(
                f"Expected no prior with covariance={self.covariance!r}, which has no conjugate one, got "
                f"{self.prior!r}. Use MixtureSpec.maximum_likelihood, or one of {sorted(FAMILIES)}."
            )
        kinds = (NormalInverseWishart, IndependentNormalWishart)
        if self.prior is not None and not isinstance(self.prior, kinds):
            raise ValueError(
                "Expected prior to be bg.NormalInverseWishart, bg.IndependentNormalWishart or None, got "
                f"{self.prior!r}. Use bg.NormalInverseWishart()."
            )


def _check_count(value: Any, name: str, *, allow_auto: bool) -> None:
    if allow_auto and isinstance(value, str) and value == "auto":
        return
    is_whole = hasattr(value, "__index__") and not isinstance(value, bool)
    if not is_whole or value < 1:
        either = ' or "auto"' if allow_auto else ""
        raise ValueError(
            f"Expected {name} to be a whole number >= 1{either}, got {value!r}. Pass for instance {name}=3."
        )
