import subprocess
import sys

import pytest
from command_line import assert_fine, assert_refused, run

from bayesgmm.cli import fit as fit_command

COMMANDS = ("demo", "fit", "select", "predict", "report", "datasets")


def test_help_names_the_commands():
    result = run("--help")
    assert_fine(result)
    assert all(word in result.output for word in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command):
    assert_fine(run(command, "--help"))


def test_help_loads_no_heavy_module():
    program = (
        "import sys, bayesgmm.cli\n"
        "heavy = {'jax', 'numpy', 'numpyro', 'arviz', 'pandas', 'matplotlib', 'scipy', 'sklearn', 'h5netcdf'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_debug_shows_the_traceback(tmp_path):
    result = run("fit", tmp_path / "none.csv", "--debug")
    assert result.exit_code == 2
    assert "Traceback" in result.stderr
    assert "found none" in result.stderr


def test_what_nobody_expected_ends_with_one(monkeypatch, tmp_path):
    def fail(*args):
        raise RuntimeError("something\nbroke")

    monkeypatch.setattr(fit_command, "table_from", fail)
    result = run("fit", tmp_path / "none.csv")
    assert result.exit_code == 1
    assert len(result.stderr.strip().splitlines()) == 1
    assert all(word in result.stderr for word in ("RuntimeError: something broke", "--debug"))
    assert "Traceback" in run("fit", tmp_path / "none.csv", "--debug").stderr


def test_an_unknown_data_set_is_refused(tmp_path):
    assert_refused(run("demo", "--data", "none", "--out", tmp_path / "out"), "faithful", "'none'")
    assert not (tmp_path / "out").exists()
