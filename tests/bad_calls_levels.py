"""Levels that are lost, mixed up, or not what the user takes them for: ids, dates, categories of numbers."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from bad_calls import BadCall, frame, model

from nutslite.exceptions import DataError, FormulaError, PriorError

N = 24
BIG = 2**53
K = np.repeat([1, 2, 10, 20], 6)
NANOSECONDS = 1_700_000_000_000_000_000 + np.arange(N)


def _bad(
    name: str, words: tuple[str, ...], formula: str, data: Any, error: Any = DataError, **settings: Any
) -> BadCall:
    return BadCall(f"levels: {name}", partial(model, formula, data, **settings), error, words)


def _later(name: str, words: tuple[str, ...], formula: str, learned: Any, new: Any, **settings: Any) -> BadCall:
    """A model of `learned` meets `new`."""

    def call() -> Any:
        return model(formula, frame(k=learned), **settings).design.evaluate(frame(k="").head(len(new)).assign(k=new))

    return BadCall(f"levels: {name}", call, DataError, words)


def _response_later(learned: Any, new: Any) -> Any:
    one = model("k['1'] ~ x", frame(k=learned), family="bernoulli")
    return one.design.evaluate(frame(k=new), response=True)


LOST = [
    _bad("ids in floating point", ("'k'", "lost", "Int64"), "y ~ (1|k)", frame(k=2.0**53 + 2 * np.arange(N))),
    _bad("ids in single precision", ("'k'", "float32", "lost"), "y ~ (1|k)", frame(k=(2**24 + K).astype(np.float32))),
    _bad("ids in floating point in C()", ("'k'", "lost"), "y ~ C(k)", frame(k=2.0**53 + 2 * K)),
    _bad("ids in floating point, listed", ("'k'", "lost"), "y ~ k", frame(k=2.0**53 + 2 * K), categorical="k"),
    _bad("a category of floating ids", ("'k'", "lost"), "y ~ k", frame(k=pd.Categorical(2.0**53 + 2 * K))),
    _bad(
        "ids beside a gap in pandas",
        ("'k'", "missing value", "Int64"),
        "y ~ (1|k)",
        pd.DataFrame({"y": np.arange(4.0), "k": [BIG + 1, BIG + 3, None, 5]}),
        dropna=True,
    ),
    _bad("quotients of ids", ("'I(k / 2)'", "lost"), "y ~ (1|I(k / 2))", frame(k=2**60 + 512 * K + 1)),
    _later("ids that came back rounded", ("'k'", "lost", "Int64"), "y ~ (1|k)", BIG + K, [float(BIG + 2)]),
    _bad(
        "Booleans among numbers",
        ("'k'", "numbers and Booleans"),
        "y ~ k",
        frame(k=pd.Series([True, 1, 2] * 8, dtype=object)),
        categorical="k",
    ),
]

TWICE = [
    _bad(
        f"read alike: {name}",
        ("'k'", "two different levels", f"'{text}'"),
        "y ~ k",
        frame(k=pd.Series(values * 12, dtype=object)),
        categorical="k",
    )
    for name, values, text in [
        ("a number and a text", [2, "2"], "2"),
        ("bytes and a text", [b"a", "a"], "a"),
        ("a Decimal and a text", [Decimal("2.50"), "2.5"], "2.5"),
        ("a date and a text", [dt.date(2020, 1, 1), "2020-01-01"], "2020-01-01"),
    ]
] + [
    _bad(
        "a reference by place or by name",
        ("'1'", "'2'", "quotes"),
        "y ~ C(k, Treatment(1))",
        frame(k=np.array(["1", "2", "3"] * 8)),
    ),
    _bad(
        "levels= twice by name", ("levels=", "twice"), "y ~ C(k, levels=[1, 2, 10, 20, '1'])", frame(k=K), FormulaError
    ),
]

ALIKE = [
    _later("a text with a point for a number", ("'1.0'", "reads like", "'1'"), "y ~ (1|k)", K, ["1.0"]),
    _later("a number for a text with a point", ("'1'", "'1.0'"), "y ~ (1|k)", K.astype(float).astype(str), [1]),
    _later("a number for a text with a zero", ("'1'", "reads like", "'01'"), "y ~ (1|k)", ["01", "02"] * 12, [1]),
    _later(
        "a sum that is not quite the level", ("0.30000000000000004", "'0.3'"), "y ~ (1|k)", [0.3, 0.5] * 12, [0.1 + 0.2]
    ),
    _later("a blank", ("'a '", "reads like"), "y ~ (1|k)", ["a", "b"] * 12, ["a "]),
    _later("another normal form", ("'e\\u0301'", "'\\xe9'"), "y ~ (1|k)", ["\u00e9", "b"] * 12, ["e\u0301"]),
    _later("R's TRUE", ("'TRUE'", "'True'"), "y ~ (1|k)", [True, False] * 12, ["TRUE"]),
    _later(
        "midnight",
        ("00:00:00", "'2020-01-01'"),
        "y ~ (1|k)",
        ["2020-01-01", "2021-01-01"] * 12,
        ["2020-01-01 00:00:00"],
    ),
    _later("in a common term", ("'1.0'", "reads like"), "y ~ C(k)", K, ["1.0"]),
    _later("in an interaction of groups", ("'k'", "'1.0'"), "y ~ (1|g:k)", K, ["1.0"]),
    _later("a new level of a common term", ("'C(k)'", "'3'", "1, 2, 10, 20"), "y ~ C(k)", K, ["3"]),
    BadCall(
        "levels: colons in new groups",
        lambda: model("y ~ (1|g:k)", frame(g=["a:b", "d"] * 12, k=["c", "e"] * 12)).design.evaluate(
            pd.DataFrame({"g": ["a"], "k": ["b:c"]})
        ),
        DataError,
        ("'g:k'", "the same name", "'a:b:c'", "colons"),
    ),
    BadCall(
        "levels: a response that is written differently",
        partial(_response_later, ["0", "1"] * 12, ["0.0", "1.0"] * 12),
        DataError,
        ("'k'", "reads like"),
    ),
]

CONSTANT = [
    _bad(
        "large and close together",
        ("'x'", "last digits", "1000000000000103.5", "center(x)"),
        "y ~ x",
        frame(x=1e15 + 4.5 * np.arange(N)),
    ),
    _bad("large and close together in groups", ("'x'", "last digits"), "y ~ (x|g)", frame(x=1e15 + 4.5 * np.arange(N))),
    _bad(
        "nanoseconds of one minute",
        ("'x'", "float64", "I(x - 1700000000000000000)"),
        "y ~ x",
        frame(x=1_700_000_000_000_000_000 + np.arange(N)),
    ),
    _bad("a large response", ("'y'", "last digits", "mean"), "y ~ x", frame(y=1e15 + np.arange(N)), PriorError),
    _bad("large without an intercept", ("'x'", "last digits"), "y ~ 0 + x", frame(x=1e15 + np.arange(N)), PriorError),
]

RESPONSES = [
    _bad("a count listed as categorical", ("'k'", "without 'k' in categorical"), "k ~ x", frame(), categorical=["k"]),
    _bad(
        "a count listed as categorical, poisson",
        ("'k'", "without 'k' in categorical"),
        "k ~ x",
        frame(),
        categorical=["k"],
        family="poisson",
    ),
    _bad("two numbers listed as categorical", ("'b'", "bernoulli", "without 'b'"), "b ~ x", frame(), categorical="b"),
    _bad(
        "texts of numbers listed as categorical",
        ("without 't' in categorical", "pandas.to_numeric"),
        "t ~ x",
        frame(t=frame().k.astype(str)),
        categorical="t",
    ),
    _bad("a pandas category of numbers", ("data['t'].astype(float)",), "t ~ x", frame(t=pd.Categorical(frame().k))),
    _bad("a category of texts as numbers", ("'t'", "a numeric column"), "t ~ x", frame(t=pd.Categorical(frame().g))),
]

CALLS = [*LOST, *TWICE, *ALIKE, *CONSTANT, *RESPONSES]
