"""Predictive checks as pictures: do the rows look like what the fit, or its prior, expects?

Beside the rows stands p(x_rep) = E p(x_rep | theta), theta from the posterior or from the prior
(Gabry, Simpson, Vehtari, Betancourt & Gelman 2019, Journal of the Royal Statistical Society A 182,
389-402). ``diagnose`` puts the same comparisons in numbers.
"""

from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes

from ..result import Fit
from .ppc_density import density_panels
from .ppc_distances import distance_panel
from .ppc_draws import GROUPS
from .ppc_pairs import pair_panels
from .style import require_choice

KINDS = {"density": density_panels, "pairs": pair_panels, "distances": distance_panel}


def ppc(
    fit: Fit,
    kind: Literal["density", "pairs", "distances"] = "density",
    *,
    columns: Any = None,
    group: Literal["posterior", "prior"] = "posterior",
    n_draws: int = 200,
    ax: Axes | None = None,
) -> Axes | np.ndarray:
    """Draw the fitted rows beside what the fit expects of rows.

    "density": the histogram of each column with the predictive density and its pointwise 90 % band
    over draws. "pairs": the rows in two columns beside as many rows of a single draw, with the
    regions of highest predictive density that hold 50 % and 90 %. "distances": the ordered
    Mahalanobis distances of rows from their components (drawn given the row, averaged over draws)
    against those expected, with the 90 % band of rows drawn from the fit. Of more than 2,000 rows
    as many, evenly spaced, are drawn as dots.

    Mixtures drawn from a wide prior are narrow against it: where fewer than one in twenty has a
    component, their average is above the band.

    Args:
        fit: any fit; a point has one density and no band about it.
        kind: "density", "pairs" or "distances".
        columns: names or positions. For "density" any of them, by default all, of more than six
            the first six; for "pairs" two, by default those of the worst pair of the predictive
            check, of the prior the first two; for "distances" none.
        group: "posterior", or "prior" for what the model expects before it sees rows.
        n_draws: number of draws, >= 1, of a posterior evenly spaced; of the prior, whose draws cost
            little, up to twenty times as many.
        ax: axes to draw on where there is one panel; a new figure by default.

    Returns:
        The axes of one panel; of more an array of them, (n_panels,). Densities are per unit of the
        column, distances in standard deviations.

    Raises:
        ValueError: an unknown kind, group or column, columns or axes that the kind does not take,
            or a group that it cannot draw.

    Reference:
        Gelman, Meng & Stern (1996), Statistica Sinica 6, 733-807.
    """
    require_choice("kind", kind, KINDS)
    require_choice("group", group, GROUPS)
    if n_draws < 1:
        raise ValueError(f"Expected n_draws >= 1, got {n_draws!r}. Pass n_draws=200.")
    return KINDS[kind](fit, group, columns, n_draws, ax)
