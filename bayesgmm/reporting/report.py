"""The door: ``report`` makes the page."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from ..diagnostics.checks import diagnose
from ..diagnostics.diagnosis import Diagnosis
from ..posterior.membership import membership
from ..posterior.partition import Partition, partition
from ..result import Fit
from .sections import sections_of
from .words import certainty, verdict


@dataclass(frozen=True)
class Report:
    """A page about a fit.

    Attributes:
        html: the page, complete in itself.
        verdict: its first sentence.
    """

    html: str
    verdict: str

    def save(self, path: Any) -> Path:
        """Write the page; the file is there whole or not at all."""
        target = Path(path)
        part = target.with_name(target.name + ".part")
        try:
            part.write_text(self.html, encoding="utf-8")
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        return target

    def __repr__(self) -> str:
        """Say what the page says first."""
        return (
            f"Report({self.verdict} {len(self.html) / 1e6:.1f} MB of HTML; .save(path) writes it)"
        )


def report(
    fit: Fit,
    path: Any = None,
    *,
    title: str = "Gaussian mixture",
    clusters: Partition | None = None,
    checks: Diagnosis | None = None,
) -> Report:
    """Make one self-contained HTML page about a fit, for people who were not there.

    What was found in a sentence, the data, the posterior of the number of clusters, the partition with its
    uncertainty, parameters, checks with advice, predictive checks, the prior and where it all comes
    from. Pictures are inside the page; nothing is loaded from elsewhere.

    Args:
        fit: any fit.
        path: where to write the page, if anywhere.
        title: its heading.
        clusters: ``partition(fit)``, to save its computation.
        checks: ``diagnose(fit)``, likewise.

    Returns:
        The page.

    Raises:
        OSError: a path that cannot be written.
    """
    found = partition(fit) if clusters is None else clusters
    member = membership(fit, found, fit.data.values)
    checks = diagnose(fit) if checks is None else checks
    said = verdict(fit, found)
    html = page().render(
        title=title,
        verdict=said,
        summary=[certainty(member, found), checks.verdict],
        sections=sections_of(fit, found, member, checks),
        footer=footer_of(fit),
    )
    made = Report(html, said)
    if path is not None:
        made.save(path)
    return made


def page() -> Any:
    """Return the template of the page."""
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    source = files(__package__).joinpath("page.html.j2").read_text(encoding="utf-8")
    return environment.from_string(source)


def footer_of(fit: Fit) -> str:
    """Say what made the page."""
    if fit.provenance is None:
        return "Made by bayesgmm."
    return (
        f"Made by bayesgmm {fit.provenance.versions.get('bayesgmm', '')}, {fit.provenance.created}."
    )
