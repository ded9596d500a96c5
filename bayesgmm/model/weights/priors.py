r"""Priors on the mixture weights, as a user states them.

* ``Dirichlet(alpha)``: K components, known;
* ``SparseDirichlet(alpha)``: the same with alpha small, so that superfluous components stay empty
  (Malsiner-Walli, Frühwirth-Schnatter & Grün 2016, Statistics and Computing 26, 303-324);
* ``DirichletProcess(alpha)``: infinitely many components, v_k ~ Beta(1, alpha)
  (Ishwaran & James 2001, JASA 96, 161-173);
* ``MixtureOfFiniteMixtures``: K unknown with a prior of its own
  (Frühwirth-Schnatter, Malsiner-Walli & Grün 2021, Bayesian Analysis 16, 1279-1307).

The first three also break sticks at a fixed K (``sticks``), for samplers that need a density; all
four say what they think of partitions (``partition_prior``), for samplers that sum the weights out.
A concentration is a number or a NumPyro distribution.
"""

from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from .concentration import check_concentration, gamma, is_random
from .expected import StatedByClusters
from .partitions import (
    DynamicMixturePartition,
    FinitePartition,
    PartitionPrior,
    ProcessPartition,
    StaticMixturePartition,
)
from .sticks import dirichlet_sticks, log_normalised


class WeightPrior(Protocol):
    """A prior on weights.

    Attributes:
        concentration: a positive number, or a NumPyro distribution over positive numbers.
        grows: whether K is only an upper bound, the number of clusters being inferred.
    """

    @property
    def concentration(self) -> Any:
        """See the class."""

    @property
    def grows(self) -> bool:
        """See the class."""

    def partition_prior(self, n_components: int) -> PartitionPrior:
        """Return what the resolved prior says of partitions into at most ``n_components`` clusters."""

    def resolve(self) -> "WeightPrior":
        """Return the prior with every default made explicit and its concentration checked."""


@dataclass(frozen=True)
class Dirichlet:
    """w ~ Dirichlet(concentration, ..., concentration) with K known.

    Attributes:
        concentration: positive number, or a NumPyro distribution (hyperprior).
    """

    concentration: Any = 1.0
    grows = False

    @classmethod
    def from_expected_clusters(
        cls, low: int, high: int, *, prob: float = 0.9, n_rows: int, n_components: int
    ) -> "Dirichlet":
        """State the prior by an interval for K+; see ``SparseDirichlet.from_expected_clusters``.

        ``n_components`` is K, which takes the place of the bound there.
        """
        # Imported on use, as in ``expected``.
        from ..elicitation import with_expected_clusters

        return with_expected_clusters(cls(), low, high, prob=prob, n_rows=n_rows, size=n_components)

    def sticks(self, concentration: ArrayLike, n_components: int) -> tuple[Array, Array]:
        """Return (alpha, (K - k) alpha)."""
        return dirichlet_sticks(concentration, n_components)

    def mode(self, counts: Array, concentration: ArrayLike) -> Array:
        """Return log of (n_k + alpha - 1) normalised, (..., K)."""
        return log_normalised(counts + concentration - 1)

    def partition_prior(self, n_components: int) -> FinitePartition:
        """Return the finite form with K slots."""
        del n_components
        return FinitePartition(self.concentration)

    def resolve(self) -> "Dirichlet":
        """Check the concentration."""
        return replace(self, concentration=check_concentration(self.concentration, "Dirichlet"))


@dataclass(frozen=True)
class SparseDirichlet(StatedByClusters):
    """w ~ Dirichlet(alpha, ..., alpha) with alpha small: K is a bound, superfluous components empty.

    Attributes:
        concentration: positive number or NumPyro distribution; by default Gamma(1, 20), mean 0.05.
    """

    concentration: Any = None
    grows = True

    def sticks(self, concentration: ArrayLike, n_components: int) -> tuple[Array, Array]:
        """Return (alpha, (K - k) alpha)."""
        return dirichlet_sticks(concentration, n_components)

    def partition_prior(self, n_components: int) -> FinitePartition:
        """Return the finite form with K slots."""
        del n_components
        return FinitePartition(self.concentration)

    def resolve(self) -> "SparseDirichlet":
        """Fill the default hyperprior and check the concentration."""
        given = gamma(1.0, 20.0) if self.concentration is None else self.concentration
        return replace(self, concentration=check_concentration(given, "SparseDirichlet"))


