"""Pages about the sampler: what they show of the source is there, every file has a page, a debugger gets into it."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import doc_pages
import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "sampler"
SAMPLER = ROOT / "nutslite" / "sampler"
EVERY_FILE = PAGES / "every_file.py"
INCLUDE = re.compile(r"^```\{literalinclude\} (\S+)\n((?::.*\n)*)```$", flags=re.MULTILINE)
OPTION = re.compile(r"^:([\w-]+):(?: (.*))?$", flags=re.MULTILINE)
PLUMBING = re.compile(r"^\| `([\w/]+\.py)` \| (\S.*) \|$", flags=re.MULTILINE)


@dataclass(frozen=True)
class Include:
    """One directive: its page, the file that it shows, and its options."""

    page: Path
    path: Path
    options: dict[str, str]

    def __str__(self) -> str:
        shown = self.options.get("pyobject") or self.options.get("start-at")
        return f"{self.page.relative_to(PAGES)}: {self.path.name}: {shown}"


def includes() -> list[Include]:
    found = []
    for page in sorted(PAGES.rglob("*.md")):
        for target, options in INCLUDE.findall(page.read_text("utf-8")):
            named = {name: value.strip('"') for name, value in OPTION.findall(options)}
            found.append(Include(page, (page.parent / target).resolve(), named))
    return found


INCLUDES = includes()


def lines_of(path: Path, name: str) -> list[str]:
    """Source of a function, a class or a method, decorators included."""
    text = path.read_text("utf-8")
    node: ast.AST = ast.parse(text)
    for part in name.split("."):
        inside = [each for each in ast.iter_child_nodes(node) if getattr(each, "name", None) == part]
        assert len(inside) == 1, f"{path.name} has {len(inside)} objects {name}"
        node = inside[0]
    first = min([node.lineno, *(each.lineno for each in node.decorator_list)])  # type: ignore[attr-defined]
    return text.splitlines()[first - 1 : node.end_lineno]  # type: ignore[attr-defined]


def shown(include: Include) -> list[str]:
    """The lines that the directive shows; a text that is looked for and not there fails."""
    options = include.options
    lines = include.path.read_text("utf-8").splitlines()
    if "pyobject" in options:
        lines = lines_of(include.path, options["pyobject"])
    first, last = 0, len(lines)
    if "start-after" in options:
        first = next((n + 1 for n, line in enumerate(lines) if options["start-after"] in line), -1)
        assert first > 0, f"{include}: nothing to start after"
    if "start-at" in options:
        first = next((n for n, line in enumerate(lines) if options["start-at"] in line), -1)
        assert first >= 0, f"{include}: nothing to start at"
    if "end-at" in options:
        last = next((n + 1 for n, line in enumerate(lines) if n >= first and options["end-at"] in line), -1)
        assert last > 0, f"{include}: nothing to end at"
    if "end-before" in options:
        last = next((n for n, line in enumerate(lines) if n > first and options["end-before"] in line), -1)
        assert last > 0, f"{include}: nothing to end before"
    return lines[first:last]


def test_there_are_includes_and_all_of_them_are_read():
    """The pattern above misses none. Lines are named by their text: their numbers would drift."""
    written = sum(page.read_text("utf-8").count("{literalinclude}") for page in PAGES.rglob("*.md"))
    assert len(INCLUDES) == written > 50
    lines = {"pyobject", "start-at", "start-after", "end-at", "end-before"}
    looks = {"caption", "language", "lineno-match", "dedent", "name", "class", "emphasize-lines"}
    assert {name for include in INCLUDES for name in include.options} <= lines | looks


@pytest.mark.parametrize("include", INCLUDES, ids=str)
def test_what_a_page_shows_is_there(include):
    assert include.path.is_file()
    path = include.path.relative_to(ROOT).as_posix()
    assert include.options.get("caption", path) == path
    lines = shown(include)
    assert 1 <= len([line for line in lines if line.strip()]) <= 70  # a page, not a listing


def test_a_name_that_is_gone_is_noticed():
    gone = Include(PAGES / "start.md", SAMPLER / "start.py", {"pyobject": "find_end"})
    with pytest.raises(AssertionError, match="0 objects find_end"):
        shown(gone)
    moved = Include(PAGES / "start.md", SAMPLER / "start.py", {"pyobject": "find_start", "start-at": "nowhere"})
    with pytest.raises(AssertionError, match="nothing to start at"):
        shown(moved)


def test_every_file_has_a_page_or_is_plumbing():
    files = {path.relative_to(SAMPLER).as_posix() for path in SAMPLER.rglob("*.py") if path.name != "__init__.py"}
    on_pages = {include.path.relative_to(SAMPLER).as_posix() for include in INCLUDES if SAMPLER in include.path.parents}
    index = (PAGES / "index.md").read_text("utf-8")
    plumbing = dict(PLUMBING.findall(index.split("## Plumbing")[1]))
    assert on_pages & set(plumbing) == set()
    assert on_pages | set(plumbing) == files
    assert all(len(sentence.split()) >= 3 for sentence in plumbing.values())


def test_index_names_every_page():
    index = (PAGES / "index.md").read_text("utf-8")
    order = re.findall(r"\]\(([\w/]+)\.md\)", index)
    below = {page.relative_to(PAGES).with_suffix("").as_posix() for page in PAGES.rglob("*.md")} - {"index"}
    chapters = {name for name in below if name.endswith("/index")} - {"transition/index"}
    own = {name for name in below if name.split("/")[0] not in {chapter.split("/")[0] for chapter in chapters}}
    assert len(order) == len(set(order))
    assert (own | chapters) - {"transition/index"} <= set(order) <= below


# ------------------------------------------------------------------------------------------- without the JIT compiler


def without_jit(*arguments: str, commands: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    settings = {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg", "TQDM_DISABLE": "1"}
    return subprocess.run(
        [sys.executable, *arguments],
        input=commands,
        env={**os.environ, **settings, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


ENTERED = """
import inspect, runpy, sys, threading

