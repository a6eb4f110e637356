"""Data that do not fit: containers, columns, values, and what is told before sampling although the model stands."""

from __future__ import annotations

import datetime as dt
import decimal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from bad_calls import BadCall, file_with, frame, model, with_values

from nutslite.exceptions import DataError, FormulaError, NutsliteWarning, PriorError
from nutslite.formula.formula import Formula

N = 24
STEPS = np.arange(float(N))
DATES = pd.date_range("2024-01-01", periods=N)


def _bad(name: str, words: tuple[str, ...], formula: str = "y ~ x", data: Any = None, **settings: Any) -> BadCall:
    return BadCall(f"data: {name}", partial(model, formula, data, **settings), DataError, words)


def _from_file(name: str, content: bytes) -> Any:
    return model("y ~ x", file_with(name, content))


CONTAINERS = [
    _bad("a list", ("a list", "DataFrame"), data=[1, 2]),
    _bad("a list of dicts", ("a list", "DataFrame"), data=[{"y": 1.0, "x": 2.0}]),
    _bad("a tuple", ("a tuple", "DataFrame"), data=(1, 2)),
    _bad("a number", ("a int", "DataFrame"), data=7),
    _bad("a matrix", ("a NumPy array", "DataFrame"), data=np.zeros((3, 2))),
    _bad("a Series", ("a Series", "DataFrame"), data=pd.Series([1.0, 2.0], name="y")),
    _bad("a function", ("a function", "DataFrame"), data=lambda: None),
    _bad("a set", ("a set", "DataFrame"), data={1, 2}),
    _bad("a file that is not there", ("no file 'nothing.csv'",), data="nothing.csv"),
    _bad("a web address", ("https://example.org/data.csv",), data="https://example.org/data.csv"),
    _bad("a folder", ("tests", "folder without Parquet files"), data=str(Path(__file__).parent)),
    _bad("an empty text", ("no file ''", "DataFrame"), data=""),
    _bad("an empty dict", ("no columns",), data={}),
    _bad("a frame without columns", ("no columns",), data=pd.DataFrame()),
    _bad("a frame without columns but with rows", ("no columns",), data=pd.DataFrame(index=range(5))),
    _bad("a dict of unequal lengths", ("no table", "length"), data={"y": [1.0, 2.0], "x": [1.0, 2.0, 3.0]}),
    _bad("a dict with a matrix", ("'x' has 2 dimensions",), data={"y": [1.0, 2.0], "x": np.zeros((2, 2))}),
    _bad("a dict of ragged lists", ("'x'", "one value per row"), data={"y": [1.0, 2.0], "x": [[1.0], [2.0, 3.0]]}),
    _bad("a dict of numbers", ("no table",), data={"y": 1.0, "x": 2.0}),
    BadCall(
        "data: a file of an unknown kind", partial(_from_file, "a.xls", b"x"), DataError, ("a.xls", "ends in", ".csv")
    ),
    BadCall("data: an empty file", partial(_from_file, "a.csv", b""), DataError, ("a.csv", "cannot be read")),
    BadCall(
        "data: a ragged file", partial(_from_file, "a.csv", b"y,x\n1,2\n1,2,3,4\n"), DataError, ("a.csv", "line 3")
    ),
    BadCall("data: a binary file", partial(_from_file, "a.csv", bytes(range(256))), DataError, ("a.csv", "cannot be")),
    BadCall(
        "data: no Parquet in a .parquet", partial(_from_file, "a.parquet", b"no"), DataError, ("a.parquet", "Parquet")
    ),
    BadCall("data: a file with a header alone", partial(_from_file, "a.csv", b"y,x\n"), DataError, ("no rows",)),
    _bad("no rows", ("no rows",), data=frame().iloc[:0]),
    _bad("one row", ("'x' is constant", "the only row", "remove"), data=frame().iloc[:1]),
    _bad(
        "one complete row",
        ("'x' is constant", "remove"),
        data=with_values("x", *[np.nan] * 23, rows=tuple(range(23))),
        dropna=True,
    ),
]

