"""Beyond the lists of wrong calls: any text and any data either make a model or raise an error of ours."""

from __future__ import annotations

import datetime as dt
import decimal
import time
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from bad_calls import frame
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from nutslite.exceptions import DataError, FormulaError, NutsliteError, NutsliteWarning
from nutslite.formula.design import build_design
from nutslite.formula.formula import Formula
from nutslite.model import Model

SECONDS = 5.0
WORDS = [
    *["y", "x", "z", "g", "h", "s", "b", "w", "k", "n", "`my col`", "Q('my col')", "zz", "0", "1", "2", "1.5", "-1"],
    *[
        "~",
        "+",
        "-",
        ":",
        "*",
        "/",
        "**",
        "|",
        "||",
        "(",
        ")",
        "{",
        "}",
        "[",
        "]",
        ",",
        "=",
        "==",
        "<",
        "&",
        "^",
        "%in%",
    ],
    *["log(", "exp(", "np.log(", "I(", "C(", "T(", "S(", "bs(", "cr(", "te(", "poly(", "center(", "scale(", "offset("],
    *["weighted(", "p(", "binary(", "df=4", "levels=", "'a'", '"b"', "Sum", "Treatment", "True", "None", "lambda", "."],
    *[
        "\\",
        "'",
        '"',
        "`",
        "#",
        ";",
        "~~",
        "\u0445",
        "\uff58",
        "\u200b",
        "if",
        "else",
        "not",
        "and",
        "in",
        "is",
        "@",
        ":=",
    ],
]
DATA = frame()


def builds(formula: Any, data: Any = DATA, **options: Any) -> bool:
    """Whether it builds; every error but those of formulas and data goes through, and so does a wait."""
    start = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", NutsliteWarning)
        try:
            design = build_design(formula, data, **options)
        except (FormulaError, DataError):
            return False
        finally:
            assert time.monotonic() - start < SECONDS
    for predictor in design.predictors.values():
        assert np.isfinite(predictor.matrix).all()
    assert np.isfinite(design.response.values).all()
    return True


@settings(max_examples=150)
@given(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join))
def test_words_in_any_order(text: str) -> None:
    builds(text)
    builds(f"y ~ {text}")


@settings(max_examples=120)
@given(st.text(max_size=25))
def test_any_text(text: str) -> None:
    builds(text)
    builds(f"y ~ {text}")
    builds(f"y ~ x + (1|{text})")


@settings(max_examples=80)
@given(st.text(max_size=15), st.text(max_size=15))
def test_any_further_formula(left: str, right: str) -> None:
    builds(Formula("y ~ x", f"{left} ~ {right}"))
    builds(Formula("y ~ x", f"sigma ~ {right}"))


@settings(max_examples=80)
@given(st.text(min_size=1, max_size=12))
def test_any_column_name_can_be_quoted(name: str) -> None:
    """What back-quotes hold is a name, whatever it looks like; only back-quotes and backslashes cannot be in it."""
    if name in ("y", "sigma", "mu", "Intercept"):
        return
    data = pd.DataFrame({"y": DATA.y, name: DATA.x})
    text = f"y ~ `{name}`"
    if "`" in name or "\\" in name or any(mark in name for mark in "\r\n\t"):
        builds(text, data)
        return
    assert builds(text, data)


def _values() -> st.SearchStrategy[Any]:
    """One value of any type that a column of objects may hold."""
    return st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.complex_numbers(),
        st.text(max_size=3),
        st.binary(max_size=2),
        st.dates(),
        st.decimals(allow_nan=False),
        st.just(decimal.Decimal("NaN")),
        st.just(pd.NA),
        st.just(pd.NaT),
        st.just([1]),
        st.just({}),
        st.just(decimal.Decimal(3)),
        st.just(dt.timedelta(1)),
    )


@st.composite
def _column(draw: st.DrawFn, rows: int) -> Any:
    kind = draw(st.sampled_from((0, 0, 0, 0, 0, 5, 7, 7, 7, 8, *range(14))))  # more than half are good ones

    def values(strategy: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(strategy, min_size=rows, max_size=rows))

    match kind:
        case 0 | 1:
            return np.array(values(st.floats(-1e3, 1e3)), dtype=float)
        case 2:
            return np.array(values(st.floats()), dtype=float)
        case 3:
            return np.array(values(st.integers(0, 2**63 - 1)), dtype=np.uint64) * np.uint64(2)
        case 4:
            return np.array(values(st.integers(-(2**63), 2**63 - 1)), dtype=np.int64)
        case 5:
            return pd.array(values(st.one_of(st.none(), st.integers(0, 3))), dtype="Int64")
        case 6:
            return pd.array(values(st.one_of(st.none(), st.booleans())), dtype="boolean")
        case 7:
            return pd.array(values(st.one_of(st.none(), st.sampled_from("abc"))), dtype="string")
        case 8:
            levels = draw(st.permutations(["a", "b", "c", "d"]))
            return pd.Categorical(values(st.sampled_from([*levels[:3], None])), levels, ordered=draw(st.booleans()))
        case 9:
            return np.array(values(st.sampled_from(["a", "b", "1", "2.5", ""])), dtype=object)
        case 10:
            return pd.Series(values(_values()), dtype=object)
        case 11:
            return pd.to_datetime(pd.Series(values(st.integers(0, 10**9)), dtype="int64"), unit="s")
        case 12:
            return np.array(values(st.complex_numbers(max_magnitude=10.0)), dtype=complex)
    return np.array(values(st.booleans()), dtype=bool)


@st.composite
def _frames(draw: st.DrawFn) -> pd.DataFrame:
    rows = draw(st.sampled_from((6, 7, *range(9))))
    return pd.DataFrame({name: draw(_column(rows)) for name in "yxgw"}, index=range(rows))


FORMULAS = [
    "y ~ x",
    "y ~ 0 + x",
    "y ~ x*g",
    "y ~ x + (1|g)",
    "y ~ 1 + (x|g)",
    "y ~ (1|g:x)",
    "weighted(y, w) ~ x",
    "p(y, w) ~ x",
    "y ~ x + offset(w)",
    "y['a'] ~ x",
    "y ~ C(x) + scale(w)",
    "y ~ log(x) + I(w > 0)",
    "y ~ I(x == 'a') + I(g != w)",
    "y ~ bs(x, df=4)",
    "y ~ np.where(x > 0, w, 1)",
]


@pytest.mark.filterwarnings("ignore::nutslite.exceptions.NutsliteWarning", "error::RuntimeWarning")
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(
    _frames(),
    st.sampled_from(FORMULAS),
    st.sampled_from(["gaussian", "gaussian", "gaussian", "t", "bernoulli", "binomial", "beta", "gamma", "poisson"]),
    st.sampled_from([True, True, False]),
    st.sets(st.sampled_from("xgw"), max_size=2),
)
def test_any_data(data: pd.DataFrame, formula: str, family: str, dropna: bool, categorical: set[str]) -> None:
    before = data.copy()
    try:
        model = Model(formula, data, family, dropna=dropna, categorical=sorted(categorical))
        model.build()
    except NutsliteError as error:
        event("refused: " + type(error).__name__)
    else:
        event("built")
        assert np.isfinite(model.design.response.values).all()
        for predictor in model.design.predictors.values():
            assert np.isfinite(predictor.matrix).all()
        assert "Priors:" in repr(model)
    pd.testing.assert_frame_equal(data, before)
