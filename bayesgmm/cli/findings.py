"""What a fit says, computed once for the screen, the files and the JSON object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .speech import Speech

if TYPE_CHECKING:
    import pandas as pd

    from ..diagnostics.diagnosis import Diagnosis
    from ..posterior.partition import Partition
    from ..result import Fit


@dataclass(frozen=True)
class Findings:
    """What a fit says.

    Attributes:
        fit: the fit.
        found: its representative partition.
        verdict: the sentence that stands first.
        assignments: for each row its cluster, the probability of it, and the entropy in bits.
        checks: may one believe it?
        summary: a row per parameter.
    """

    fit: Fit
    found: Partition
    verdict: str
    assignments: pd.DataFrame
    checks: Diagnosis
    summary: pd.DataFrame

    @property
    def is_interrupted(self) -> bool:
        """Whether the user stopped the run."""
        return self.fit.status.outcome.value == "interrupted"

    def probabilities(self) -> dict[int, float]:
        """Return the posterior of the number of clusters; nothing for a point, which has none."""
        import numpy as np

        if self.fit.is_point:
            return {}
        numbers, counts = np.unique(self.fit.n_clusters, return_counts=True)
        return dict(zip(numbers.tolist(), (counts / counts.sum()).tolist(), strict=True))

    def as_record(self) -> dict[str, Any]:
        """Return what ``--json`` prints of it."""
        pmf = self.probabilities()
        mode = max(pmf, key=lambda k: pmf[k]) if pmf else int(self.fit.n_clusters)
        passed = self.checks["passed"].to_numpy(bool)
        names = self.checks["check"].to_numpy()
        origin = self.fit.provenance
        return {
            "verdict": self.verdict,
            "n_clusters": mode,
            "probability": pmf.get(mode),
            "pmf": pmf,
            "n_labels": self.found.n_clusters,
            "checks": {
                "verdict": self.checks.verdict,
                "passed": names[passed].tolist(),
                "failed": names[~passed].tolist(),
            },
            "seconds": None if origin is None else origin.seconds,
            "interrupted": self.is_interrupted,
        }


def findings_of(fit: Fit, speech: Speech) -> Findings:
    """Work out what a fit says; what it warns of becomes notes."""
    from ..diagnostics.checks import diagnose
    from ..diagnostics.summary import summary
    from ..posterior.partition import partition
    from ..reporting.words import verdict

    with speech.listening():
        found = partition(fit)
        return Findings(
            fit=fit,
            found=found,
            verdict=verdict(fit, found),
            assignments=assignments(fit, found),
            checks=diagnose(fit),
            summary=summary(fit, clusters=found),
        )


def assignments(fit: Fit, found: Partition) -> pd.DataFrame:
    """Return for each row its cluster, the probability of it, and the entropy in bits."""
    import numpy as np
    import pandas as pd

    from ..posterior.membership import membership

    member = membership(fit, found, fit.data.values)
    rows = np.arange(fit.data.n_rows)
    return pd.DataFrame(
        {
            "row": rows,
            "label": found.labels,
            "certainty": np.asarray(member.mean, float)[rows, found.labels],
            "entropy": member.entropy,
        }
    )
