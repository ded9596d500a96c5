from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from command_line import (
    EVERYTHING,
    assert_fine,
    assert_refused,
    json_of,
    names_in,
    repeated,
    run,
)
from rich.console import Console

import bayesgmm as bg
from bayesgmm import datasets
from bayesgmm.cli import findings, plan, show
from bayesgmm.cli.plan import Plan, plan_of, sample
from bayesgmm.cli.refusal import InputError
from bayesgmm.cli.scaling import scaling_of
from bayesgmm.cli.speech import Speech
from bayesgmm.diagnostics.diagnosis import Diagnosis
from bayesgmm.posterior.membership import membership
from bayesgmm.posterior.partition import partition
from bayesgmm.result import Outcome, Status


def assert_assigned(out):
    found = pd.read_csv(out / "assignments.csv")
    assert list(found.columns) == ["row", "label", "certainty", "entropy"]
    assert found["label"].tolist() == [0] * 20 + [1] * 15
    assert found["certainty"].between(0.5, 1).all()
    assert found["entropy"].between(0, 1).all()


@pytest.mark.parametrize("k", ["0", "some", "2.5", "-1", "3:1", "0:2", ":4", "2:", "1:2:3", ""])
def test_a_bad_k_is_refused(numbers, k):
    assert_refused(run("fit", numbers, f"--k={k}"), "--k", repr(k))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--engine", "vb"], ("gibbs, nuts, em", "'vb'")),
        (["--covariance", "round"], ("full, tied, diag, spherical", "'round'")),
        (["--engine", "em", "--k", "2", "--covariance", "round"], ("VEV", "'round'")),
        (["--covariance", "VEV"], ("'VEV'", "--engine em")),
        (["--engine", "em"], ("--k 1:10", "--engine gibbs")),
        (["--k", "1:4"], ("--k auto --max-k 4", "--engine em", "bayesgmm select")),
        (["--k", "1:4", "--engine", "nuts"], ("--k auto --max-k 4",)),
        (["--k", "1:4", "--engine", "em", "--checkpoint", "run"], ("--checkpoint", "--k 1:4")),
    ],
)
def test_what_does_not_go_together_is_refused_before_reading(tmp_path, options, words):
    out = tmp_path / "out"
    assert_refused(run("fit", tmp_path / "none.csv", *options, "--out", out), *words)
    assert not out.exists()


@pytest.mark.parametrize("engine", ["gibbs", "em"])
def test_more_components_than_rows_are_refused(numbers, tmp_path, engine):
    out = tmp_path / "out"
    assert_refused(run("fit", numbers, "--k", 99, "--engine", engine, "--out", out), "99")
    assert names_in(tmp_path) == {"numbers.csv"}


def test_plans_become_models():
    gibbs = plan_of("auto", 7, "gibbs", "diag", 50)
    assert gibbs.spec(5) == bg.MixtureSpec(max_components=5, covariance="diag")
    assert gibbs.settings(progress=False) == bg.Gibbs(n_draws=50, progress=False)
    nuts = plan_of("auto", 7, "nuts", "full", 50)
    assert nuts.spec(100) == bg.MixtureSpec(max_components=7, weights=bg.SparseDirichlet())
    assert nuts.settings(progress=True) == bg.NUTS(n_draws=50, progress=True)
    assert plan_of("3", None, "nuts", "tied", 50).spec(9) == bg.MixtureSpec(3, covariance="tied")
    em = plan_of("3", None, "em", "VEV", None)
    assert em.spec(9) == bg.MixtureSpec.maximum_likelihood(3, "VEV")
    assert em.settings(progress=False).n_init == 10
    long = plan_of("auto", 7, "gibbs", "full", 50, Path("run.checkpoint"))
    assert long.settings(progress=False).checkpoint == "run.checkpoint"


def test_a_checkpoint_is_written_or_refused(numbers, tmp_path, quick, monkeypatch):
    monkeypatch.setattr(plan, "sample", sample)
    path = tmp_path / "run.checkpoint"
    options = ("fit", numbers, "--k", 2, "--engine", "em", "--checkpoint")
    assert_fine(run(*options, path, "--out", tmp_path / "out"))
    assert path.exists()
    assert_refused(run(*options, path, "--seed", 7, "--out", tmp_path / "other"), "of this seed")
    nowhere = tmp_path / "nowhere" / "run.checkpoint"
    assert_refused(run(*options, nowhere, "--out", tmp_path / "other"), "Make the folder first")


