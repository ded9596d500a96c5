"""The parts of the page: data, number of clusters, clusters, checks, predictions, model, origin."""

import warnings

import numpy as np
import pandas as pd

from ..diagnostics.diagnosis import Diagnosis
from ..diagnostics.predictive_checks import predictive_check
from ..diagnostics.summary import summary
from ..model.cluster_prior import prior_of_clusters
from ..plots.components import components_by_cluster
from ..posterior.membership import Membership
from ..posterior.partition import Partition
from ..result import Fit
from .pictures import (
    picture_of_components,
    picture_of_n_clusters,
    picture_of_prediction,
    picture_of_run,
    pictures_of_clusters,
    pictures_of_doubt,
)
from .section import Section, Table
from .words import SURE, certainty, partition_and_mode, probability

MOST_ROWS_OF_TABLE = 60


def sections_of(fit: Fit, found: Partition, member: Membership, checks: Diagnosis) -> list[Section]:
    """Return the parts of the page in their order."""
    parts = [section_of_data(fit)]
    if not fit.is_point:
        parts.append(section_of_n_clusters(fit))
    parts += [
        section_of_clusters(fit, found, member),
        section_of_parameters(fit, found),
        section_of_checks(checks),
        section_of_prediction(fit),
        section_of_run(fit),
        section_of_model(fit),
        section_of_origin(fit),
    ]
    return parts


def section_of_data(fit: Fit) -> Section:
    """Return what the rows are."""
    data = fit.data
    values = np.asarray(data.values, float)
    head = ["column", "cells", "missing", "mean", "sd", "smallest", "largest"]
    rows = []
    for name, column in zip(data.names, values.T, strict=True):
        cells = column[~np.isnan(column)]
        numbers = (cells.mean(), cells.std(), cells.min(), cells.max())
        rows.append(
            [
                name,
                f"{len(cells):,}",
                f"{len(column) - len(cells):,}",
                *(f"{x:.4g}" for x in numbers),
            ]
        )
    said = [f"{data.n_rows:,} rows in {data.n_columns:,} columns."]
    if data.weights is not None:
        said.append(f"Rows carry weights; together they count as {data.total_weight:,.6g}.")
    if data.labels is not None:
        said.append(f"The cluster of {int((data.labels >= 0).sum()):,} rows is known.")
    return Section("data", "Data", said, tables=[Table("The columns.", head, rows)])


def section_of_n_clusters(fit: Fit) -> Section:
    """Return the posterior of the number of clusters beside its prior."""
    numbers, counts = np.unique(fit.n_clusters, return_counts=True)
    shares = counts / counts.sum()
    prior = prior_of_clusters(fit.model.spec, fit.data.n_rows)
    rows = [
        [str(n), probability(share), probability(float(prior.get(n, 0.0)))]
        for n, share in zip(numbers.tolist(), shares, strict=True)
    ]
    table = Table(
        "Posterior and prior of the number of clusters that hold rows.",
        ["clusters", "posterior", "prior"],
        rows,
    )
    return Section(
        "number", "How many clusters", pictures=[picture_of_n_clusters(fit)], tables=[table]
    )


def section_of_clusters(fit: Fit, found: Partition, member: Membership) -> Section:
    """Return the partition with its uncertainty."""
    said = [certainty(member, found), partition_and_mode(fit, found)]
    own = np.asarray(member.mean, float)[np.arange(fit.data.n_rows), found.labels]
    values = np.asarray(fit.data.values, float)
    head = ["cluster", "rows", f"sure ({SURE:g})", "mean certainty", *fit.data.names]
    rows = []
    for j in range(found.n_clusters):
        inside = found.labels == j
        with warnings.catch_warnings():
            # A cluster whose rows all miss a column has no mean there.
            warnings.simplefilter("ignore", RuntimeWarning)
            means = np.nanmean(values[inside], 0)
        sure = int((own[inside] >= SURE).sum())
        rows.append(
            [
                str(j),
                f"{int(inside.sum()):,}",
                f"{sure:,}",
                f"{own[inside].mean():.3f}",
                *(f"{mean:.4g}" for mean in means),
            ]
        )
    table = Table(
        "The clusters of the representative partition, with the means of their rows.", head, rows
    )
    pictures = pictures_of_clusters(fit, found) + pictures_of_doubt(fit, found)
    return Section("clusters", "The clusters", [one for one in said if one], pictures, [table])