MISSING = [
    _bad("missing predictor", ("1 incomplete row;", "'x' (1)", "dropna=True"), data=with_values("x", np.nan)),
    _bad("missing response", ("2 incomplete rows", "'y' (2)", "dropna=True"), data=with_values("y", np.nan, np.nan)),
    _bad("missing group", ("'g' (1)", "dropna=True"), "y ~ (1|g)", with_values("g", None)),
    _bad("NaN among texts", ("'g' (1)", "dropna=True"), "y ~ g", with_values("g", np.nan)),
    _bad("missing weight", ("'w' (1)", "dropna=True"), "weighted(y, w) ~ x", with_values("w", np.nan)),
    _bad("missing offset", ("'z' (1)", "dropna=True"), "y ~ x + offset(z)", with_values("z", np.nan)),
    _bad("missing trials", ("'n' (1)", "dropna=True"), "p(hits, n) ~ x", with_values("n", np.nan), family="binomial"),
    _bad("missing date", ("'d' (1)", "dropna=True"), "y ~ x + d", frame(d=[pd.NaT, *DATES[1:]])),
    _bad("NA of nullable integers", ("'x' (1)",), data=frame(x=pd.array([None, *range(1, N)], dtype="Int64"))),
    _bad(
        "NA of nullable Booleans",
        ("'x' (1)",),
        data=frame(x=pd.array([None, *[True, False] * 11, True], dtype="boolean")),
    ),
    _bad("NA of nullable texts", ("'x' (1)",), data=frame(x=pd.array([None, *["a", "b"] * 11, "a"], dtype="string"))),
    _bad("NaN code of a Categorical", ("'x' (1)",), data=frame(x=pd.Categorical([None, *["a", "b"] * 11, "a"]))),
    _bad("all rows missing", ("No row", "'x'"), data=frame(x=np.nan), dropna=True),
    _bad(
        "all rows missing, by two columns",
        ("No row", "'x'", "'z'"),
        "y ~ x + z",
        frame(x=[np.nan, 1.0] * 12, z=[1.0, np.nan] * 12),
        dropna=True,
    ),
    _bad(
        "missing, and one level left",
        ("'h' has only 1",),
        "y ~ h",
        frame(x=1.0, h=["u"] * 20 + [None] * 4),
        dropna=True,
    ),
]

VALUES = [
    _bad("infinite predictor", ("'x' is not finite in 1 of 24 rows",), data=with_values("x", np.inf)),
    _bad("minus infinite predictor", ("'x' is not finite",), data=with_values("x", -np.inf)),
    _bad("infinite response", ("'y' is not finite",), data=with_values("y", np.inf)),
    _bad("infinite weight", ("'w' is not finite",), "weighted(y, w) ~ x", with_values("w", np.inf)),
    _bad("infinite offset", ("'offset(z)' is not finite",), "y ~ x + offset(z)", with_values("z", np.inf)),
    _bad("infinite group", ("'z'", "not finite"), "y ~ (1|z)", with_values("z", np.inf)),
    _bad("infinite trials", ("'n' is not finite",), "p(hits, n) ~ x", with_values("n", np.inf), family="binomial"),
    _bad("nothing varies: constant predictor", ("'x' is constant",), data=frame(x=1.0)),
    _bad("nothing varies: constant integers", ("'x' is constant",), data=frame(x=3)),
    _bad("nothing varies: constant Boolean", ("'x' is constant",), data=frame(x=True)),
    _bad("nothing varies: constant group slope", ("'x' is constant",), "y ~ z + (x|s)", frame(x=1.0)),
    _bad(
        "nothing varies: constant after dropna", ("'x' is constant",), data=frame(x=[1.0] * 23 + [np.nan]), dropna=True
    ),
    _bad("nothing varies: constant but for rounding", ("'x'", "constant"), data=frame(x=[0.1 + 0.2] * 12 + [0.3] * 12)),
    _bad("one level", ("'g' has only 1 category",), "y ~ g", frame(g="a")),
    _bad(
        "one level of Categorical",
        ("'g' has only 1 category",),
        "y ~ g",
        frame(g=pd.Categorical(["a"] * N, ["a", "b"])),
    ),
    _bad("one level in an interaction", ("'g' has only 1 category",), "y ~ x:g", frame(g="a")),
    _bad("one response value", ("only 1 category",), "g ~ x", frame(g="a"), family="bernoulli"),
    _bad("numbers beyond float64", ("'x'", "too large"), data=frame(x=[10**400, *range(1, N)])),
    _bad("huge predictor", ("'x'", "rescale"), data=frame(x=1e300 * STEPS)),
    _bad("huge response", ("'y'", "rescale"), data=frame(y=1e300 * STEPS)),
    _bad("tiny predictor", ("'x'", "rescale"), data=frame(x=1e-300 * STEPS)),
    _bad("tiny response", ("'y'", "rescale"), data=frame(y=1e-300 * STEPS)),
    _bad("products overflow", ("'x:z'", "too large", "rescale"), "y ~ x:z", frame(x=1e98 * STEPS, z=1e98 * STEPS)),
]