@dataclass(frozen=True)
class DirichletProcess(StatedByClusters):
    """Dirichlet process with total mass alpha, kept to ``max_components`` clusters.

    NUTS truncates its sticks at ``max_components``; Gibbs sums over partitions into at most as many
    clusters and truncates only the sticks that no row uses. ``truncation_error`` says what that leaves
    out.

    Attributes:
        concentration: positive number or NumPyro distribution; by default Gamma(2, 4), mean 0.5.
    """

    concentration: Any = None
    grows = True

    def sticks(self, concentration: ArrayLike, n_components: int) -> tuple[Array, Array]:
        """Return (1, alpha)."""
        alpha = jnp.asarray(concentration, float)[..., None]
        shape = (*alpha.shape[:-1], n_components - 1)
        return jnp.ones(shape), jnp.broadcast_to(alpha, shape)

    def truncation_error(self, n_rows: int, max_components: int | None = None) -> float:
        """Compute the prior probability of more clusters than the model holds.

        It is p(K+ > max_components | N) of the process without a bound, to about 1e-9: half the L1
        distance between its prior of partitions and that of the model.

        Args:
            n_rows: number of rows, N >= 1.
            max_components: the model's bound; by default that of ``MixtureSpec``.

        Returns:
            A probability.

        Raises:
            ValueError: a number that is not whole, or below 1.

        Reference:
            Antoniak (1974), Annals of Statistics 2, 1152-1174: the law of K+ under the process.
        """
        # Imported on use, as in ``from_expected_clusters``.
        from ..cluster_prior import probability_beyond

        return probability_beyond(self, n_rows, max_components)

    def partition_prior(self, n_components: int) -> ProcessPartition:
        """Return Ewens's formula."""
        del n_components
        return ProcessPartition(self.concentration)

    def resolve(self) -> "DirichletProcess":
        """Fill the default hyperprior and check the concentration."""
        given = gamma(2.0, 4.0) if self.concentration is None else self.concentration
        return replace(self, concentration=check_concentration(given, "DirichletProcess"))


@dataclass(frozen=True)
class MixtureOfFiniteMixtures(StatedByClusters):
    """K has a prior; w | K is a symmetric Dirichlet.

    Attributes:
        n_components_minus_one: prior of K - 1: a NumPyro distribution over 0, 1, 2, ..., cut off at
            ``max_components``; or a number, which fixes K. By default beta-negative-binomial(1, 4, 3),
            ``numpyro.distributions.BetaNegativeBinomial(3, 4, 1)``.
        concentration: positive number or NumPyro distribution; by default F(6, 3) if dynamic, else 1.
        dynamic: whether w | K ~ Dirichlet(concentration / K), else Dirichlet(concentration).
    """

    n_components_minus_one: Any = None
    concentration: Any = None
    dynamic: bool = True
    grows = True

    def log_prior(self, n_components: int) -> np.ndarray:
        """Return log p(K) for K = 1, ..., n_components, cut off there, (n_components,).

        Raises:
            ValueError: no mass within the bound.
        """
        given = self.n_components_minus_one
        values = np.arange(n_components)
        if is_random(given):
            below = getattr(given.support, "upper_bound", None)
            inside = values <= (np.inf if below is None else np.asarray(below))
            log_mass = np.asarray(given.log_prob(np.where(inside, values, 0)), float)
            log_mass = np.where(inside, log_mass, -np.inf)
        else:
            log_mass = np.where(values == given, 0.0, -np.inf)
        highest = log_mass.max()
        if not np.isfinite(highest):
            raise ValueError(
                f"Expected MixtureOfFiniteMixtures.n_components_minus_one to give some K <= max_components = "
                f"{n_components} positive probability, got none. Raise max_components."
            )
        return log_mass - highest - np.log(np.exp(log_mass - highest).sum())

    def partition_prior(self, n_components: int) -> StaticMixturePartition:
        """Return the sum over K of the finite forms."""
        kind = DynamicMixturePartition if self.dynamic else StaticMixturePartition
        return kind(self.concentration, cast(Array, self.log_prior(n_components)))

    def resolve(self) -> "MixtureOfFiniteMixtures":
        """Fill the defaults and check the numbers."""
        default = f_distribution(6.0, 3.0) if self.dynamic else 1.0
        given = default if self.concentration is None else self.concentration
        return replace(
            self,
            n_components_minus_one=check_n_components(self.n_components_minus_one),
            concentration=check_concentration(given, "MixtureOfFiniteMixtures"),
        )


def f_distribution(df1: float, df2: float) -> Any:
    """Return the F distribution."""
    # Imported on use, like NumPyro.
    from .snedecor import FisherSnedecor

    return FisherSnedecor(df1, df2)


def check_n_components(given: Any) -> Any:
    """Return a checked prior of K - 1: a distribution over 0, 1, 2, ... or a whole number.

    Raises:
        ValueError: anything else.
    """
    if given is None:
        # Imported on use, like NumPyro itself.
        import numpyro.distributions as dist

        return dist.BetaNegativeBinomial(3.0, 4.0, 1.0)
    if is_random(given):
        is_scalar = given.batch_shape == given.event_shape == ()
        lower = getattr(given.support, "lower_bound", None)
        if is_scalar and given.support.is_discrete and lower is not None and np.asarray(lower) >= 0:
            return given
    elif hasattr(given, "__index__") and not isinstance(given, bool) and given >= 0:
        return int(given)
    raise ValueError(
        "Expected MixtureOfFiniteMixtures.n_components_minus_one to be a NumPyro distribution over 0, 1, "
        f"2, ... or a whole number >= 0, got {given!r}. Use for instance numpyro.distributions.Poisson(3)."
    )
