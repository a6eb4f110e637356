"""The front of the house: light to import, every public name where it says, one version."""

from __future__ import annotations

import ast
import doctest
import json
import os
import pkgutil
import re
import subprocess
import sys
from fnmatch import fnmatch
from importlib import import_module, metadata
from pathlib import Path

import pytest
from conftest import ON_ONE_PYTHON

import nutslite

ROOT = Path(__file__).resolve().parent.parent
HEAVY = ("numba", "llvmlite", "numpy", "scipy", "pandas", "patsy", "arviz", "xarray", "matplotlib", "tqdm", "h5netcdf")
MODULES = [
    module.name for module in pkgutil.walk_packages(nutslite.__path__, "nutslite.") if "__main__" not in module.name
]


def run_python(code: str, **environment: str) -> str:
    """Standard output of `code` in a fresh process that runs from the repository."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    ).stdout


def test_import_loads_nothing_heavy():
    loaded = json.loads(run_python("import json, sys, nutslite; dir(nutslite); print(json.dumps(list(sys.modules)))"))
    assert {name.split(".")[0] for name in loaded} & set(HEAVY) == set()
    assert [name for name in loaded if name.startswith("nutslite.")] == []


def test_command_line_starts_light():
    loaded = json.loads(run_python("import json, sys, nutslite.cli; print(json.dumps(list(sys.modules)))"))
    assert {name.split(".")[0] for name in loaded} & set(HEAVY) == set()


@pytest.mark.parametrize("module", MODULES)
def test_import_compiles_nothing(module, compile_events):
    assert compile_events[module] == []


@pytest.fixture(scope="module")
def compile_events(tmp_path_factory) -> dict[str, list[str]]:
    """What Numba compiled while each module of the package was imported, all in one process with an empty cache."""
    code = f"""
import importlib, json
from numba.core import event

class Listener(event.Listener):
    def on_start(self, happened):
        names.append(str(happened.data["dispatcher"]))
    def on_end(self, happened):
        pass

names, seen = [], {{}}
event.register("numba:compile", Listener())
for module in {MODULES!r}:
    try:
        importlib.import_module(module)
    except Exception as error:
        names.append(f"does not import: {{error!r}}")
    seen[module] = list(names)
    names.clear()
print(json.dumps(seen))
"""
    cache = tmp_path_factory.mktemp("empty-cache")
    return json.loads(run_python(code, NUMBA_CACHE_DIR=str(cache)).splitlines()[-1])


@pytest.mark.parametrize("name", nutslite.__all__)
def test_public_name_is_where_it_says(name):
    value = getattr(nutslite, name)
    assert value is not None
    assert name in dir(nutslite)
    if name != "__version__":
        thing = value if hasattr(value, "__name__") else type(value)  # `config` is the one object of its class
        assert thing.__name__.lower() == name.lower()
        assert thing.__module__.startswith("nutslite.")
        assert thing.__doc__


def test_public_names_are_listed_once_for_people_and_once_for_type_checkers():
    names = [name for name in nutslite.__all__ if name != "__version__"]
    assert names == list(nutslite._HOMES)
    checked = next(
        node
        for node in ast.parse(Path(nutslite.__file__).read_text(encoding="utf-8")).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    imported = {
        alias.name: node.module for node in checked.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert imported == nutslite._HOMES


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'nutslite' has no attribute 'Modell'"):
        _ = nutslite.Modell


def test_installed_version_is_the_package_s():
    try:
        installed = metadata.version("nutslite")
    except metadata.PackageNotFoundError:
        pytest.skip("nutslite is not installed here, it runs from the checkout")
    assert installed == nutslite.__version__


def test_changelog_knows_the_version_or_says_unreleased():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "## [Unreleased]" in text or f"## [{nutslite.__version__}]" in text


@pytest.mark.parametrize("module", ["nutslite", *MODULES])
def test_examples_in_docstrings(module):
    failed, _ = doctest.testmod(import_module(module), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert failed == 0


# ------------------------------------------------------------------------------------------- what the documents promise


def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def test_example_of_the_readme_runs():
    (example,) = re.findall(r"```python\n(.*?)```", readme(), flags=re.DOTALL)
    printed = run_python(example)
    assert "Days" in printed
    assert "r_hat" in printed


def test_readme_lists_exactly_the_families_that_there_are():
    from nutslite.families.user.built_in import family_names

    (row,) = re.findall(r"^\| families \| (.*) \|$", readme(), flags=re.MULTILINE)
    assert sorted(row.split(", ")) == family_names()


def test_every_package_folder_is_a_package():
    folders = {path.parent for path in Path(nutslite.__file__).parent.rglob("*.py")}
    assert [folder.name for folder in folders if not (folder / "__init__.py").exists()] == []


def test_contributing_opens_with_every_room():
    tree = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## Set up")[0]
    rooms = {path.relative_to(ROOT / "nutslite").parts[0] for path in (ROOT / "nutslite").rglob("*.py")}
    assert [room for room in sorted(rooms) if room not in tree] == []


def listed_files() -> dict[str, str]:
    """Lines of CONTRIBUTING.md's tree, by the folder that they are in."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## Set up")[0]
    found: dict[str, str] = {}
    folders: list[tuple[int, str]] = []
    for line in text[text.index("    nutslite/") :].splitlines():
        indent, first = len(line) - len(line.lstrip()), (line.split() or [""])[0]
        folders = [folder for folder in folders if folder[0] < indent]
        if first.endswith("/"):
            folders.append((indent, first))
        place = "".join(name for _, name in folders)
        found[place] = f"{found.get(place, '')}{line}\n"
    return found


def test_files_that_run_on_one_python_are_there_and_in_one_list():
    named = [name for names in ON_ONE_PYTHON.values() for name in names]
    assert len(named) == len(set(named))
    assert [name for name in named if not (ROOT / "tests" / f"{name}.py").exists()] == []


def test_contributing_lists_every_file_and_no_other():
    listed = listed_files()
    folders = {path.parent for path in (ROOT / "nutslite").rglob("*.py")}
    for folder in (*folders, *(ROOT / name for name in ("tests", "benchmarks", "docs"))):
        files = {path.name for path in folder.iterdir() if path.suffix in (".py", ".md")}
        lines = listed[f"{folder.relative_to(ROOT).as_posix()}/"]
        named = [*re.findall(r"[\w*]+\.(?:py|md)\b", lines), "__init__.py"]
        assert [name for name in sorted(files) if not any(fnmatch(name, each) for each in named)] == [], folder.name
        first = re.findall(r"^ +([\w*]+\.(?:py|md))\b", lines, flags=re.MULTILINE)
        assert [each for each in first if not any(fnmatch(name, each) for name in files)] == [], folder.name
