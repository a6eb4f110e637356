"""What the parser accepts means what it means in Patsy and R: the same columns, over random formulas."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import patsy
import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from nutslite.exceptions import FormulaError
from nutslite.formula.design import build_design

ROWS = 90
# Ours, and how Patsy spells it where that is different.
ATOMS = {
    "x": "x",
    "z": "z",
    "g": "g",
    "h": "h",
    "o": "o",
    "log(z)": "np.log(z)",
    "I(x*z)": "I(x*z)",
    "{x**2}": "I(x**2)",
    "C(k)": "C(k)",
    "C(g, Sum)": "C(g, Sum)",
    "C(o, Poly)": "C(o, Poly)",
    "C(g, Treatment('b'))": "C(g, Treatment('b'))",
    "T(g, 'c')": "C(g, Treatment('c'))",
    "C(h, Helmert)": "C(h, Helmert)",
    "center(x)": "center(x)",
    "bs(z, df=4)": "bs(z, df=4)",
    "`my col`": "Q('my col')",
}
REFUSED = ("interact with itself", "not among the terms", "write I(")


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "y": rng.normal(size=ROWS),
            "x": rng.normal(size=ROWS),
            "z": rng.uniform(0.5, 2.0, ROWS),
            "g": np.resize(list("abc"), ROWS),
            "h": rng.permutation(np.resize(["u", "v"], ROWS)),
            "o": pd.Categorical(rng.permutation(np.resize(["low", "mid", "high"], ROWS)), ["low", "mid", "high"]),
            "k": rng.permutation(np.resize([3, 1, 2], ROWS)),
            "my col": rng.normal(size=ROWS),
        }
    )


def _combined() -> st.SearchStrategy[str]:
    leaves = st.sampled_from(list(ATOMS))

    def extend(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        pair = st.tuples(inner, st.sampled_from([" + ", ":", "*", "/", " - "]), inner).map(lambda t: f"({''.join(t)})")
        return st.one_of(pair, inner.map(lambda text: f"({text} + z)**2"))

    return st.recursive(leaves, extend, max_leaves=4)


@st.composite
def _formulas(draw: st.DrawFn) -> str:
    terms = draw(st.lists(_combined(), min_size=1, max_size=3))
    return draw(st.sampled_from(["", "", "0 + ", "1 + "])) + " + ".join(terms) + draw(st.sampled_from(["", "", " - 1"]))


def in_patsy(text: str) -> str:
    """The same formula in Patsy's spelling."""
    for ours, theirs in sorted(ATOMS.items(), key=lambda pair: -len(pair[0])):
        if ours != theirs:
            text = text.replace(ours, theirs)
    return text


def space(matrix: np.ndarray) -> np.ndarray:
    """The projection onto the column space of (rows, columns)."""
    if not matrix.shape[1]:
        return np.zeros((len(matrix), len(matrix)))
    norms = np.linalg.norm(matrix, axis=0)
    left, values, _ = np.linalg.svd(matrix / np.where(norms > 0.0, norms, 1.0), full_matrices=False)
    basis = left[:, values > 1e-9 * values[0]]
    return basis @ basis.T


@settings(max_examples=100)
@given(_formulas())
def test_column_spaces_are_patsys(right: str) -> None:
    data = frame()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            predictor = build_design(f"y ~ {right}", data).predictors["mu"]
        except FormulaError as refused:
            event("refused")
            assume(not any(reason in str(refused) for reason in REFUSED))
            raise
        expected = np.asarray(patsy.dmatrix(in_patsy(right), data))
    event("compared")
    ones = np.ones((int(predictor.intercept), ROWS))
    found = np.vstack([ones, predictor.matrix]).T
    assert found.shape == expected.shape
    np.testing.assert_allclose(space(found), space(expected), atol=1e-6)


@settings(max_examples=50)
@given(
    st.lists(
        st.sampled_from([name for name in ATOMS if name not in ("log(z)", "I(x*z)", "{x**2}", "bs(z, df=4)")]),
        min_size=1,
        max_size=3,
        unique=True,
    )
)
def test_group_effects_are_coded_as_common_ones(names: list[str]) -> None:
    """Left of a bar stands what would stand alone: R's and Patsy's columns for the same terms."""
    data = frame()
    left = " + ".join(names)
    group_terms = build_design(f"y ~ 1 + ({left}|g)", data).predictors["mu"].group_terms
    ones = np.ones((1, ROWS))
    found = np.vstack([ones if term.matrix is None else term.matrix for term in group_terms]).T
    expected = np.asarray(patsy.dmatrix(in_patsy(left), data))
    assert found.shape == expected.shape
    np.testing.assert_allclose(space(found), space(expected), atol=1e-6)


# R's model.matrix, worked out by hand for two factors with three and two levels and one number: numbers of columns.
COLUMNS_OF_R = {
    "g": 3,
    "0 + g": 3,
    "g + h": 4,
    "0 + g + h": 4,
    "g:h": 7,  # R keeps all six cells beside the intercept; five of them are independent of it
    "g*h": 6,
    "0 + g:h": 6,
    "g/h": 6,
    "x:g": 4,
    "x + x:g": 4,
    "g + x:g": 6,
    "g*x": 6,
    "0 + g + x:g": 6,
    "0 + x:g": 3,
    "h:x:g": 7,
}


@pytest.mark.parametrize("right", COLUMNS_OF_R)
def test_numbers_of_columns(right: str) -> None:
    predictor = build_design(f"y ~ {right}", frame()).predictors["mu"]
    columns = predictor.matrix.shape[0] + predictor.intercept
    spare = 1 if right == "g:h" else 0  # where R has a redundant column, Patsy and we have none
    assert columns == COLUMNS_OF_R[right] - spare