TYPES = [
    _bad("dates", ("'d'", "datetime64"), "y ~ d", frame(d=DATES)),
    _bad("dates as objects", ("'d'", "date"), "y ~ d", frame(d=[stamp.date() for stamp in DATES])),
    _bad("time differences", ("'d'", "timedelta64"), "y ~ d", frame(d=DATES - DATES[0])),
    _bad("periods", ("'d'", "period"), "y ~ d", frame(d=pd.period_range("2024-01", periods=N, freq="M"))),
    _bad("complex numbers", ("'x'", "complex"), data=frame(x=STEPS + 1j)),
    _bad("complex numbers as objects", ("'x'",), data=frame(x=pd.Series([1j, *STEPS[1:]], dtype=object))),
    _bad("texts and numbers", ("'x'", "mix"), data=with_values("x", "a")),
    _bad("texts and numbers as a group", ("'x'", "mix"), "y ~ (1|x)", with_values("x", "a")),
    _bad("numbers and Booleans", ("'x'", "mix"), data=frame(x=pd.Series([True, 2, 3.5] * 8, dtype=object))),
    _bad("lists", ("'x'",), data=frame(x=[[1, 2]] * N)),
    _bad("dicts", ("'x'",), data=frame(x=[{"a": 1}] * N)),
    _bad("arrays", ("'x'",), data=frame(x=[np.zeros(2)] * N)),
    _bad("functions", ("'x'",), data=frame(x=[len] * N)),
    _bad("a number and its text", ("'x'", "'1'"), "y ~ x", frame(x=pd.Series([1, "1"] * 12, dtype=object))),
    _bad("intervals", ("'x'",), data=frame(x=pd.arrays.IntervalArray.from_breaks(np.arange(N + 1)))),
    _bad("dates as a response", ("'d'",), "d ~ x", frame(d=DATES)),
    _bad("texts as a numeric response", ("'g'", "categorical", "gaussian"), "g ~ x"),
    _bad("two texts as a numeric response", ("'two'", "binary", "family='bernoulli'"), "two ~ x"),
    _bad(
        "texts that look like numbers as response",
        ("'t'", "texts", "pandas.to_numeric"),
        "t ~ x",
        frame(t=[str(v) for v in STEPS]),
    ),
    _bad("dates as weights", ("'d'",), "weighted(y, d) ~ x", frame(d=DATES)),
    _bad(
        "a decimal that is not a number",
        ("'x'",),
        data=frame(x=pd.Series([decimal.Decimal("Infinity"), *[decimal.Decimal(i) for i in range(1, N)]])),
    ),
    _bad(
        "a decimal that raises",
        ("'x'", "signalling NaN"),
        data=frame(x=pd.Series([decimal.Decimal("sNaN")] * N, dtype=object)),
    ),
    _bad("times of day", ("'d'",), "y ~ d", frame(d=[dt.time(i % 24) for i in range(N)])),
    _bad("list in categorical", ("categorical", "'kk' not found"), "y ~ k", None, categorical=["kk"]),
    _bad("number in categorical", ("categorical", "3"), "y ~ k", None, categorical=3),
    _bad("true in categorical", ("categorical", "True"), "y ~ k", None, categorical=True),
    _bad("unused column in categorical", ("categorical", "'kk'"), "y ~ x", None, categorical="kk"),
]

