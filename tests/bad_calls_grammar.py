"""Formulas that are read and mean nothing: calls that do not fit, sizes, names and words of programs, spellings."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from bad_calls import BadCall, frame, model

from nutslite.exceptions import DataError, FormulaError, NutsliteWarning, PriorError
from nutslite.formula.formula import Formula
from nutslite.priors.prior import Prior

NORMAL = Prior("Normal", mu=0, sigma=1)
Row = tuple[str, str, type[Exception], tuple[str, ...]]

CALLS_THAT_DO_NOT_FIT: list[Row] = [
    (
        "scale that shall not centre",
        "scale(x, center=False)",
        FormulaError,
        ("no argument 'center'", "scale(x, ddof=0)"),
    ),
    ("poly with a further argument", "poly(x, 2, foo=1)", FormulaError, ("poly() has no argument 'foo'",)),
    ("poly with too many arguments", "poly(x, 2, True, 3)", FormulaError, ("at most three arguments", "raw=False")),
    ("center of two things", "center(x, 2)", FormulaError, ("center() takes one argument: center(x)",)),
    (
        "te with a misspelt argument",
        "te(cr(x, df=3), cr(z, df=3), constraint='center')",
        FormulaError,
        ("'constraints'",),
    ),
    ("degree by position and by name", "poly(x, 2, degree=3)", FormulaError, ("'degree' twice",)),
    ("Helmert with an argument", "C(g, Helmert('a'))", FormulaError, ("Helmert() takes no argument",)),
    (
        "T with a misspelt argument",
        "T(g, reff='a')",
        FormulaError,
        ("T() has no argument 'reff'", "Did you mean 'ref'?"),
    ),
    ("S with a list to omit", "S(g, omit=['a'])", FormulaError, ("omit of S() is one level", "['a']")),
    ("binary with two levels", "binary(g, ['a', 'b'])", FormulaError, ("success of binary() is one level",)),
    ("binary of a spline", "binary(bs(x, df=4))", FormulaError, ("binary() takes one column",)),
    ("Poly with texts for scores", "C(g, Poly(['a', 'b', 'c']))", FormulaError, ("scores of Poly()", "numbers")),
    ("raw that is no truth", "poly(x, 2, raw='no')", FormulaError, ("raw of poly() is True or False", "'no'")),
    ("bound that is a text", "bs(x, df=5, lower_bound='a')", FormulaError, ("lower_bound of bs() is a number", "'a'")),
    (
        "bounds the wrong way round",
        "cr(x, df=5, lower_bound=9)",
        FormulaError,
        ("its bounds are 9 and", "x lies between"),
    ),
    ("knot outside", "cr(x, knots=[0.0, 99.0])", FormulaError, ("the knot 99 lies outside",)),
    ("knot twice", "cr(x, knots=[0.0, 0.0])", FormulaError, ("different numbers", "equal")),
    ("df and knots that disagree", "cc(x, df=5, knots=[0.0])", FormulaError, ("df=5 goes with 4 knots", "has 1")),
    ("cr of two columns", "cr(x, df=2)", FormulaError, ("df=2 is too small", "3")),
    ("cr of few values", "cr(b, df=5)", FormulaError, ("df=5 needs 5 distinct values", "has 2")),
    (
        "constraints of the wrong size",
        "te(cr(x, df=3), cr(z, df=3), constraints=[1, 2])",
        FormulaError,
        ("rows of 2 numbers", "9"),
    ),
    ("logarithm of a text", "log('x')", FormulaError, ("log() takes columns of numbers", "'x'")),
    ("sum with a list", "np.add(x, [1, 2])", FormulaError, ("np.add() takes one numeric column", "[1, 2]")),
    ("sum with a spline", "np.add(x, bs(z, df=4))", FormulaError, ("np.add() takes one numeric column",)),
    ("decimals that are a column", "np.round(x, z)", FormulaError, ("decimals of np.round() is a whole number", "z")),
    (
        "basis with a column of zeros",
        "te(bs(x, df=9), bs(z, df=9))",
        DataError,
        ("Column", "0 in all", "fewer columns"),
    ),
    ("spline of a constant", "bs(3, df=4)", FormulaError, ("bs() takes one numeric column, not 3",)),
]

NAMES_OF_PROGRAMS: list[Row] = [
    ("knots in a variable", "bs(x, knots=knots)", DataError, ("'knots'", "extra_namespace={'knots': knots}")),
    ("levels from the data", "C(g, levels=d['g'].unique())", FormulaError, ("extra_namespace={'levels': levels}",)),
    ("quantiles for knots", "bs(x, knots=np.quantile(x, [0.3]))", FormulaError, ("np.quantile", "extra_namespace")),
    ("multiple in a variable", "I(x * times)", DataError, ("'times'", "extra_namespace={'times': times}")),
    ("bound in a variable", "{x > bound}", DataError, ("'bound'", "extra_namespace={'bound': bound}")),
    ("number in a variable", "poly(x, order)", DataError, ("'order'", "extra_namespace={'order': order}")),
]

WORDS_OF_PYTHON: list[tuple[str, Any, str]] = [
    ("class as a column", "y ~ class", "class"),
    ("yield as a response", "yield ~ x", "yield"),
    ("lambda as a slope", "y ~ (lambda|s)", "lambda"),
    ("from as a grouping factor", "y ~ (1|from)", "from"),
    ("None as a column", "y ~ x + None", "None"),
    ("in in a further formula", Formula("y ~ x", "sigma ~ in"), "in"),
]

LARGE: list[Row] = [
    ("interaction of many ids", "wide:tall", DataError, ("3000 x 3000 = 9000000 columns", "(1|wide:tall)")),
    ("slopes of many ids", "(wide:tall|s)", DataError, ("3000 x 3000",)),
    ("a product of many ids", "wide*tall*x", DataError, ("9000000", "(1|wide:tall)")),
    ("nesting of twelve columns", "/".join(f"C(k2 + {i})" for i in range(12)), DataError, ("crosses", "columns")),
    ("poly of a degree beyond float64", "poly(x, 200)", FormulaError, ("degree 200 is too high", "bs(x, df=10)")),
]


def _large() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    n = 3000
    ids = np.char.add("s", np.arange(n).astype(str))
    numbers = {name: rng.normal(size=n) for name in ("y", "x", "z")}
    return pd.DataFrame(
        numbers | {"wide": ids, "tall": ids[::-1], "k2": rng.integers(0, 9, n), "s": np.resize(list("pqrs"), n)}
    )


PRIORS = [
    BadCall(
        "spelling: a prior for one term twice",
        partial(model, "y ~ x:g", priors={"x:g": NORMAL, "g : x": NORMAL}),
        PriorError,
        ("'x:g' is named twice", "'g : x'"),
    ),
    BadCall(
        "spelling: a prior for another reference",
        partial(model, "y ~ T(g, 'b')", priors={"T(g,'c')": NORMAL}),
        NutsliteWarning,
        ("T(g,'c')", "Did you mean", "not used"),
    ),
    BadCall(
        "spelling: a prior for an order that says too little",
        partial(model, "y ~ 0 + x:g:two", priors={"g:x:two[b, yes]": NORMAL}),
        NutsliteWarning,
        ("g:x:two[b, yes]", "not used"),
    ),
]

QUOTES = [
    BadCall(
        f"names: {column!r} without back-quotes",
        partial(model, f"y ~ x + {column}", frame(**{column: np.arange(24.0)})),
        FormulaError,
        (f"`{column}`", "back-quotes"),
    )
    for column in ("two words", "a.b", "2020", "z-score")
]

CALLS = [
    *(BadCall(f"call: {name}", partial(model, f"y ~ {t}"), r, w) for name, t, r, w in CALLS_THAT_DO_NOT_FIT),
    *(BadCall(f"program: {name}", partial(model, f"y ~ {t}"), r, w) for name, t, r, w in NAMES_OF_PROGRAMS),
    *(
        BadCall(f"word: {name}", partial(model, t), FormulaError, (f"`{w}`", "Python"))
        for name, t, w in WORDS_OF_PYTHON
    ),
    *(BadCall(f"size: {name}", lambda t=t: model(f"y ~ {t}", _large()), r, w) for name, t, r, w in LARGE),
    *PRIORS,
    *QUOTES,
]
