"""Weight priors stated by the number of clusters they are to lead to."""

from collections.abc import Callable
from typing import Any, Self


class StatedByClusters:
    """A weight prior whose concentration may be chosen by the number of clusters."""

    @classmethod
    def from_expected_clusters(
        cls,
        low: int,
        high: int,
        *,
        prob: float = 0.9,
        n_rows: int,
        max_components: int | None = None,
        **settings: Any,
    ) -> Self:
        """State the prior by an interval for K+, the number of clusters among the rows.

        The concentration becomes a number under which low <= K+ <= high has prior probability
        ``prob``. Where all small concentrations reach ``prob``, or all large ones do, it is the one
        with just this probability; where only those between two bounds do, it is among them the one
        that leaves as much probability below the interval as above it.

        Args:
            low: least number of clusters that is expected.
            high: greatest number of clusters that is expected.
            prob: prior probability of the interval.
            n_rows: number of rows the model will be fitted to, N.
            max_components: the model's bound on the components; by default that of ``MixtureSpec``.
            **settings: further fields of the prior, kept as they are.

        Returns:
            The prior with a fixed concentration.

        Raises:
            ValueError: settings outside their domain; no concentration gives the interval
                ``prob``, or every one does.
        """
        # Imported on use: the prior of K+ is computed from weight priors, above this folder.
        from ..elicitation import with_expected_clusters

        kind: Callable[..., Self] = cls
        weights = kind(concentration=1.0, **settings)
        return with_expected_clusters(
            weights, low, high, prob=prob, n_rows=n_rows, size=max_components
        )