def section_of_parameters(fit: Fit, found: Partition) -> Section:
    """Return the parameters of the clusters, or the reason why they have none."""
    with warnings.catch_warnings():
        # The reason is shown in its place.
        warnings.simplefilter("ignore", UserWarning)
        table = summary(fit, clusters=found)
    reason = table.attrs.get("refused", "")
    said = [reason] if reason else []
    if fit.is_point:
        order = components_by_cluster(found)[: found.n_clusters]
        pairs = ", ".join(f"{j} is component {k}" for j, k in enumerate(order))
        said = [f"The table numbers components as the fit does: cluster {pairs}."]
    if not fit.is_point and not reason:
        used, drawn = table.attrs["n_draws_used"], table.attrs["n_draws"]
        said = [
            f"Numbers of single clusters come from the {used:,} of {drawn:,} draws with the most frequent "
            f"number of clusters, {table.attrs['n_clusters']}."
        ]
    shown = texts_of(
        table.head(MOST_ROWS_OF_TABLE), "A row per parameter, in the units of the data."
    )
    if len(table) > MOST_ROWS_OF_TABLE:
        said.append(
            f"The first {MOST_ROWS_OF_TABLE} of {len(table)} rows; bg.summary(fit) has all."
        )
    return Section("parameters", "Parameters", said, picture_of_components(fit, found), [shown])


def texts_of(table: pd.DataFrame, caption: str) -> Table:
    """Return a data frame of numbers as texts, its index in front."""
    rows = [
        [str(name), *(number(x) for x in row)]
        for name, row in zip(table.index, table.to_numpy(), strict=True)
    ]
    return Table(caption, ["", *map(str, table.columns)], rows)


def number(x: object, digits: int = 6) -> str:
    """Return a number with so many digits, and nothing for one that there is not."""
    if isinstance(x, float | np.floating):
        return "" if np.isnan(x) else f"{x:.{digits}g}"
    return str(x)


def unbroken(text: object) -> str:
    """Return a text that stays on one line."""
    return str(text).replace(" ", "\u00a0")


def section_of_checks(checks: Diagnosis) -> Section:
    """Return the checks with their advice."""
    records = checks.sort_values("passed", kind="stable").to_dict("records")
    rows = [
        [str(one["check"]), number(one["value"], 4), unbroken(one["threshold"]), str(one["advice"])]
        for one in records
    ]
    marks = ["passed" if one["passed"] else "failed" for one in records]
    table = Table(
        "What was checked; what failed comes first.",
        ["check", "value", "threshold", "advice"],
        rows,
        marks,
    )
    return Section("checks", "May one believe it?", [checks.verdict], tables=[table])


def section_of_prediction(fit: Fit) -> Section:
    """Return the rows beside what the fit expects of rows."""
    table = texts_of(
        predictive_check(fit),
        "Distances between the rows and the fit, beside those of rows drawn from it; a small p is a misfit.",
    )
    return Section(
        "prediction",
        "Do the rows look like the fit?",
        pictures=[picture_of_prediction(fit)],
        tables=[table],
    )


def section_of_run(fit: Fit) -> Section:
    """Return the course of the run."""
    return Section("run", "The run", [fit.status.message], [picture_of_run(fit)])


def section_of_model(fit: Fit) -> Section:
    """Return the model with its priors in the units of the data."""
    said = "Every number that the engine used, defaults included, in the units of the data."
    return Section("model", "Model and prior", [said], code=str(fit.model))


def section_of_origin(fit: Fit) -> Section:
    """Return where the fit comes from and how to cite it."""
    lines = [f"engine    {fit.engine}"]
    origin = fit.provenance
    if origin is not None:
        lines += [
            f"seed      {origin.seed}",
            f"created   {origin.created}",
            f"seconds   {origin.seconds:.1f}",
            f"versions  {', '.join(f'{name} {text}' for name, text in origin.versions.items())}",
        ]
    said = [
        "To cite: name bayesgmm with the version below, the engine with its settings, the prior above and the "
        "seed; together they give the same numbers again."
    ]
    return Section("origin", "Origin, and how to cite", said, code="\n".join(lines))