entered = set()

def note(frame, event, argument):
    if event == "call" and frame.f_code.co_flags & inspect.CO_OPTIMIZED:  # functions; not modules, not classes
        entered.add(frame.f_code.co_filename)

threading.setprofile(note)
sys.setprofile(note)
runpy.run_path({script!r}, run_name="__main__")
sys.setprofile(None)
print("\\n".join(sorted(entered)))
"""


def test_a_debugger_gets_into_every_file():
    """Some function of each file runs as Python. The script's name is all that it is given."""
    ran = without_jit("-c", ENTERED.format(script=str(EVERY_FILE)))
    assert ran.returncode == 0, ran.stderr[-3000:]
    entered = {Path(line).resolve() for line in ran.stdout.splitlines() if line.endswith(".py")}
    files = {path for path in SAMPLER.rglob("*.py") if path.name != "__init__.py"}
    assert {path.name for path in files - entered} == set()


def test_pdb_stops_in_a_chain():
    lines = (SAMPLER / "transition" / "trajectory.py").read_text("utf-8").splitlines()
    line = next(n for n, text in enumerate(lines, 1) if "outcome, new_log_weight = _extend" in text)
    place = f"break {SAMPLER / 'transition' / 'trajectory.py'}:{line}, depth == 2"
    commands = f"{place}\ncontinue\np ('here', depth, int(tally[TREE_DEPTH]))\nquit\n"
    ran = without_jit("-m", "pdb", str(EVERY_FILE), "nuts", commands=commands)
    assert "('here', 2, 2)" in ran.stdout, ran.stdout[-2000:] + ran.stderr[-2000:]


def test_the_textbook_and_the_loop_are_compared():
    """The page stops with an error where they differ."""
    ran = without_jit(str(Path(doc_pages.__file__)), "sampler/transition/textbook")
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert "96 trajectories agree" in ran.stdout
    for end in ("diverged", "turned as a whole", "turned inside a new half"):
        assert end in ran.stdout