NAMES = [
    _bad("a name twice", ("several columns named 'x'", "rename"), data=pd.concat([frame(), frame()[["x"]]], axis=1)),
    _bad(
        "the response's name twice", ("several columns named 'y'",), data=pd.concat([frame(), frame()[["y"]]], axis=1)
    ),
    _bad("a number as a name", ("not a text", "rename"), "y ~ `1`", frame().rename(columns={"x": 1})),
    _bad("columns in two rows", ("2 rows", "MultiIndex", "one name"), data=pd.concat({"first": frame()}, axis=1)),
    _bad(
        "another normal form of a letter",
        ("größe", "not found"),
        "y ~ größe",
        frame().rename(columns={"x": "gro\u0308ße"}),
    ),
    _bad("a look-alike letter", ("not found",), "y ~ \u0445", frame()),
    _bad("a blank at the end of a name", ("'x' not found", "'x '"), data=frame().rename(columns={"x": "x "})),
    _bad("an index that is no column", ("'i' not found", "reset_index"), "y ~ i", frame(i=STEPS).set_index("i")),
    BadCall(
        "data: two texts that read the same in a group",
        partial(model, "y ~ (1|i)", frame(i=pd.Series([1, "1"] * 12, dtype=object))),
        DataError,
        ("'i'",),
    ),
]

