"""The pages of the documents: their code cells, and a way to run them without Sphinx."""

from __future__ import annotations

import re
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
TAGS = re.compile(r"\A:tags: \[(.*)\]\n")


@dataclass(frozen=True)
class Cell:
    """A code cell, where it starts in its page, and its tags."""

    code: str
    line: int
    tags: tuple[str, ...]


def pages() -> list[str]:
    """Names of the pages that have code cells, such as ``gallery/sleep``."""
    found = [path for path in DOCS.rglob("*.md") if CELL.search(path.read_text(encoding="utf-8"))]
    return sorted(path.relative_to(DOCS).with_suffix("").as_posix() for path in found)


def cells(page: str) -> list[Cell]:
    """The code cells of a page in their order."""
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    found = []
    for match in CELL.finditer(text):
        code, tags = match.group(1), ()
        if tagged := TAGS.match(code):
            tags = tuple(tag.strip() for tag in tagged.group(1).split(","))
            code = code[tagged.end() :]
        found.append(Cell(code, text.count("\n", 0, match.start()) + 1, tags))
    return found


def run(page: str) -> list[str]:
    """Run a page's cells one after another in one namespace; what went otherwise than the page says."""
    from nutslite.exceptions import NutsliteError

    namespace: dict[str, object] = {"__name__": "__main__"}
    problems = []
    for cell in cells(page):
        where = f"docs/{page}.md, line {cell.line}"
        try:
            exec(compile(cell.code, where, "exec"), namespace)
        except NutsliteError as error:
            if "raises-exception" not in cell.tags:
                problems.append(f"{where}: {type(error).__name__}: {error}")
        except Exception:
            problems.append(f"{where}:\n{traceback.format_exc()}")
        else:
            if "raises-exception" in cell.tags:
                problems.append(f"{where}: the page shows an error, and there is none.")
    return problems


if __name__ == "__main__":
    found = [problem for page in sys.argv[1:] for problem in run(page)]
    sys.exit("\n".join(found) or 0)  # a text goes to standard error, and the status is then 1
