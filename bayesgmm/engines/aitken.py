"""How much log-likelihood EM leaves behind where it stops.

EM climbs by steps that shrink like a geometric series, so that the last two steps tell the sum of those
to come (Aitken's acceleration; McLachlan & Krishnan 2008, The EM Algorithm and Extensions, section 4.9).
"""

import numpy as np

# A step this small beside the log-likelihood is rounding, where covariances are near to singular.
ROUNDING = 1e-10


def remaining_gain(values: np.ndarray) -> float:
    """Return the sum of the geometric series that the last two steps begin.

    With steps d_1, d_2 and rate r = d_2 / d_1 what is left is d_2 (r + r^2 + ...) = d_2 r / (1 - r).
    """
    before, last = np.diff(values[-3:])
    if last <= ROUNDING * abs(values[-1]):
        return 0.0
    if last >= before:
        return float("inf")
    return float(last**2 / (before - last))
