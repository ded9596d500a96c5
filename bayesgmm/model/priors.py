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
        mean_precision: number of rows the prior mean is worth, > 0; by default 0.01.
        degrees_of_freedom: > D - 1 (diagonal and spherical: > 0); by default D + 2 (3).
        scale: in squared units of the data: (D, D), or (D,) for its diagonal, or a number; by
            default diag((range / 10)^2), the covariance that clusters have on average.
    """

    mean: Any = None
    mean_precision: Any = None
    degrees_of_freedom: Any = None
    scale: Any = None
