"""The documentation says what the code says: names, checks, thresholds, numbers and snippets."""

import ast
import importlib
import re
import warnings
from pathlib import Path

import pytest

import bayesgmm as bg
from bayesgmm.diagnostics import (
    model_checks,
    point_checks,
    posterior_checks,
    sampler_checks,
    singularity,
)
from bayesgmm.diagnostics.sensitivity import SENSITIVE
from bayesgmm.posterior.relabel import MOST_NON_PERMUTATIONS

DOCS = Path(__file__).parents[1] / "docs"
PAGES = ("index", "getting_started", "engines_and_priors", "coming_from", "scaling", "citing")
MODULES = {"datasets", "plots"}
JUDGES = {"at_most", "at_least", "below", "noted", "judged"}

# Where a check passes, by its heading; the numbers are those of the code.
THRESHOLDS = {
    "status": "1",
    "largest fall of the log-likelihood": f"≤ {point_checks.FALL_PER_ROW:g} N",
    "narrowest variance over the data's": f"≥ {singularity.NEAR_SINGULAR:g}",
    "share of reg_covar in a variance": f"≤ {point_checks.RIDGE_SHARE:g}",
    "components with less than one row": "≤ 0",
    "share of restarts at the best optimum": f"≥ {point_checks.REPLICATED} / `n_init`",
    "log-likelihood still to be gained": f"≤ {point_checks.GAIN_LEFT:g} nat",
    "R-hat, …": f"< {posterior_checks.R_HAT:g}",
    "… ESS, …": f"≥ {posterior_checks.ESS_PER_CHAIN} C",
    "MCSE, …": rf"≤ $\mathrm{{sd}} / \sqrt{{{posterior_checks.ESS_PER_CHAIN}\, C}}$",
    "share of draws at max_components": f"≤ {posterior_checks.BOUND_SHARE:g}",
    "VI between chains' partitions (bits)": "≤ the mean distance",
    "ARI between chains' partitions": "≥ the mean index",
    "largest R-hat, pairs together": f"< {posterior_checks.LARGEST_R_HAT:g}",
    "divergent transitions": "≤ 0",
    "lowest E-BFMI": f"≥ {sampler_checks.E_BFMI:g}",
    "share of draws at max_tree_depth": f"≤ {sampler_checks.TREE_SHARE:g}",
    "share of split-merge moves accepted": "none",
    "share of births and deaths accepted": "none",
    "predictive p, …": f"≥ {model_checks.SMALLEST_P:g}",
    "classification entropy (bits per row)": "none",
    "overlap (share misclassified at best)": "none",
    "prior predictive p": f"≥ {model_checks.SMALLEST_P:g}",
    "sensitivity of the number of clusters to its prior": f"≤ {model_checks.MOVED:g}",
    "sensitivity of the log-likelihood to the prior of …": f"≤ {SENSITIVE:g}",
    "share of rows with a large Pareto k": f"≤ {model_checks.DOUBTFUL_ROWS:g}",
    "share of draws without a permutation": f"≤ {MOST_NON_PERMUTATIONS:g}",
    "share of draws that switch labels": "none",
}


def page(name):
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


def sections():
    """Text of each check on its page by heading."""
    parts = re.split(r"^### `(.+)`$|^## .*$", page("reading_the_checks"), flags=re.MULTILINE)
    return {name: text for name, text in zip(parts[1::2], parts[2::2], strict=True) if name}


def names_in_code():
    """Names of the checks as the code states them, what varies in them put as an ellipsis."""
    found = set()
    for module in (importlib.import_module("bayesgmm.diagnostics.checks"), point_checks,
                   posterior_checks, sampler_checks, model_checks, singularity):  # fmt: skip
        tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") in JUDGES:
                found.add(in_words(call.args[0]))
    return found


def in_words(name):
    if isinstance(name, ast.Constant):
        return name.value
    known = {"N_CLUSTERS": "…", "name": "…", "method": "…", "part": "…"}
    return "".join(
        one.value if isinstance(one, ast.Constant) else known[one.value.id] for one in name.values
    )


