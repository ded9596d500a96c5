"""What a user may say about the components: the prior on means and covariances.

``None`` is the weakly informative default, which ``Model`` prints once the data are known.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class NormalInverseWishart:
    """Sigma ~ inverse-Wishart(degrees_of_freedom, scale), mu | Sigma ~ N(mean, Sigma / mean_precision).

    For diagonal and spherical covariances the same numbers state independent one-dimensional
    priors: normal-inverse-gamma with shape degrees_of_freedom / 2 and rate scale / 2.

    Attributes:
        mean: (D,), in the data's units; by default the mid-range of each column.
        mean_precision: number of rows the prior mean is worth, > 0; by default 0.001.
        degrees_of_freedom: > D - 1 (diagonal and spherical: > 0); by default D + 4 (5) with a
            random scale, D + 2 (3) with a fixed one, whose scale is then the mean covariance.
        scale: in squared units of the data: (D, D), or (D,) for its diagonal, or a number; or a
            hyperprior, a NumPyro ``Wishart`` (diagonal and spherical: ``Gamma``, one number per column
            or one for all). By default the hyperprior of Frühwirth-Schnatter, Malsiner-Walli & Grün
            (2021): Wishart with D degrees of freedom and mean (D + 4) / 100 diag(range^2), for
            diagonal and spherical covariances gamma(1/2) with mean range^2 / 20.
    """

    mean: Any = None
    mean_precision: Any = None
    degrees_of_freedom: Any = None
    scale: Any = None


@dataclass(frozen=True)
class IndependentNormalWishart:
    """Sigma ~ inverse-Wishart(degrees_of_freedom, scale) and, independently, mu ~ N(mean, mean_covariance).

    The hierarchical prior of Richardson & Green (1997), Stephens (2000) and Frühwirth-Schnatter,
    Malsiner-Walli & Grün (2021). In their letters degrees_of_freedom = 2 c0, scale = 2 C0 and
    C0 ~ W(g0, G0), which is scale ~ Wishart(2 g0, rate_matrix=G0) here. In one dimension
    sigma^-2 ~ gamma(degrees_of_freedom / 2, scale / 2).

    Attributes:
        mean: (D,), in the data's units; by default the median of each column.
        mean_covariance: (D, D), (D,) for its diagonal, or a number; by default diag(range^2).
        degrees_of_freedom: as for ``NormalInverseWishart``.
        scale: as for ``NormalInverseWishart``.
    """

    mean: Any = None
    mean_covariance: Any = None
    degrees_of_freedom: Any = None
    scale: Any = None
