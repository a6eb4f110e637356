"""Names of the code that no user has seen, taken from the sources: a message that holds one speaks of itself."""

from __future__ import annotations

import ast
import contextlib
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import nutslite as nl
from nutslite.formula.evaluation.signatures import SIGNATURES
from nutslite.priors.densities.catalogue import COUNTS, DENSITIES

ROOT = Path(__file__).resolve().parent.parent
NOT_FOR_USERS = ("architecture.md", "adding_a_covariance.md", "adding_a_family.md", "adding_a_method.md")
LIBRARIES = ("patsy", "numba")
# what libraries call their own, and Python's ways of showing objects
FOREIGN = (
    "ndarray",
    "dtype",
    "ufunc",
    "loop of",
    "broadcast",
    "not aligned",
    "inhomogeneous",
    "truth value of",
    "FrozenInstanceError",
    "LinAlgError",
    "TypingError",
    "np.float64(",
    "np.int64(",
    "np.str_(",
    "np.True_",
    "np.False_",
    " object at 0x",
    "<class '",
    "<function ",
    "numba",
    "patsy",
    "Patsy",
)


def _defined(tree: ast.Module) -> Iterator[str]:
    """Names of a file's functions, classes, arguments and attributes, and of what it takes from libraries."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in LIBRARIES:
            yield from (item.name for item in node.names)


def _public() -> Iterator[str]:
    """Names that users write or read: of the package, of its documents, of formulas and priors."""
    pages = [ROOT / "README.md", *(path for path in (ROOT / "docs").glob("*.md") if path.name not in NOT_FOR_USERS)]
    for page in pages:
        yield from re.findall(r"\w+", page.read_text(encoding="utf-8"))
    for owner, name in [(room, name) for room in (nl, nl.scores, nl.interpret) for name in room.__all__]:
        item = getattr(owner, name)
        yield name
        for member in [item, *(getattr(item, key) for key in dir(item) if not key.startswith("_"))]:
            if callable(member):
                yield getattr(member, "__name__", "")
                with contextlib.suppress(TypeError, ValueError):
                    yield from inspect.signature(member).parameters
        if inspect.isclass(item):
            yield from (key for key in dir(item) if not key.startswith("_"))
    for name, signature in SIGNATURES.items():
        yield name.removeprefix("np.")
        yield from signature.parameters
    for density in (*DENSITIES.values(), *COUNTS.values()):
        yield density.name
        yield from density.argument_names


def _reads_as_code(name: str) -> bool:
    """Whether a name could not be a word of a sentence: it has an underscore, or a capital within."""
    return "_" in name or bool(re.search(r"[a-z][A-Z]", name))


@cache
def internal_names() -> tuple[frozenset[str], frozenset[str]]:
    """Names that may stand nowhere, and names that may not be called or have parts: ``Standardize.``, ``Reader(``."""
    defined = {
        name
        for path in (ROOT / "nutslite").rglob("*.py")
        for name in _defined(ast.parse(path.read_text(encoding="utf-8")))
        if not (name.startswith("__") and name.endswith("__")) and name.strip("_")
    }
    hidden = defined - set(_public())
    code = frozenset(name for name in hidden if _reads_as_code(name))
    return code, frozenset(hidden - code)


def internal_names_in(message: str) -> list[str]:
    """The internal names that a message holds."""
    code, words = internal_names()
    found = [name for name in re.findall(r"\w+", message) if name in code]
    found += [f"{name}{mark}" for name, mark in re.findall(r"(\w+)([.(])(?=\w|\))", message) if name in words]
    return found + [phrase for phrase in FOREIGN if phrase in message]