def listed(name):
    """Names in the autosummary tables of a page of the reference."""
    return re.findall(r"^   (?!:)([A-Za-z_]+)$", page(f"api/{name}"), flags=re.MULTILINE)


def snippets(name):
    return re.findall(r"^```python\n(.*?)^```", page(name), flags=re.DOTALL | re.MULTILINE)


def run(name, folder, monkeypatch):
    """Run the snippets of a page as one program and return what it leaves."""
    monkeypatch.chdir(folder)
    left = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for snippet in snippets(name):
            exec(compile(snippet, name, "exec"), left)
    return left


def test_every_public_name_stands_in_one_group_of_the_reference():
    groups = [path.stem for path in (DOCS / "api").glob("*.md") if path.stem not in MODULES]
    assert sorted(name for group in groups for name in listed(group)) == sorted(
        set(bg.__all__) - MODULES
    )
    assert sorted(listed("plots")) == sorted(bg.plots.__all__)
    assert sorted(listed("datasets")) == sorted(bg.datasets.__all__)


def test_every_picture_is_described_on_its_page():
    described = re.findall(r"autofunction:: bayesgmm\.plots\.(\w+)", page("api/plots"))
    assert sorted(described) == sorted(bg.plots.__all__)


def test_every_check_has_a_paragraph_and_every_paragraph_a_check():
    moves = {f"share of {name}" for name in sampler_checks.MOVES}
    assert set(sections()) == names_in_code() - {"share of …"} | moves


@pytest.mark.parametrize("check", THRESHOLDS)
def test_thresholds_are_those_of_the_code(check):
    wanted = re.sub(r"e-0(\d)", r"e-\1", THRESHOLDS[check])
    said = re.search(r"^Threshold\n: (.*)", sections()[check], flags=re.MULTILINE)
    assert said is not None
    assert said[1].startswith(wanted)


def test_every_check_with_a_threshold_has_a_threshold_here():
    assert set(THRESHOLDS) == set(sections())


def test_prior_of_clusters_is_that_of_the_page():
    text = page("engines_and_priors").split("<!-- prior-of-clusters")[1]
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.split("\n\n")[0].splitlines()[3:]
    ]
    specs = [
        bg.MixtureSpec(5),
        bg.MixtureSpec(weights=bg.SparseDirichlet()),
        bg.MixtureSpec(weights=bg.DirichletProcess()),
        bg.MixtureSpec(),
        bg.MixtureSpec(weights=bg.MixtureOfFiniteMixtures(dynamic=False)),
    ]
    assert [int(row[0]) for row in cells] == list(range(1, 11))
    for column, spec in enumerate(specs, start=1):
        exact = bg.prior_of_clusters(spec, 100)
        for k, row in enumerate(cells, start=1):
            assert row[column] == (f"{exact[k]:.3f}" if k in exact.index else "")


def test_every_notebook_gives_a_card(monkeypatch):
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(DOCS / "_extensions")
    gallery = importlib.import_module("gallery")
    for path in (DOCS.parent / "examples").glob("*.ipynb"):
        found = gallery.read(path)
        assert found.title
        assert found.sentence.endswith((".", "?"))


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_snippets_run(name, tmp_path, monkeypatch):
    run(name, tmp_path, monkeypatch)


@pytest.mark.slow
def test_checks_fail_for_the_fits_that_the_page_names(tmp_path, monkeypatch):
    left = run("reading_the_checks", tmp_path, monkeypatch)
    fits = {name: fit for name, fit in left.items() if isinstance(fit, bg.Fit)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tables = {name: bg.diagnose(fit) for name, fit in fits.items()}
    for check, text in sections().items():
        said = re.search(r"^Fails for\n: (.*?)\n\n", text + "\n\n", flags=re.DOTALL | re.MULTILINE)
        pattern = re.escape(check).replace("…", ".+")
        for name in re.findall(r"`(\w+)`", said[1]) if said else []:
            failed = tables[name].query("not passed")["check"]
            assert failed.str.fullmatch(pattern).any(), f"{check} passes for {name}"
