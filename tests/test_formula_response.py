"""Left-hand sides."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nutslite.exceptions import DataError, FormulaError, NutsliteError
from nutslite.formula.design import build_design
from nutslite.formula.records import Response


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "y": [3, 0, 2, 5],
            "n": [5, 4, 2, 9],
            "x": [0.5, 1.0, -1.0, 2.0],
            "v": ["no", "yes", "yes", "no"],
            "c": ["lo", "hi", "mid", "hi"],
            "o": pd.Categorical(["lo", "hi", "mid", "hi"], categories=["lo", "mid", "hi"]),
            "b": [True, False, False, True],
            "w": [1.0, 0.0, 2.0, 0.5],
            "k": [1, 2, 2, 1],
        }
    )


def response(left: str, **kwargs: object) -> Response:
    return build_design(f"{left} ~ x", frame(), **kwargs).response  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("left", "name", "values"),
    [
        ("y", "y", [3, 0, 2, 5]),
        ("log1p(y)", "log1p(y)", np.log1p([3, 0, 2, 5])),
        ("np.log1p( y )", "np.log1p(y)", np.log1p([3, 0, 2, 5])),
        ("I(y / n)", "I(y / n)", np.array([3, 0, 2, 5]) / [5, 4, 2, 9]),
        ("{y / n}", "I(y / n)", np.array([3, 0, 2, 5]) / [5, 4, 2, 9]),
        ("scale(x)", "scale(x)", (frame().x - 0.625) / frame().x.std(ddof=0)),
    ],
)
def test_numeric(left: str, name: str, values: np.ndarray) -> None:
    found = response(left)
    assert (found.name, found.kind, found.companions, found.levels) == (name, "numeric", (), ())
    np.testing.assert_allclose(found.values, [values], rtol=1e-14)


@pytest.mark.parametrize(
    ("left", "name", "levels", "success", "values"),
    [
        ("v", "v", ("no", "yes"), "yes", [0, 1, 1, 0]),
        ("v['no']", "v", ("no", "yes"), "no", [1, 0, 0, 1]),
        ("v[no]", "v", ("no", "yes"), "no", [1, 0, 0, 1]),
        ('v["yes"]', "v", ("no", "yes"), "yes", [0, 1, 1, 0]),
        ("c['mid']", "c", ("hi", "lo", "mid"), "mid", [0, 0, 1, 0]),
        ("k[2]", "k", ("1", "2"), "2", [0, 1, 1, 0]),
        ("b", "b", ("False", "True"), "True", [1, 0, 0, 1]),
        ("v == 'no'", "v == 'no'", ("False", "True"), "True", [1, 0, 0, 1]),
        ("y > 2", "y > 2", ("False", "True"), "True", [1, 0, 0, 1]),
        ("y > 100", "y > 100", ("False", "True"), "True", [0, 0, 0, 0]),
        ("binary(v, 'no')", "binary(v, 'no')", ("no", "yes"), "no", [1, 0, 0, 1]),
        ("B(k, 1)", "B(k, 1)", ("1", "2"), "1", [1, 0, 0, 1]),
        ("C(v, levels=['yes', 'no'])", "C(v, levels=['yes', 'no'])", ("yes", "no"), "no", [1, 0, 0, 1]),
    ],
)
def test_binary(left: str, name: str, levels: tuple[str, ...], success: str, values: list[int]) -> None:
    found = response(left)
    assert (found.name, found.kind, found.levels, found.success) == (name, "binary", levels, success)
    np.testing.assert_array_equal(found.values, [values])


def test_categorical() -> None:
    found = response("c")
    assert (found.kind, found.levels, found.success) == ("categorical", ("hi", "lo", "mid"), None)
    np.testing.assert_array_equal(found.values, [[1, 0, 2, 0]])
    np.testing.assert_array_equal(response("o").values, [[0, 2, 1, 2]])
    assert response("y", categorical=["y"]).levels == ("0", "2", "3", "5")


@pytest.mark.parametrize("name", ["p", "prop", "proportion"])
@pytest.mark.parametrize("trials", ["n", "9", "n + 1", "n=n"])
def test_proportion(name: str, trials: str) -> None:
    found = response(f"{name}(y, {trials})")
    assert (found.kind, found.companions) == ("proportion", ("trials",))
    assert found.name == f"{name}(y, {trials})"
    number = {"n": frame().n, "9": [9] * 4, "n + 1": frame().n + 1, "n=n": frame().n}[trials]
    np.testing.assert_array_equal(found.values, [frame().y, number])


def test_weights() -> None:
    design = build_design("weighted(p(y, n), w) ~ x", frame())
    assert design.response.kind == "proportion"
    assert design.response.name == "weighted(p(y, n), w)"
    np.testing.assert_array_equal(design.weights, frame().w)
    assert build_design("weighted(v['no'], w) ~ x", frame()).response.success == "no"
    assert build_design("y ~ x", frame()).weights is None


@pytest.mark.parametrize(
    ("left", "message"),
    [
        ("p(y, 2)", "'y' exceeds '2' in 2 rows, first in row 0"),
        ("p(n, y)", "'n' exceeds 'y'"),
        ("p(x + 0, n)", "whole numbers.*row 0 of those used has 0.5"),
        ("p(y, 4.5)", "The trials '4.5' must be whole"),
        ("p(y, -n)", "The trials '-n'"),
        ("p(y)", "takes two arguments"),
        ("p(y, n, n)", "takes two arguments"),
        ("p(y, m=n)", r"p\(y, n\)"),
        ("p(v, n)", "'v'.*whole numbers"),
        ("p(y, v)", "'v' is categorical"),
        ("v['maybe']", "'maybe' is not a level of the response 'v'"),
        ("v['yse']", "Did you mean 'yes'"),
        ("v[x > 0]", "one level"),
        ("v[0:1]", "one level"),
        ("binary(v, 'yes', 'no')", "at most two arguments"),
        ("binary(v, 'z')", "not a level"),
        ("weighted(y, -w)", "negative in 3 rows"),
        ("weighted(y, 0 * w)", "all zero"),
        ("weighted(y, 2)", "one number"),
        ("weighted(weighted(y, w), w)", "once"),
        ("weighted(y, v)", "'v' is categorical"),
        ("log(y)", "not finite in 1 of 4"),
        ("poly(x, 2)", "one column"),
        ("(y, n)", "one response"),
        ("'y'", "constant"),
        ("offset(y)", "offset"),
        ("np.add(y, p(y, n))", "left of"),
    ],
)
def test_refused(left: str, message: str) -> None:
    with pytest.raises(NutsliteError, match=message):
        response(left)


def test_predictors_know_no_response_functions() -> None:
    for name in ("p", "weighted", "proportion"):
        with pytest.raises(FormulaError, match="describes a response"):
            build_design(f"y ~ {name}(y, n)", frame())


def test_single_category() -> None:
    with pytest.raises(DataError, match="'v' has only 1 category"):
        build_design("v ~ x", frame().assign(v="yes"))
