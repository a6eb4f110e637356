"""docs/promises.md names a test for every promise, and every test that it names is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
SECTION = re.compile(r"^## (\d)\. (.*)$", flags=re.MULTILINE)
TEST = re.compile(r"`(test_\w+\.py)::([\w:]+)`")
VERDICTS = ("kept", "more", "differs")
GUIDES = ("test_promises_guide.py", "test_priors_guide.py")  # whose tests are all promises


def rows(page: str) -> list[tuple[str, str, str, str]]:
    """Section, promise, what there is, tests: the rows of all tables; a bar in a cell is written with a backslash."""
    found, section = [], ""
    for line in page.splitlines():
        if title := SECTION.match(line):
            section = title.group(1)
        elif line.startswith("|") and not line.startswith("| ---") and not line.endswith("| tests |"):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            assert len(cells) == 3, line
            found.append((section, *cells))
    return found


@cache
def names_in(file: str) -> frozenset[str]:
    """Names of a file's tests, ``test_x`` or ``TestX::test_y``."""
    path = ROOT / "tests" / file
    if not path.exists():
        return frozenset()
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)}
    return frozenset(name for name in found if name.split("::")[-1].startswith("test_"))


def missing_tests(cell: str) -> list[str]:
    """Tests that a cell names and that are not there; all of it, where it names none."""
    named = TEST.findall(cell)
    rest = re.sub(r"[`,\s]", "", TEST.sub("", cell))
    return [f"{file}::{name}" for file, name in named if name not in names_in(file)] + ([rest] if rest else [])


def test_every_section_has_its_rows() -> None:
    sections = [section for section, *_ in rows(PAGE)]
    assert sorted(set(sections)) == list("123456789")
    assert min(sections.count(number) for number in "123456789") >= 4


@pytest.mark.parametrize("row", rows(PAGE), ids=lambda row: f"{row[0]}-{row[1][:40]}")
def test_every_promise_has_tests_that_exist(row: tuple[str, str, str, str]) -> None:
    section, promise, here, tests = row
    assert promise
    assert here
    assert TEST.search(tests), "no test"
    assert missing_tests(tests) == []
    if section != "9":  # a table of spellings
        assert re.match(r"\w+", here).group() in VERDICTS  # type: ignore[union-attr]


def test_no_promise_stands_there_twice() -> None:
    promises = [(section, promise) for section, promise, *_ in rows(PAGE) if not promise.startswith("(")]
    assert len(set(promises)) == len(promises)


@pytest.mark.parametrize("file", GUIDES)
def test_every_test_of_the_guide_is_listed(file: str) -> None:
    assert names_in(file) - {name for found, name in TEST.findall(PAGE) if found == file} == set()


def test_what_is_missing_is_found() -> None:
    assert missing_tests("`test_promises_index.py::test_what_is_missing_is_found`") == []
    assert missing_tests("`test_promises_index.py::test_of_nothing`, `test_no_file.py::test_x`") == [
        "test_promises_index.py::test_of_nothing",
        "test_no_file.py::test_x",
    ]
    assert missing_tests("soon") == ["soon"]
    assert rows("## 4. Title\n| a | b | tests |\n| --- | --- | --- |\n| `x\\|g` | kept | `t` |") == [
        ("4", "`x\\|g`", "kept", "`t`")
    ]
