import pandas as pd
import pytest
from command_line import assert_fine, assert_refused, run

from bayesgmm import datasets


def test_every_set_is_listed():
    result = run("datasets")
    assert_fine(result)
    assert all(name in result.output for name in datasets.names())


@pytest.mark.parametrize("labels", [False, True])
def test_a_set_is_written(tmp_path, labels):
    path = tmp_path / "new" / "penguins.csv"
    assert_fine(run("datasets", "penguins", "--out", path, *["--labels"] * labels))
    shipped = datasets.penguins()
    expected = shipped.frame.join(shipped.labels) if labels else shipped.frame
    pd.testing.assert_frame_equal(pd.read_csv(path), expected, check_dtype=False)


def test_a_set_is_written_under_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert_fine(run("datasets", "faithful"))
    assert (tmp_path / "faithful.csv").exists()
    assert_refused(run("datasets", "faithful"), "faithful.csv", "--force")
    assert_fine(run("datasets", "faithful", "--force"))


def test_what_cannot_be_given_is_refused(tmp_path):
    out = tmp_path / "table.csv"
    assert_refused(run("datasets", "none", "--out", out), "faithful", "'none'")
    assert_refused(run("datasets", "faithful", "--labels", "--out", out), "known classes")
    assert_refused(run("datasets", "--out", out), "name of a data set")
    assert not out.exists()