def test_fit_writes_everything(numbers, tmp_path, quick):
    out = tmp_path / "out"
    result = run("fit", numbers, "--k", 2, "--draws", 20, "--out", out)
    assert_fine(result)
    assert names_in(out) == EVERYTHING
    assert_assigned(out)
    words = ("2 columns (a, b)", "Posterior of the number", *EVERYTHING, "predict")
    assert all(word in result.stdout for word in words)
    assert "2 components as given, 35 rows in 2 columns." in result.stdout
    summary = pd.read_csv(out / "summary.csv")
    assert {"n_clusters", "mean[0, a]"} <= set(summary["parameter"])
    assert bg.load(out / "fit.nc").model.spec == bg.MixtureSpec(2)
    assert "numbers" in (out / "report.html").read_text()


def test_quiet_prints_nothing(numbers, tmp_path, quick):
    options = ("--k", 2, "--engine", "em", "--out", tmp_path / "out", "--quiet")
    result = run("fit", numbers, *options)
    assert_fine(result)
    assert result.output == ""


def test_json_is_one_object(numbers, tmp_path, quick):
    out = tmp_path / "out"
    result = run("fit", numbers, "--out", out, "--json", "--quiet")
    assert_fine(result)
    found = json_of(result)
    assert found["verdict"].startswith("2 clusters with probability > 0.99")
    assert (found["n_clusters"], found["probability"]) == (2, 1.0)
    assert found["pmf"] == {"2": 1.0}
    assert set(found["checks"]) == {"verdict", "passed", "failed"}
    assert found["seconds"] > 0
    assert not found["interrupted"]
    assert set(found["files"]) == {str(out / name) for name in EVERYTHING}
    assert result.stderr == ""


def test_json_of_a_refusal_is_empty(table):
    result = run("fit", table, "--json")
    assert_refused(result, "--numeric-only")
    assert result.stdout == ""


def test_columns_that_are_not_numbers_can_be_left_out(table, tmp_path, quick):
    result = run("fit", table, "--numeric-only", "--k", 2, "--out", tmp_path / "out")
    assert_fine(result)
    assert "left out: name." in result.stdout


@pytest.mark.slow
def test_missing_cells_are_served_and_told(tmp_path, frame, quick):
    path = tmp_path / "gaps.csv"
    gaps = frame.copy()
    gaps.loc[3, "b"] = np.nan
    gaps.to_csv(path, index=False)
    result = run("fit", path, "--k", 2, "--out", tmp_path / "out")
    assert_fine(result)
    assert "1 cells in 1 rows are missing" in result.stdout
    assert_assigned(tmp_path / "out")


def test_standardised_columns_are_told_and_kept(tmp_path, frame, quick):
    path, out = tmp_path / "scaled.csv", tmp_path / "out"
    scaled = frame * [10, 0.1] + [5, 3]
    scaled.loc[0, "a"] = np.nan
    scaled.to_csv(path, index=False)
    result = run("fit", path, "--k", 2, "--standardize", "--out", out)
    assert_fine(result)
    assert "standardised" in result.stdout
    fit = bg.load(out / "fit.nc")
    np.testing.assert_allclose(np.nanmean(fit.data.values, 0), 0, atol=1e-12)
    np.testing.assert_allclose(np.nanstd(fit.data.values, 0), 1)
    kept = scaling_of(out / "fit.nc", fit)
    assert kept.names == ("a", "b")
    np.testing.assert_allclose(kept.centre, scaled.mean())
    np.testing.assert_allclose(kept.sd, scaled.std(ddof=0))


def test_a_constant_column_cannot_be_standardised(tmp_path, frame):
    path = tmp_path / "constant.csv"
    frame.assign(c=1.0).to_csv(path, index=False)
    assert_refused(run("fit", path, "--standardize", "--out", tmp_path / "out"), "constant", "c")


@pytest.mark.slow
def test_warnings_become_notes(tmp_path, frame, quick):
    path = tmp_path / "constant.csv"
    frame.assign(c=1.0).to_csv(path, index=False)
    options = ("--k", 2, "--engine", "em", "--out", tmp_path / "out", "--json")
    result = run("fit", path, *options)
    assert_fine(result)
    assert any("['c'] are constant" in note for note in json_of(result)["notes"])


def test_a_point_fit_has_no_posterior(numbers, tmp_path, quick):
    out = tmp_path / "out"
    result = run("fit", numbers, "--k", 2, "--engine", "em", "--out", out, "--json", "--quiet")
    assert_fine(result)
    found = json_of(result)
    assert found["verdict"].startswith("2 components by maximum likelihood")
    assert (found["n_clusters"], found["probability"], found["pmf"]) == (2, None, {})
    assert names_in(out) == EVERYTHING - {"n_clusters.png"}


@pytest.mark.slow
def test_a_range_is_swept_by_em(numbers, tmp_path, quick):
    out = tmp_path / "out"
    options = ("--engine", "em", "--covariance", "EII", "--out", out, "--quiet", "--json")
    result = run("fit", numbers, "--k", "1:3", *options)
    assert_fine(result)
    found = json_of(result)
    assert found["n_clusters"] == 2
    assert any("2 of 1 to 3 components have the best BIC" in note for note in found["notes"])
    assert bg.load(out / "fit.nc").model.family.name == "EII"


