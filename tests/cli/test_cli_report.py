import numpy as np
import xarray as xr
from command_line import assert_fine, assert_refused, json_of, names_in, run


def test_a_fit_is_reported(fit_file, tmp_path):
    out = tmp_path / "page.html"
    result = run("report", fit_file, "--out", out, "--title", "Two heaps")
    assert_fine(result)
    assert "2 components by maximum likelihood" in result.stdout
    page = out.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "<title>Two heaps</title>" in page


def test_json_holds_the_verdict(fit_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = json_of(run("report", fit_file, "--json"))
    assert found["files"] == ["report.html"]
    assert found["verdict"].startswith("2 components")


def test_an_existing_page_needs_force(fit_file, tmp_path):
    out = tmp_path / "page.html"
    out.write_text("mine")
    assert_refused(run("report", fit_file, "--out", out), "page.html", "--force")


def test_what_is_not_a_fit_is_refused(numbers, tmp_path):
    other = tmp_path / "other.nc"
    xr.Dataset({"x": ("row", np.arange(3.0))}).to_netcdf(other, engine="h5netcdf")
    for path in (numbers, tmp_path / "none.nc", other):
        assert_refused(run("report", path, "--out", tmp_path / "page.html"), path.name)
    assert names_in(tmp_path) == {"numbers.csv", "other.nc"}
