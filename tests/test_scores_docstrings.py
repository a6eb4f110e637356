"""Docstrings of scores say what they compute, after whom, in which shapes, and give an example; a page has them all."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from nutslite import scores

FUNCTIONS = [name for name in scores.__all__ if inspect.isfunction(getattr(scores, name))]
PICTURES = [name for name in FUNCTIONS if name.startswith("plot_")]
PAGE = Path(__file__).resolve().parent.parent / "docs" / "score_reference.md"

FORMULA = re.compile(r"``[^`]*[-+*/^=<>|(~#][^`]*``")
SOURCE = re.compile(r"[A-Z][\w.]+[^;\n]{0,80}\s\(?(1[789]|20)\d\d\b")  # a name, and a year
SHAPE = re.compile(r"shape\s\(|\bfloat\b|callable|Report")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_formula_source_and_shapes(name):
    text = inspect.getdoc(getattr(scores, name))
    words = " ".join(text.split())
    assert FORMULA.search(words), "no formula"
    assert SOURCE.search(words), "no source"
    for section in ("Parameters", "Returns"):
        body = re.search(rf"^{section}\n-+\n(.*?)(?=^\w+\n-+$|\Z)", text, re.DOTALL | re.MULTILINE)
        assert body, f"no section {section}"
        assert section == "Returns" or SHAPE.search(body[1]) or "As for" in body[1], "no shapes"


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in PICTURES])
def test_every_function_has_an_example(name):
    """`test_package.py` runs them."""
    assert ">>> " in inspect.getdoc(getattr(scores, name))


def test_the_page_has_an_entry_for_each_public_name():
    entries = re.findall(r"^\.\. auto\w+:: (\w+)$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert sorted(entries) == sorted(scores.__all__)


def test_a_docstring_without_a_source_is_seen():
    assert not SOURCE.search("Whether a row is at most the mean of 1000 draws, ``x <= mean``.")
    assert not FORMULA.search("The mean of `scores`, see ``nll``.")
