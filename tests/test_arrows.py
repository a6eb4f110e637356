"""The house rules that a machine can check: the arrows between rooms (docs/architecture.md), the length of a file."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "nutslite"
FILES = sorted(PACKAGE.rglob("*.py"))

# What each room may import beside itself. The base is for everyone; within it, everyone below may use the ones above.
BASE = (
    "exceptions",
    "_calls",
    "_config",
    "_columns",
    "_log",
    "_parallel",
    "_kernel_cache",
    "_stack",
    "_numba",
    "_special",
    "_draws",
    "_files",
    "_schema",
)
CORRIDOR = ("formula", "families", "priors", "posterior", "results", "model")
ALLOWED: dict[str, set[str]] = {name: set(BASE[:position]) for position, name in enumerate(BASE)}
ALLOWED |= {"sampler": set(BASE), "datasets": set(BASE)}
ALLOWED |= {name: {*BASE, *CORRIDOR[:position]} for position, name in enumerate(CORRIDOR)}
for _room in ("posterior", "results", "model"):  # draws and metrics are the sampler's gift to everyone after it
    ALLOWED[_room].add("sampler")
ALLOWED["calibration"] = {*BASE, *CORRIDOR, "sampler"}  # it judges whole models, and no model needs it
ALLOWED["__init__"] = set(ALLOWED)  # names only, loaded on first use
ALLOWED["commands"] = set(ALLOWED) - {"__init__"}
ALLOWED["cli"] = {"commands", "exceptions", "_columns"}
ALLOWED["__main__"] = {"cli"}

# Third-party packages that only some rooms know.
KEEPERS = {
    "patsy": {"formula"},
    "pandas": {"formula", "datasets", "results", "model", "calibration", "commands"},
    "arviz": {"results"},
    "xarray": {"results"},
    "matplotlib": {"results", "calibration"},
    "tqdm": {"sampler"},
    "pymc": set(),
    "bambi": set(),
    "formulae": set(),
}
WITHOUT_NUMBA = {"formula", "datasets", "model", "commands", "cli", "__init__", "__main__"}
SAMPLER_NEEDS = {"numpy", "numba", "tqdm"}

LONGEST_FILE = 400


class Import(NamedTuple):
    """One import statement: the file, its room, the line, and the dotted name that it asks for."""

    path: Path
    room: str
    line: int
    target: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} imports {self.target}"


def room_of(path: Path) -> str:
    """The first folder below the package, or the file's own name where there is none."""
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else path.stem


def imports_of(path: Path, source: str | None = None) -> Iterator[Import]:
    """Every import of a file, those inside functions and under TYPE_CHECKING included."""
    inside = ("nutslite", *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(ast.parse(source if source is not None else path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = list(inside[: len(inside) - node.level + 1]) if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            # `from nutslite import formula` asks for the room, `from nutslite.formula import terms` for something in it
            targets = [f"{module}.{alias.name}" for alias in node.names]
        else:
            continue
        for target in targets:
            yield Import(path, room_of(path), node.lineno, target)


def forbidden(found: Import) -> str | None:
    """Why an import breaks a rule, or None."""
    package, *rest = found.target.split(".")
    if package != "nutslite":
        if package in KEEPERS and found.room not in KEEPERS[package]:
            return f"{found}; only {sorted(KEEPERS[package]) or 'nobody'} may import {package}"
        if package == "numba" and found.room in WITHOUT_NUMBA:
            return f"{found}; {found.room} knows no Numba"
        return None
    target = rest[0] if rest else "__init__"
    if target == found.room or target == "__version__":
        return None
    if target not in ALLOWED:
        return f"{found}; '{target}' is no room of docs/architecture.md: name public things by the module they live in"
    if target not in ALLOWED[found.room]:
        return f"{found}; {found.room} may import {sorted(ALLOWED[found.room])} only"
    return None


ALL_IMPORTS = [found for path in FILES for found in imports_of(path)]


def test_every_file_lives_in_a_room():
    assert {room_of(path) for path in FILES} <= set(ALLOWED)


def test_no_arrow_points_back():
    assert [reason for found in ALL_IMPORTS if (reason := forbidden(found))] == []


def test_the_sampler_stands_alone():
    outside = {
        found.target.split(".")[0]
        for found in ALL_IMPORTS
        if found.room == "sampler" and not found.target.startswith("nutslite.")
    }
    assert outside - set(sys.stdlib_module_names) <= SAMPLER_NEEDS


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("formula/columns/data.py", "from nutslite.families import gaussian"),
        ("formula/columns/data.py", "def late():\n    import nutslite.model"),
        ("formula/columns/data.py", "from nutslite import model"),
        ("formula/columns/data.py", "from ..priors.prior import Prior"),
        ("formula/columns/data.py", "from nutslite import Model"),
        ("sampler/transition/nuts.py", "from nutslite.posterior.density.joint import joint"),
        ("sampler/transition/nuts.py", "from ..formula import terms"),
        ("posterior/density/joint.py", "import pandas as pd"),
        ("results/diagnostics/summary.py", "from patsy import dmatrix"),
        ("model/model.py", "import numba"),
        ("_special.py", "from nutslite.formula.terms import Response"),
        ("exceptions.py", "from nutslite._numba import kernel"),
        ("results/predictions/predict.py", "from nutslite.cli import main"),
        ("model/fitting.py", "from nutslite.calibration.study import simulation_based_calibration"),
    ],
)
def test_an_arrow_that_points_back_is_seen(file, source):
    (found,) = imports_of(PACKAGE / file, source)
    assert forbidden(found)


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("posterior/density/joint.py", "from nutslite.families.links.links import inverse"),
        ("posterior/density/joint.py", "from .layout import Layout"),
        ("results/container/inference_data.py", "from nutslite import __version__"),
        ("model/fitting.py", "from nutslite.sampler.sample import sample"),
        ("formula/design.py", "import pandas as pd"),
        ("sampler/transition/nuts.py", "from nutslite._numba import kernel"),
    ],
)
def test_an_arrow_that_points_forward_is_free(file, source):
    (found,) = imports_of(PACKAGE / file, source)
    assert forbidden(found) is None


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_file_is_too_long(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST_FILE, f"{path.relative_to(ROOT)} has {lines} lines: look for the second noun in it"