WARNED = [
    BadCall(f"warned: {name}", partial(model, formula, data, **settings), NutsliteWarning, words)
    for name, formula, data, settings, words in [
        ("a copy of a column", "y ~ x + z", frame(z=frame().x), {}, ("'x'", "'z'", "linear combination", "prior")),
        ("a multiple of a column", "y ~ x + z", frame(z=-3.5 * frame().x), {}, ("'x'", "'z'")),
        ("a shifted column", "y ~ x + z", frame(z=frame().x + 10), {}, ("'x'", "'z'")),
        ("a sum of columns", "y ~ x + z + I(x + z)", None, {}, ("'I(x + z)'", "'x'", "'z'")),
        ("dummies beside their factor", "y ~ g + I(g == 'b')", None, {}, ("I(g == 'b')", "g[b]")),
        ("indicators of all levels", "y ~ I(g == 'a') + I(g == 'b') + I(g == 'c')", None, {}, ("I(g == 'c')",)),
        ("a factor within another", "y ~ g + f", frame(f=frame().g.map({"a": "p", "b": "q", "c": "q"})), {}, ("f[q]",)),
        ("more columns than rows", "y ~ " + " + ".join(f"I(x**{i})" for i in range(2, 30)), None, {}, ("24 rows",)),
        ("a level for every row", "y ~ x + i", frame(i=[f"r{i}" for i in range(N)]), {}, ("24 rows", "'i'", "(1|i)")),
        (
            "texts that read as numbers",
            "y ~ t",
            frame(t=[str(v) for v in STEPS]),
            {},
            ("'t'", "24 levels", "pandas.to_numeric", "categorical="),
        ),
        (
            "numbers with decimal commas",
            "y ~ t",
            frame(t=[f"{v},5" for v in range(N)]),
            {},
            ("'t'", "'0,5'", "pandas.to_numeric"),
        ),
        (
            "numbers and one text in a file",
            "y ~ t",
            frame(t=["unknown", *[str(v) for v in STEPS[1:]]]),
            {},
            ("'t'", "'unknown' does not", "pandas.to_numeric"),
        ),
        ("one group", "y ~ x + (1|g)", frame(g="a"), {}, ("'g' has one level", "'a'", "Remove")),
        ("one group in an interaction", "y ~ x + (1|g:h)", frame(g="a", h="b"), {}, ("'g:h' has one level", "Remove")),
        (
            "collinear under another parameter",
            Formula("y ~ x", "sigma ~ z + I(2*z)"),
            None,
            {},
            ("sigma", "'z'", "I(2 * z)"),
        ),
        (
            "separated by a number",
            "b ~ x",
            frame(b=(frame().x > 0).astype(int)),
            {"family": "bernoulli"},
            ("'x'", "separat", "prior"),
        ),
        (
            "separated by texts",
            "two ~ x",
            frame(two=np.where(frame().x > 0, "yes", "no")),
            {"family": "bernoulli"},
            ("'x'", "separat"),
        ),
        (
            "separated by a factor",
            "b ~ g",
            frame(b=(frame().g == "c").astype(int)),
            {"family": "bernoulli"},
            ("g[c]", "separat"),
        ),
        (
            "separated in one level",
            "b ~ x + g",
            frame(b=np.where(frame().g == "b", 1, frame().b)),
            {"family": "bernoulli"},
            ("g[b]", "separat"),
        ),
        (
            "separated by two columns",
            "b ~ x + z",
            frame(b=(frame().x + frame().z > 0.1).astype(int)),
            {"family": "bernoulli"},
            ("'x'", "'z'", "separat"),
        ),
        (
            "separated, under probit",
            "b ~ x",
            frame(b=(frame().x > 0).astype(int)),
            {"family": "bernoulli", "link": "probit"},
            ("'x'", "separat"),
        ),
        (
            "separated counts out of trials",
            "p(hits, n) ~ x",
            frame(hits=np.where(frame().x > 0, frame().n, 0)),
            {"family": "binomial"},
            ("'x'", "separat"),
        ),
        ("all zeros", "b ~ x", frame(b=0), {"family": "bernoulli"}, ("'b'", "all", "0")),
        ("all ones", "b ~ x", frame(b=1), {"family": "bernoulli"}, ("'b'", "all", "1")),
        ("no successes", "p(hits, n) ~ x", frame(hits=0), {"family": "binomial"}, ("'p(hits, n)'", "all")),
        ("counts all zero", "k ~ x", frame(k=0), {"family": "poisson"}, ("'k'", "0")),
        ("a group for every row", "y ~ x + (1|i)", frame(i=np.arange(N)), {}, ("'1|i'", "every row", "sigma")),
    ]
]

OTHER = [
    BadCall(
        "data: an empty cell",
        partial(model, "y ~ g*h", frame(h=np.where(frame().g == "b", "u", frame().h))),
        PriorError,
        ("[b, v] of 'g:h'", "leave the interaction out", "{'g:h[b, v]': Prior("),
    ),
    BadCall(
        "data: constant response",
        partial(model, "y ~ x", frame(y=2.0)),
        PriorError,
        ("'y' does not vary", "auto_scale=False"),
    ),
    BadCall(
        "data: constant response of t",
        partial(model, "y ~ x", frame(y=2.0), family="t"),
        PriorError,
        ("'y' does not vary",),
    ),
    BadCall("data: a path as a formula", partial(model, "data.csv"), FormulaError, ("no '~'",)),
    BadCall("data: formula and data swapped", partial(model, frame(), "y ~ x"), FormulaError, ("DataFrame",)),
    BadCall("data: none given", partial(model, "y ~ x", ()), DataError, ("a tuple",)),
]

CALLS = [*CONTAINERS, *MISSING, *VALUES, *TYPES, *NAMES, *WARNED, *OTHER]
