"""The house rules that a machine can check: arrows between rooms and wings, no circles, sizes of files and folders.

docs/architecture.md has the plan of the house.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
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
    "_garbage",
    "_linked",
    "_kernel_cache",
    "_awaited",
    "_stack",
    "_numba",
    "_addresses",
    "_special",
    "_pareto",
    "_draws",
    "_files",
    "_schema",
    "_capabilities",
)
CORRIDOR = ("formula", "families", "engines", "priors", "posterior", "results", "model")
ALLOWED: dict[str, set[str]] = {name: set(BASE[:position]) for position, name in enumerate(BASE)}
ALLOWED |= {"derivatives": set(BASE), "sampler": {*BASE, "derivatives"}, "datasets": set(BASE), "scores": set(BASE)}
ALLOWED |= {name: {*BASE, *CORRIDOR[:position]} for position, name in enumerate(CORRIDOR)}
for _room in ("families", "posterior"):  # users' functions are differentiated
    ALLOWED[_room].add("derivatives")
for _room in ("posterior", "results", "model"):  # draws and metrics are the sampler's gift to everyone after it
    ALLOWED[_room].add("sampler")
for _room in ("results", "model"):  # scores judge predictions of anyone's, and know no model
    ALLOWED[_room].add("scores")
ALLOWED["calibration"] = {*BASE, *CORRIDOR, "sampler", "scores"}  # it judges whole models, and no model needs it
ALLOWED["interpret"] = {*BASE, *CORRIDOR, "sampler", "scores"}  # it asks whole models, and no model needs it
ALLOWED["comparison"] = {*BASE, *CORRIDOR, "sampler", "scores"}  # it asks whole models, and no model needs it
ALLOWED["recording"] = {*BASE, *CORRIDOR, "sampler", "scores"}  # it watches the sampler, which does not know it
ALLOWED["__init__"] = set(ALLOWED)  # names only, loaded on first use
ALLOWED["commands"] = set(ALLOWED) - {"__init__"}
ALLOWED["cli"] = {"commands", "exceptions", "_columns"}
ALLOWED["__main__"] = {"cli"}

# Folders inside a room, in order: a wing imports those before it; files of the room's own folder come after them.
WINGS: dict[str, tuple[str, ...]] = {
    "formula": ("language", "columns", "forms", "evaluation", "terms"),
    "families": (
        *("links", "rows", "user", "record"),
        *("real", "positive", "proportions", "counts", "categories", "columns"),
    ),
    "priors": ("densities",),
    "posterior": (
        "record",
        "nodes",
        "assembly",
        "density",
        "products",
        "marginal",
        "integrals",
        "pilot",
        "targets",
        "points",
        "slicing",
        "independence",
        "methods",
        "run",
    ),
    "engines": ("sources",),
    "sampler": (
        *("transition", "parts", "catalogue", "constraints", "densities"),
        *("checkpoint", "independence", "pathfinder", "variational"),
    ),
    "scores": (
        "numerics",
        "distributions",
        "compounds",
        "pointwise",
        "kinds",
        "calibration",
        "sampling_error",
        "pictures",
        "reports",
    ),
    "results": ("container", "diagnostics", "predictions", "evaluation", "pictures", "storage"),
    "model": ("record", "fits", "evaluation"),
}

# Third-party packages that only some rooms know.
KEEPERS = {
    "patsy": {"formula"},
    "pandas": {
        "formula",
        "datasets",
        "engines",
        "results",
        "model",
        "calibration",
        "commands",
        "scores",
        "interpret",
        "comparison",
        "recording",
    },
    "arviz": {"results"},
    "xarray": {"results", "scores", "interpret"},  # scores only where a report becomes a tree of data
    "matplotlib": {"results", "calibration", "scores", "interpret", "recording"},
    "tqdm": {"sampler"},
    "threadpoolctl": {"_parallel"},
    "pymc": set(),
    "bambi": set(),
    "formulae": set(),
}
WITHOUT_NUMBA = {"formula", "engines", "datasets", "model", "interpret", "commands", "cli", "__init__", "__main__"}
SAMPLER_NEEDS = {"numpy", "numba", "llvmlite", "tqdm"}  # Numba brings llvmlite

LONGEST_FILE = 400
MOST_FILES = 20  # of a folder, its __init__.py not counted


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
            # `from nutslite import formula` asks for the room, `from nutslite.formula import records` for a part
            targets = [f"{module}.{alias.name}" for alias in node.names]
        else:
            continue
        for target in targets:
            yield Import(path, room_of(path), node.lineno, target)


def wing_of(room: str, names: list[str]) -> int:
    """The place of a file in its room, from the names below it: of its wing, or after all wings."""
    wings = WINGS.get(room, ())
    return wings.index(names[0]) if names and names[0] in wings else len(wings)


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
    if target == "__version__":
        return None
    if target == found.room:
        here = wing_of(target, list(found.path.relative_to(PACKAGE).parts[1:]))
        if wing_of(target, rest[1:]) > here:
            return f"{found}; inside '{target}' a wing imports those before it in {WINGS[target]} only"
        return None
    if target not in ALLOWED:
        return f"{found}; '{target}' is no room of docs/architecture.md: name public things by the module they live in"
    if target not in ALLOWED[found.room]:
        return f"{found}; {found.room} may import {sorted(ALLOWED[found.room])} only"
    return None


def module_of(path: Path) -> str:
    """The dotted name that a file is imported by."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def circle_among(imports: Iterable[Import], files: Iterable[Path]) -> list[str]:
    """Modules that import each other in a circle, or none: every import counts, wherever it stands."""
    modules = {module_of(path) for path in files}
    graph: dict[str, set[str]] = {}
    for found in imports:
        target = found.target
        while target and target not in modules:
            target = target.rpartition(".")[0]
        if target not in ("", "nutslite", module_of(found.path)):  # the package itself has names only
            graph.setdefault(module_of(found.path), set()).add(target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


@functools.cache
def all_imports() -> list[Import]:
    """Those of every file, read once, where a test asks for them: each worker collects this file."""
    return [found for path in FILES for found in imports_of(path)]


def test_every_file_lives_in_a_room():
    assert {room_of(path) for path in FILES} <= set(ALLOWED)


def test_no_arrow_points_back():
    assert [reason for found in all_imports() if (reason := forbidden(found))] == []


def test_no_file_imports_itself_by_way_of_others():
    assert circle_among(all_imports(), FILES) == []


@pytest.mark.parametrize(
    "late",
    [
        "from nutslite.posterior.run.run import run",
        "def late():\n    from nutslite.posterior.run.run import run",
        "if TYPE_CHECKING:\n    from nutslite.posterior.run import run",
    ],
)
def test_a_circle_is_seen(late):
    """`run` needs `plan` by way of others; one import back, whatever it hides behind, closes a circle."""
    path = PACKAGE / "posterior" / "targets" / "plan.py"
    circle = circle_among([*all_imports(), *imports_of(path, late)], FILES)
    assert {"nutslite.posterior.targets.plan", "nutslite.posterior.run.run"} <= set(circle)


def test_every_folder_is_a_wing():
    folders = {path.parent.relative_to(PACKAGE).parts for path in FILES if path.parent != PACKAGE}
    wings = {(room, wing) for room, names in WINGS.items() for wing in names}
    assert {parts for parts in folders if len(parts) > 1} == wings


def test_the_sampler_stands_alone():
    outside = {
        found.target.split(".")[0]
        for found in all_imports()
        if found.room == "sampler" and not found.target.startswith("nutslite.")
    }
    assert outside - set(sys.stdlib_module_names) <= SAMPLER_NEEDS
    of_derivatives = {
        found.target.split(".")[0]
        for found in all_imports()
        if found.room == "derivatives" and not found.target.startswith("nutslite.")
    }
    assert of_derivatives - set(sys.stdlib_module_names) <= SAMPLER_NEEDS | {"scipy"}  # where it is loaded already


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("formula/columns/data.py", "from nutslite.families.real import gaussian"),
        ("formula/columns/data.py", "def late():\n    import nutslite.model"),
        ("formula/columns/data.py", "from nutslite import model"),
        ("formula/columns/data.py", "from ...priors.prior import Prior"),
        ("formula/columns/data.py", "from nutslite.formula.evaluation.safety import check_calls"),
        ("formula/columns/data.py", "from nutslite.formula import design"),
        ("posterior/pilot/pilot.py", "from nutslite.posterior.targets.plan import Plan"),
        ("posterior/record/head.py", "def late():\n    from ..density.joint import joint"),
        ("formula/columns/data.py", "from nutslite import Model"),
        ("sampler/transition/nuts.py", "from nutslite.posterior.density.joint import joint"),
        ("sampler/transition/nuts.py", "from ...formula import terms"),
        ("posterior/density/joint.py", "import pandas as pd"),
        ("results/diagnostics/summary.py", "from patsy import dmatrix"),
        ("model/model.py", "import numba"),
        ("_special/elementary.py", "from nutslite.formula.records import Response"),
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
        ("posterior/density/joint.py", "from nutslite.families.links.codes import inverse"),
        ("posterior/density/joint.py", "from .effects import fill_effects"),
        ("posterior/density/joint.py", "from ..record.layout import Layout"),
        ("results/fit.py", "from nutslite.results.diagnostics.report import report"),
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


def test_no_folder_is_too_full():
    folders = {path.parent for path in FILES}
    full = {
        str(folder.relative_to(ROOT)): number
        for folder in folders
        if (number := sum(path.parent == folder and path.name != "__init__.py" for path in FILES)) > MOST_FILES
    }
    assert full == {}, "look for the wings in them"


# Families that closed forms, projections or Bambi's rules for priors serve, and names that are also something else's.
SERVED = {"gaussian", "bernoulli", "binomial", "poisson", "t"}
HOMONYMS = {"beta", "gamma", "laplace", "categorical", "cumulative", "quantiles", "exponential", "lognormal"}
# Lists of names: PyMC's of distributions, the densities of priors, and the room of scores, which knows no family.
NAME_LISTS = ("families/user/likelihood.py", "priors/densities/", "scores/", "formula/evaluation/functions.py")
FAMILY_WINGS = ("categories", "columns", "counts", "positive", "proportions", "real")


def words(path: Path) -> set[str]:
    """All strings in a file's code, and the modules that it imports."""
    tree = ast.parse(path.read_text("utf-8"))
    found = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@functools.cache
def words_by_file() -> dict[str, set[str]]:
    names = {path.relative_to(PACKAGE).as_posix(): path for path in FILES}
    return {name: words(path) for name, path in names.items() if not name.startswith(NAME_LISTS)}


FAMILY_FILES = [path for wing in FAMILY_WINGS for path in sorted((PACKAGE / "families" / wing).glob("[!_]*.py"))]


@pytest.mark.parametrize(
    "path", [path for path in FAMILY_FILES if path.stem not in SERVED | HOMONYMS], ids=lambda path: path.stem
)
def test_at_most_two_files_know_a_family(path):
    """Its own included; other families may be made of it."""
    name = path.stem
    module = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
    knowing = {file for file, said in words_by_file().items() if said & {name, module}}
    own = path.relative_to(PACKAGE).as_posix()
    others = {
        file for file in knowing - {own} if not file.startswith(tuple(f"families/{wing}/" for wing in FAMILY_WINGS))
    }
    assert len(others) <= 1, sorted(others)


@pytest.mark.parametrize("kind", ["smooth", "tensor", "hsgp", "gp", "monotonic"])
def test_at_most_two_files_know_a_term(kind):
    """Its own, and the register; penalised smooths share what they have in common."""
    module = f"nutslite.formula.terms.{kind}"
    knowing = {
        file for file, said in words_by_file().items() if any(f"{word}.".startswith(f"{module}.") for word in said)
    }
    assert knowing <= {"formula/terms/register.py"}
