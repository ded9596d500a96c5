"""The rule of the house, read from the imports: arrows point down only."""

import ast
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "bayesgmm"

# Floors from low to high; what shares a line shares a floor and stays apart.
FLOORS = (
    ("numerics", "datasets"),
    ("data",),
    ("model",),
    ("result",),
    ("engines",),
    ("posterior",),
    ("diagnostics",),
    ("store", "plots"),
    ("reporting",),
    ("api",),
    ("estimators",),
    ("selection",),
    ("cli",),
)
HEIGHT = {name: height for height, floor in enumerate(FLOORS) for name in floor}
SIBLINGS = {"em", "gibbs", "vb", "nuts", "svi"}
EXEMPT = {"__init__", "__main__"}
LONGEST_FILE = 400
FORBIDDEN_NAMES = ("utils", "helpers")

FILES = sorted(PACKAGE.rglob("*.py"))
every_file = pytest.mark.parametrize(
    "path", FILES, ids=lambda path: str(path.relative_to(PACKAGE).with_suffix(""))
)


def module_of(path):
    """The dotted name below the package as a tuple: bayesgmm/model/kernel.py is (model, kernel)."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts


def folder_of(path):
    """The package that relative imports of a file start from, without the root."""
    return path.relative_to(PACKAGE).parts[:-1]


@cache
def imports_of(path):
    """Modules of the package that a file imports anywhere, functions included, as tuples."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == PACKAGE.name:
                    found.add(tuple(alias.name.split(".")[1:]))
        elif isinstance(node, ast.ImportFrom):
            base = absolute(node, folder_of(path))
            if base is not None:
                found |= {with_member(base, alias.name) for alias in node.names}
    return found


def absolute(node, folder):
    """The module of a ``from`` import as a tuple, or None if it lies outside the package."""
    named = tuple(node.module.split(".")) if node.module else ()
    if node.level:
        return folder[: len(folder) - node.level + 1] + named
    return named[1:] if named and named[0] == PACKAGE.name else None


def with_member(base, name):
    """``from .engines import em`` names the module engines.em, not only the folder."""
    target = PACKAGE.joinpath(*base, name)
    is_module = target.is_dir() or target.with_suffix(".py").exists()
    return (*base, name) if is_module else base


def is_exempt(path):
    return module_of(path)[0] in EXEMPT


def violations(path):
    """Imports of a file that do not point down."""
    own = module_of(path)[0]
    if is_exempt(path):
        return []
    bad = []
    for target in imports_of(path):
        if not target or target[0] in EXEMPT:
            bad.append((target, "imports the package's face"))
        elif target[0] not in HEIGHT:
            bad.append((target, "is on no floor"))
        elif target[0] != own and HEIGHT[target[0]] >= HEIGHT[own]:
            bad.append((target, "does not lie below"))
    return bad


@every_file
def test_imports_point_down(path):
    assert is_exempt(path) or module_of(path)[0] in HEIGHT, "give the new part a floor"
    assert not violations(path)


@every_file
def test_sibling_engines_do_not_know_each_other(path):
    own = module_of(path)
    if own[0] != "engines" or len(own) < 2 or own[1] not in SIBLINGS:
        return
    known = {target[1] for target in imports_of(path) if target[0] == "engines" and target[1:]}
    assert not known & (SIBLINGS - {own[1]})


@every_file
def test_a_file_is_no_longer_than_400_lines_and_has_an_idea(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE
    assert not {path.stem, path.parent.name} & set(FORBIDDEN_NAMES)


@every_file
def test_a_file_says_what_it_is(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not tree.body or ast.get_docstring(tree)


def test_the_rule_sees_a_violation(tmp_path, monkeypatch):
    """The test of the test: imports upwards, unknown or of the face are found, late ones too."""
    root = tmp_path / PACKAGE.name
    for name in ("model", "engines"):
        (root / name).mkdir(parents=True)
    (root / "engines" / "em.py").write_text("")
    path = root / "model" / "kernel.py"
    path.write_text(
        "import numpy.linalg\n"
        "from ..numerics import linalg\n"
        "from . import families\n"
        "def late():\n"
        "    from ..engines import em\n"
        "    from bayesgmm.store import save\n"
        "    import bayesgmm.report.page\n"
        "    from ..novelty import thing\n"
        "    from .. import version\n"
    )
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", root)
    found = {target for target, _ in violations(path)}
    assert found == {("engines", "em"), ("store",), ("report", "page"), ("novelty",), ()}