def test_nuts_says_which_prior_it_has(numbers, tmp_path, quick):
    result = run("fit", numbers, "--engine", "nuts", "--out", tmp_path / "out")
    assert_fine(result)
    assert "sparse Dirichlet" in result.stdout


def interrupted(data, spec, engine, seed):
    status = Status(Outcome.INTERRUPTED, "Interrupted: 3 of 1000 draws per chain are kept.")
    return replace(repeated(data, spec, engine, seed, n_draws=3), status=status)


@pytest.mark.slow
def test_an_interrupted_run_is_written_and_told(numbers, tmp_path, quick, monkeypatch):
    monkeypatch.setattr(plan, "sample", interrupted)
    out = tmp_path / "out"
    result = run("fit", numbers, "--k", 2, "--out", out, "--json")
    assert_fine(result, code=130)
    assert json_of(result)["interrupted"]
    assert names_in(out) == EVERYTHING


def test_a_run_interrupted_before_any_draw_leaves_nothing(numbers, tmp_path, monkeypatch):
    def stop(*args):
        raise KeyboardInterrupt("Interrupted in warm-up.")

    monkeypatch.setattr(plan, "sample", stop)
    result = run("fit", numbers, "--out", tmp_path / "out")
    assert result.exit_code == 130
    assert result.stderr == "bayesgmm: Interrupted in warm-up. Nothing was written.\n"
    assert names_in(tmp_path) == {"numbers.csv"}


def test_a_failure_on_the_way_leaves_nothing(numbers, tmp_path, quick, monkeypatch):
    def fail(*args):
        raise RuntimeError("no")

    monkeypatch.setattr("bayesgmm.cli.results.pictures", fail)
    assert_fine(run("fit", numbers, "--k", 2, "--out", tmp_path / "out"), code=1)
    assert names_in(tmp_path) == {"numbers.csv"}


def test_checks_are_printed_with_advice_where_they_fail():
    rows = [("R-hat", 1.001, "< 1.01", True, "none"), ("ESS", 12.0, ">= 400", False, "Draw more.")]
    checks = Diagnosis(rows, columns=["check", "value", "threshold", "passed", "advice"])
    checks.attrs["verdict"] = "1 of 2 checks fails."
    speech = Speech()
    speech.console = Console(record=True, width=100, file=StringIO())
    show.show_checks(checks, speech)
    text = speech.console.export_text()
    assert text.startswith("1 of 2 checks fails.")
    assert all(word in text for word in ("ESS", "12", ">= 400", "Draw more."))
    assert not any(word in text for word in ("R-hat", "none"))


def test_assignments_of_a_point_are_its_responsibilities():
    spec = bg.MixtureSpec.maximum_likelihood(2)
    fit = bg.fit(datasets.faithful().frame, spec, engine=bg.EM())
    found = partition(fit)
    table = findings.assignments(fit, found)
    p = membership(fit, found, fit.data.values).mean[:, 0]
    np.testing.assert_allclose(table["certainty"], np.maximum(p, 1 - p))
    expected = scipy.stats.entropy(np.stack([p, 1 - p]), base=2)
    np.testing.assert_allclose(table["entropy"], expected, atol=1e-12)


def test_refusals_of_the_engines_are_bad_input(point):
    refused = Plan(40, 10, "em", "full", 4)
    with pytest.raises(InputError, match="n_samples >= n_components"):
        refused.run(point.data, 0, Speech(quiet=True))


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["gibbs", "nuts", "em"])
def test_fit_runs_end_to_end(numbers, tmp_path, engine):
    out = tmp_path / "out"
    draws = [] if engine == "em" else ["--draws", 50]
    options = ("--k", 2, "--engine", engine, "--out", out, "--standardize")
    result = run("fit", numbers, *options, *draws)
    assert_fine(result)
    assert names_in(out) == EVERYTHING - ({"n_clusters.png"} if engine == "em" else set())
    assert_assigned(out)


@pytest.mark.slow
def test_demo_runs_end_to_end(tmp_path):
    out = tmp_path / "demo"
    result = run("demo", "--out", out, "--draws", 100)
    assert_fine(result)
    assert names_in(out) == EVERYTHING
    assert "Palmer Archipelago" in result.stdout
    assert "Look next" in result.stdout


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--engine", "em", "--k", "2", "--draws", "50"], "no --draws for --engine em"),
        (["--k", "3", "--max-k", "5"], "--max-k with --k auto only"),
    ],
)
def test_options_without_effect_are_refused(numbers, tmp_path, asked, said):
    assert_refused(run("fit", numbers, *asked, "--out", tmp_path / "out"), said)
