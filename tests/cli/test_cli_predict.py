import h5netcdf
import numpy as np
import pandas as pd
import pytest
from command_line import assert_fine, assert_refused, json_of, names_in, run

import bayesgmm as bg
from bayesgmm.cli import intake
from bayesgmm.cli.scaling import ATTRIBUTE
from bayesgmm.posterior.membership import membership
from bayesgmm.posterior.partition import partition


@pytest.fixture
def out(tmp_path):
    return tmp_path / "predictions.csv"


def predicted(*args):
    result = run("predict", *args)
    assert_fine(result)
    return pd.read_csv(args[args.index("--out") + 1])


def test_a_point_predicts(fit_file, point, table, frame, out):
    found = predicted(fit_file, table, "--out", out)
    columns = ["row", "label", "certainty", "entropy", "p0", "p1", "log_density"]
    assert list(found.columns) == columns
    member = membership(point, partition(point), frame)
    np.testing.assert_allclose(found[["p0", "p1"]], member.mean)
    np.testing.assert_allclose(found["entropy"], member.entropy)
    np.testing.assert_allclose(found["certainty"], member.mean.max(1))
    np.testing.assert_allclose(found["log_density"], bg.log_density(point, frame))
    assert found["label"].tolist() == [0] * 20 + [1] * 15
    assert found["row"].tolist() == list(range(35))


def test_a_posterior_predicts_with_intervals_and_scores(posterior_file, posterior, numbers, out):
    found = predicted(posterior_file, numbers, "--out", out, "--interval", 0.8)
    rows = pd.read_csv(numbers)
    member = membership(posterior, partition(posterior), rows, 0.8)
    np.testing.assert_allclose(found[["p0_lower", "p1_lower"]], member.lower)
    np.testing.assert_allclose(found[["p0_upper", "p1_upper"]], member.upper)
    np.testing.assert_allclose(found["anomaly"], bg.anomaly_score(posterior, rows))


def test_columns_are_found_by_name(fit_file, frame, tmp_path, out):
    path = tmp_path / "shuffled.csv"
    frame.assign(c="text")[["b", "c", "a"]].to_csv(path, index=False)
    found = predicted(fit_file, path, "--out", out)
    assert found["label"].tolist() == [0] * 20 + [1] * 15
    frame[["b"]].to_csv(path, index=False)
    assert_refused(run("predict", fit_file, path, "--out", out, "--force"), "a, b", "without a")


def test_blocks_and_missing_cells_change_nothing(fit_file, frame, tmp_path, out, monkeypatch):
    path = tmp_path / "gaps.csv"
    gaps = frame.copy()
    gaps.loc[[2, 30], "b"] = np.nan
    gaps.to_csv(path, index=False)
    whole = predicted(fit_file, path, "--out", out)
    monkeypatch.setattr(intake, "BLOCK_ROWS", 8)
    parts = predicted(fit_file, path, "--out", out, "--force")
    pd.testing.assert_frame_equal(parts, whole)


def test_rows_are_standardised_as_those_of_the_fit(frame, tmp_path, out, quick):
    path, folder = tmp_path / "scaled.csv", tmp_path / "fit"
    scaled = frame * [10, 0.1] + [5, 3]
    scaled.to_csv(path, index=False)
    options = ("--k", 2, "--engine", "em", "--quiet", "--out", folder)
    assert_fine(run("fit", path, "--standardize", *options))
    found = predicted(folder / "fit.nc", path, "--out", out)
    assert found["label"].tolist() == [0] * 20 + [1] * 15
    # Full covariances are the same in all units, but for the regularisation and k-means.
    plain = bg.fit(scaled, bg.MixtureSpec.maximum_likelihood(2), engine=bg.EM(reg_covar=0))
    np.testing.assert_allclose(found["log_density"], bg.log_density(plain, scaled), rtol=1e-3)


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        "{}",
        '{"names": ["a", "b"], "centre": [0, 0], "sd": [1, 0]}',
        '{"names": ["a", "b"], "centre": [0, 0], "sd": [1]}',
        '{"names": ["a", "b"], "centre": ["x", 0], "sd": [1, 1]}',
        '{"names": ["a", "b"], "centre": [NaN, 0], "sd": [1, 1]}',
        '{"names": ["a", "z"], "centre": [0, 0], "sd": [1, 1]}',
    ],
)
def test_a_malformed_scaling_is_refused(fit_file, numbers, out, text):
    with h5netcdf.File(fit_file, "r+") as file:
        file.attrs[ATTRIBUTE] = text
    assert_refused(run("predict", fit_file, numbers, "--out", out), "standardised", "--standardize")


@pytest.mark.parametrize("interval", ["0", "1", "1.5", "-0.1", "nan"])
def test_an_interval_outside_0_and_1_is_refused(fit_file, numbers, out, interval):
    result = run("predict", fit_file, numbers, f"--interval={interval}", "--out", out)
    assert_refused(result, "--interval", "between 0 and 1")


def test_what_cannot_be_predicted_is_refused(fit_file, tmp_path, out, monkeypatch):
    monkeypatch.setattr(intake, "BLOCK_ROWS", 2)
    path = tmp_path / "new.csv"
    cases = {
        "a,b\n1,2\n3,4\n,\n": "row 2",
        "a,b\n1,2\n3,4\n5,inf\n": "infinity in row 2",
        "a,b\n1,2\n3,4\n5,x\n": "text or dates in b",
        "a,b\n": "with rows",
        "a;b\n1;2\n": "--delimiter",
    }
    for text, words in cases.items():
        path.write_text(text)
        result = run("predict", fit_file, path, "--out", out)
        assert result.exit_code == 2
        assert words in result.stderr
        assert names_in(tmp_path) == {"fit.nc", "new.csv"}


def test_an_existing_file_needs_force(fit_file, numbers, out):
    out.write_text("mine")
    assert_refused(run("predict", fit_file, numbers, "--out", out), "--force")
    assert out.read_text() == "mine"
    assert len(predicted(fit_file, numbers, "--out", out, "--force")) == 35


def test_what_is_not_a_fit_is_refused(numbers, tmp_path, out):
    for path in (numbers, tmp_path / "none.nc", tmp_path):
        assert_refused(run("predict", path, numbers, "--out", out), path)


def test_json_counts_rows(fit_file, numbers, out):
    result = run("predict", fit_file, numbers, "--out", out, "--json", "--quiet")
    expected = {"n_rows": 35, "n_labels": 2, "files": [str(out)], "notes": []}
    assert json_of(result) == expected
