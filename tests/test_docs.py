"""The documents say what is there: their links lead somewhere, their tables agree with the code, their cells run."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import doc_pages
import pytest

import nutslite
from nutslite import Model, scores
from nutslite._calls import CallError
from nutslite.families.record.register import get_family
from nutslite.families.user.built_in import family_names
from nutslite.scores.distributions import distribution_names

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
DOCUMENTS = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", flags=re.MULTILINE)
TARGET = re.compile(r"^\((\S+)\)=$", flags=re.MULTILINE)

# ------------------------------------------------------------------------------------------------------------ the site


def toctree(folder: Path) -> list[str]:
    """What the index of a folder lists, patterns included."""
    blocks = re.findall(
        r"^```\{toctree\}\n(.*?)^```$", (folder / "index.md").read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    return [line for block in blocks for line in block.splitlines() if line and not line.startswith(":")]


FOLDERS = sorted(path.parent for path in DOCS.rglob("index.md") if "_build" not in path.parts)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_page_is_on_the_site_and_every_entry_is_a_page(folder):
    pages = {path.stem for path in folder.glob("*.md")} - {"index"}
    below = {f"{path.parent.name}/index" for path in folder.glob("*/index.md")}
    pages |= below
    entries = {entry: {page for page in pages if Path(page).match(entry)} for entry in toctree(folder)}
    assert [entry for entry, found in entries.items() if not found and "*" not in entry] == []
    assert pages - set().union(*entries.values()) == set()


def anchors(path: Path) -> set[str]:
    text = path.read_text("utf-8")
    slugs = {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in HEADING.findall(text)}
    return slugs | set(TARGET.findall(text))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    broken = []
    for link in LINK.findall(re.sub(r"^```.*?^```$", "", document.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)):
        if re.match(r"[a-z]+:", link):  # elsewhere on the web
            continue
        file, _, anchor = link.partition("#")
        target = (document.parent / file) if file else document
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


FILE = re.compile(r"`((?:[\w.]+/)*\w+\.py)\b")
HISTORY = "CHANGELOG.md"  # says what files were called then


@pytest.mark.parametrize("document", [path for path in DOCUMENTS if path.name != HISTORY], ids=lambda path: path.name)
def test_files_that_are_named_exist(document):
    files = {f"/{path.relative_to(ROOT).as_posix()}" for path in ROOT.rglob("*.py") if ".venv" not in path.parts}
    named = set(FILE.findall(document.read_text("utf-8")))
    assert sorted(name for name in named if not any(file.endswith(f"/{name}") for file in files)) == []


@pytest.mark.parametrize("name", [name for name in nutslite.__all__ if name != "__version__"])
def test_reference_has_every_public_name(name):
    assert re.search(rf"^\.\. auto\w+:: {name}$", (DOCS / "api.md").read_text("utf-8"), re.MULTILINE)


def test_pages_of_scores_have_every_public_name():
    pages = "".join((DOCS / f"{page}.md").read_text("utf-8") for page in ("scores", "calibration_numbers"))
    closed = {f"crps_{name}" for name in distribution_names()}  # the page makes a table of these
    assert [name for name in scores.__all__ if not re.search(rf"\b{name}\b", pages) and name not in closed] == []


# ----------------------------------------------------------------------------------------------------------- the cells


def test_there_are_pages_with_code():
    assert {"getting_started", "coming_from_bambi", "formulas", "priors", "families"} <= set(doc_pages.pages())


@pytest.mark.parametrize("page", doc_pages.pages())
def test_cells_are_python_and_all_of_them_run(page):
    for cell in doc_pages.cells(page):
        compile(cell.code, f"docs/{page}.md, line {cell.line}", "exec")
        assert not any("skip" in tag for tag in cell.tags)


@pytest.mark.slow
@pytest.mark.parametrize("page", doc_pages.pages())
def test_page_runs(page, tmp_path):
    if int(metadata.version("arviz").split(".")[0]) < 1:
        pytest.skip("the pages are written, and the site is built, with ArviZ 1.0 and later")
    if os.environ.get("NUTSLITE_SITE_FOLLOWS"):
        pytest.skip("who runs the tests says that the site is built after them, which runs the same code")
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "NUTSLITE_DOCS": str(DOCS),
        "TQDM_DISABLE": "1",
        "MPLBACKEND": "Agg",
    }
    ran = subprocess.run(
        [sys.executable, str(Path(doc_pages.__file__)), page],
        cwd=tmp_path,  # cells may write files
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-4000:]


# ------------------------------------------------------------------------------------------------------ the comparison


def comparison(heading: str) -> dict[str, str]:
    """Name and verdict of every row of a table of coming_from_bambi.md."""
    text = (DOCS / "coming_from_bambi.md").read_text("utf-8")
    section = text.split(f"### {heading}\n")[1].split("\n## ")[0].split("\n### ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", section, re.MULTILINE))


@pytest.mark.parametrize(
    "heading", ["`Model`", "`Model.fit`", "Methods and attributes of `Model`", "Names of the package"]
)
def test_verdicts_are_known(heading):
    rows = comparison(heading)
    assert len(rows) > 10
    assert set(rows.values()) <= {"same", "differs", "absent", "new"}


def test_comparison_has_the_arguments_of_a_model():
    rows = comparison("`Model`")
    there = {name for name, verdict in rows.items() if verdict != "absent"}
    assert there == set(inspect.signature(Model).parameters)


def test_comparison_has_the_arguments_of_fit():
    rows = comparison("`Model.fit`")
    own = {
        name
        for name, parameter in inspect.signature(Model.fit).parameters.items()
        if parameter.kind.name != "VAR_KEYWORD"
    }
    there = {name for name, verdict in rows.items() if verdict != "absent"}
    assert own - {"self"} - there == set()
    elsewhere = there - own  # names that fit understands without listing them
    assert elsewhere == {"include_mean", "n_init", "initvals", "return_inferencedata"}
    assert {name for name, verdict in rows.items() if verdict == "absent"}.isdisjoint(own)


@pytest.fixture(scope="module")
def small_model() -> Model:
    return Model("mpg ~ wt", nutslite.load_data("mtcars"))


@pytest.mark.parametrize("name", ["step", "compile_kwargs", "targetaccept"])
def test_absent_arguments_of_fit_are_refused(name, small_model):
    with pytest.raises((CallError, nutslite.NutsliteError), match=name):
        small_model.fit(**{name: 1})


def test_comparison_has_the_methods_of_a_model():
    rows = comparison("Methods and attributes of `Model`")
    parts = {name for name, member in vars(Model).items() if isinstance(member, property)}  # what it is made of
    own = {name for name in dir(Model) if not name.startswith("_") and (name not in parts or name in rows)}
    there = {name for name, verdict in rows.items() if verdict != "absent"}
    assert there == own


def test_comparison_has_the_names_of_the_package():
    rows = comparison("Names of the package")
    for name, verdict in rows.items():
        assert hasattr(nutslite, name) == (verdict != "absent"), name
    missing = {name for name in nutslite.__all__ if not name.endswith(("Error", "Warning", "__"))} - set(rows)
    assert missing == set()


def test_families_compared_are_those_that_there_are():
    text = (DOCS / "coming_from_bambi.md").read_text("utf-8").split("## Families compared")[1]
    rows = re.findall(r"^\| (`.*) \| (?:same|new)\b", text, re.MULTILINE)
    assert sorted(set(re.findall(r"`(\w+)`", " ".join(rows))) - {"disc"}) == family_names()


def test_guide_lists_every_family_with_its_default_link():
    text = (DOCS / "getting_started.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([\w ]+) \|$", text.split("## Families and links")[1], re.MULTILINE)
    links = {name: get_family(name).parameters[0].links[0] for name in family_names()}
    assert {name: link.replace(" ", "_") for name, link in rows} == links
