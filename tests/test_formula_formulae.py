"""Designs beside those of formulae, Bambi's formula package: equal where it is right, and a list of where it is not.

Its designs are in fixtures/formulae_designs.json, made by the script beside that file.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nutslite.exceptions import FormulaError
from nutslite.formula.design import Design, build_design

RECORD = json.loads((Path(__file__).parent / "fixtures" / "formulae_designs.json").read_text(encoding="utf-8"))
DATA = pd.DataFrame(RECORD["data"])
# What formulae leaves out or muddles without a word; ours is in the tests below.
WRONG = {"x|g", "x %in% g", "x == 1", "g/x", "h/x", "(g|h) + (0 + g|h)"}
# Its newer versions rotate the columns of splines to have mean zero; ours are R's and Patsy's.
ROTATED = {"bs(x, df=5)", "bs(x, df=4, degree=2)"}
RIGHT = [text for text in RECORD["designs"] if text not in WRONG]


def labels_of(texts: list[str]) -> list[str]:
    """``["g[b]:h[u]"]`` as we write coordinates: ``["b, u"]``."""
    return [", ".join(re.findall(r"\[([^\[\]]*)\]", text.split("=")[-1])) for text in texts]


def sorted_columns(matrix: Any) -> np.ndarray:
    """Columns in an order of their own, those without an entry left out."""
    columns = np.asarray(matrix, dtype=float)
    columns = columns[np.any(columns != 0.0, axis=1)]
    return columns[np.lexsort(columns.round(6).T)]


def common_columns(design: Design) -> dict[str, tuple[np.ndarray, tuple[str, ...], bool]]:
    predictor = design.predictors["mu"]
    found = {
        term.name: (predictor.matrix[term.start : term.stop], term.labels, term.scalar) for term in predictor.terms
    }
    if predictor.intercept:
        found["Intercept"] = (np.ones((1, len(DATA))), ("Intercept",), True)
    return found


def space(matrix: np.ndarray) -> np.ndarray:
    left, values, _ = np.linalg.svd(matrix.T, full_matrices=False)
    basis = left[:, values > 1e-9 * values[0]]
    return basis @ basis.T


@pytest.mark.parametrize("text", RIGHT)
def test_common_terms(text: str) -> None:
    """Same terms, same columns in the same order under the same labels."""
    found, expected = common_columns(build_design(f"y ~ {text}", DATA)), dict(RECORD["designs"][text]["common"])
    expected = {name: term for name, term in expected.items() if not name.startswith("offset(")}
    if set(found) != set(expected) or text in ROTATED:
        # one term (g:h), or a term that was taken away (x*h - x), needs columns of lower order to span what it spans:
        # formulae calls these a term of their own, or says nothing; ours stay in the term
        everything = np.vstack([term["columns"] for term in expected.values()])
        np.testing.assert_allclose(space(np.vstack([own[0] for own in found.values()])), space(everything), atol=1e-8)
        return
    for name, (columns, labels, scalar) in found.items():
        np.testing.assert_allclose(columns, expected[name]["columns"], atol=1e-8, err_msg=name)
        if not scalar:
            assert list(labels) == labels_of(expected[name]["labels"])


@pytest.mark.parametrize("text", [text for text in RIGHT if RECORD["designs"][text]["group"]])
def test_group_terms(text: str) -> None:
    """Same terms; our index and columns, multiplied out, are its indicators (of combinations that occur)."""
    design = build_design(f"y ~ {text}", DATA)
    expected = RECORD["designs"][text]["group"]
    terms = {term.name: term for term in design.predictors["mu"].group_terms}
    assert set(terms) == set(expected)
    for name, term in terms.items():
        factor = design.factors[term.factor]
        indicators = np.arange(len(factor.levels))[:, None] == factor.index
        matrix = np.ones((1, len(DATA))) if term.matrix is None else term.matrix
        columns = [column * indicator for column in matrix for indicator in indicators]
        np.testing.assert_allclose(sorted_columns(columns), sorted_columns(expected[name]), atol=1e-8, err_msg=name)


def test_it_drops_what_it_cannot_read_and_we_refuse() -> None:
    for text in ("x|g", "x %in% g"):
        assert list(RECORD["designs"][text]["common"]) == ["Intercept", "x"]
        assert RECORD["designs"][text]["group"] == {}
        with pytest.raises(FormulaError):
            build_design(f"y ~ {text}", DATA)


def test_it_drops_comparisons_and_we_compute_them() -> None:
    assert list(RECORD["designs"]["x == 1"]["common"]) == ["Intercept", "x"]
    (column,) = build_design("y ~ x == 1", DATA).predictors["mu"].matrix
    np.testing.assert_array_equal(column, DATA.x == 1)


@pytest.mark.parametrize(("text", "labels"), [("g/x", ("b", "c")), ("h/x", ("v",))])
def test_it_has_more_labels_than_columns_when_nested_and_we_do_not(text: str, labels: tuple[str, ...]) -> None:
    name = text[0]
    theirs = RECORD["designs"][text]["common"][name]
    assert len(theirs["labels"]) == len(theirs["columns"]) + 1
    columns, own, _ = common_columns(build_design(f"y ~ {text}", DATA))[name]
    assert own == labels
    np.testing.assert_array_equal(columns, theirs["columns"])


def test_it_merges_two_group_terms_of_one_name_and_we_refuse() -> None:
    text = "(g|h) + (0 + g|h)"
    assert set(RECORD["designs"][text]["group"]) == {"1|h", "g|h"}
    with pytest.raises(FormulaError, match=r"'g\|h' is there twice"):
        build_design(f"y ~ {text}", DATA)
