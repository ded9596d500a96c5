"""``bayesgmm select``: which number of components, and which covariance structure?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .findings import findings_of
from .fit import answer
from .options import (
    AsJson,
    Columns,
    Data,
    Debug,
    Delimiter,
    Force,
    NamedOut,
    NumericOnly,
    Quiet,
    Seed,
    Standardize,
)
from .output import staged_folder
from .plan import check_covariance, sizes_of
from .refusal import InputError, errors_in_a_sentence
from .results import write_essentials, write_selection
from .show import show_checks, show_models
from .speech import Speech
from .sweep import swept, was_interrupted
from .table import Source, table_from

if TYPE_CHECKING:
    from ..selection.selection import Selection

CRITERIA = ("bic", "aic", "icl", "cv")


def select_models(
    data: Data,
    k: Annotated[str, typer.Option("--k", help="Numbers of components, A:B.")] = "1:10",
    covariance: Annotated[
        str,
        typer.Option(help="Covariance structures with commas between; all is mclust's fourteen."),
    ] = "full",
    criterion: Annotated[str, typer.Option(help="What decides: bic, aic, icl or cv.")] = "bic",
    n_init: Annotated[int, typer.Option(help="Restarts of each model.", min=1)] = 10,
    columns: Columns = None,
    numeric_only: NumericOnly = False,
    standardize: Standardize = False,
    delimiter: Delimiter = None,
    out: NamedOut = None,
    seed: Seed = 0,
    quiet: Quiet = False,
    as_json: AsJson = False,
    force: Force = False,
    debug: Debug = False,
) -> None:
    """Fit every number of components and covariance structure by EM, and compare them."""
    speech = Speech(quiet=quiet, as_json=as_json)
    with errors_in_a_sentence(debug):
        asked = request_of(k, covariance, criterion, n_init, seed)
        folder = out or Path(f"{data.stem}-select")
        with staged_folder(folder, force) as stage:
            table = table_from(Source(data, columns, delimiter, numeric_only, standardize), speech)
            selected = swept(table.data, speech, **asked)
            findings = findings_of(selected.fits[selected.best], speech)
            show_models(selected, speech)
            speech.say(f"\n{winner_in_words(selected)}\n", style="bold")
            show_checks(findings.checks, speech)
            title = f"Best model of {data.stem}"
            write_essentials(findings, table.scaling, stage, title, speech)
            write_selection(selected, stage)
        what_next = [f"on new rows:   bayesgmm predict {folder / 'fit.nc'} NEW.csv"]
        more = {
            "winner": winner_as_record(selected),
            "interrupted": was_interrupted(selected) or findings.is_interrupted,
        }
        answer(findings, folder, what_next, speech, **more)


def request_of(k: str, covariance: str, criterion: str, n_init: int, seed: int) -> dict[str, Any]:
    """Check what was asked for and return it as arguments of ``bg.select``.

    Raises:
        InputError: a text that means nothing.
    """
    if criterion not in CRITERIA:
        raise InputError(
            f"Expected --criterion to be one of {', '.join(CRITERIA)}, got {criterion!r}; choose one of "
            "these."
        )
    names: Any = [name.strip() for name in covariance.split(",") if name.strip()]
    if names == ["all"]:
        names = "all"
    elif not names:
        raise InputError(
            "Expected --covariance to name structures, got none; pass --covariance full."
        )
    else:
        for name in names:
            check_covariance(name, "em")
    sizes = sizes_of(k, auto=False)
    return {
        "n_components": sizes,
        "covariance_type": names,
        "criterion": criterion,
        "n_init": n_init,
        "seed": seed,
    }


def winner_in_words(selected: Selection) -> str:
    """Say which model won and by how much."""
    structure, size = selected.best
    noun = "component" if size == 1 else "components"
    text = f"Best by {selected.criterion.upper()}: {size} {noun} with {structure} covariance"
    ranked = selected.ranked.dropna(subset=["delta"])
    if len(ranked) < 2:
        return f"{text}."
    second = ranked.iloc[1]
    return (
        f"{text}, {second['delta']:.2f} ahead of {second['n_components']} with "
        f"{second['covariance_type']} covariance."
    )


def winner_as_record(selected: Selection) -> dict[str, Any]:
    """Return the winner for the JSON object."""
    structure, size = selected.best
    ranked = selected.ranked.dropna(subset=["delta"])
    ahead = float(ranked.iloc[1]["delta"]) if len(ranked) > 1 else None
    return {
        "covariance": structure,
        "n_components": size,
        "criterion": selected.criterion,
        "ahead": ahead,
    }
