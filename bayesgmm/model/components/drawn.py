"""What a partition sampler asks of the prior of the components, of one chain at a time."""

from typing import Any, NamedTuple, Protocol

from jax import Array

from ..mixture import Statistics, Tied


class Drawn(NamedTuple):
    """Parameters of all K components, those without rows drawn from the prior.

    Attributes:
        means: (K, D).
        covariance: the record of the family.
        scale: scale of the covariances' prior, in the family's shape without K.
    """

    means: Array
    covariance: Any
    scale: Array


class Components(Protocol):
    """The prior of means and covariances, hyperparameters included.

    Attributes:
        prior: the prior at a fixed scale.
        scale_prior: hyperprior of that scale, or None.
    """

    @property
    def scale_prior(self) -> Any:
        """See the class."""

    @property
    def prior(self) -> Any:
        """See the class."""

    def first_scale(self) -> Array:
        """Return where chains start."""

    def draw(self, key: Array, statistics: Statistics, last: Drawn) -> Drawn:
        """Draw all parameters given the rows of each component (and the last ones, if need be)."""

    def log_evidence(self, statistics: Statistics, scale: Array, covariance: Any) -> Array:
        """Return the log probability of the rows given the partition, summed over components, ().

        Where it has no closed form it is an unbiased estimate of importance sampling at
        ``covariance``, which ``propose`` drew from the same statistics; a Metropolis-Hastings step
        that moves partition and covariances together with it is exact.
        """

    def propose(self, key: Array, statistics: Statistics, scale: Array) -> Any:
        """Draw covariances for ``log_evidence``; a closed form needs none and returns None."""

    def conjugate(self, scale: Array) -> Any:
        """Return a conjugate prior for proposals."""

    def log_component(self, scale: Array, means: Array, covariance: Any) -> Array:
        """Return the prior log density of one component (1, ...); tied: of its mean, ()."""

    def fit(self, statistics: Statistics, scale: Array) -> tuple[Array, Any]:
        """Return typical means (K, D) and covariances given the rows of each component."""

    def maximise(self, statistics: Statistics, last: Any) -> tuple[Array, Any]:
        """Raise the density from covariances ``last``: the scale's mode, then the components'.

        Each is a conditional maximum, so that the density never falls (Meng & Rubin 1993,
        Biometrika 80, 267-278). Without ``last`` the first step is ``fit`` at the first scale.
        """

    def log_density(self, means: Array, covariance: Any) -> Array:
        """Return the joint log density at the scale of highest density, ()."""


def log_of_component(record: Any, means: Array, covariance: Any) -> Array:
    """Return the log density of one component under a conjugate record; tied: of its mean, ()."""
    log_density = record.log_density(means, covariance)
    if isinstance(covariance, Tied):
        log_density -= record.log_covariance_density(covariance)
    return log_density
