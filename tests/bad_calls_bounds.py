"""Bounds, known errors and exposures of responses that cannot be."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from bad_calls import BadCall, frame, model

from nutslite.exceptions import DataError, FamilyError, FormulaError, PriorError

ROWS = 24


def data(**columns: Any) -> Any:
    """`frame()` with bounds, errors and exposures; `columns` replace or add columns."""
    rows = frame()
    rows = rows.assign(low=rows["y"] - 1.0, high=rows["y"] + 1.0, se=rows["w"], days=rows["n"] * 1.0)
    return rows.assign(**columns)


def _call(what: str, error: Any, words: tuple[str, ...], formula: str, rows: Any = None, **settings: Any) -> BadCall:
    made = partial(model, formula, data() if rows is None else rows, **settings)
    return BadCall(f"bounds: {what}", made, error, words)


def _with(name: str, row: int, value: float) -> Any:
    changed = data()[name].to_numpy().copy()
    changed[row] = value
    return data(**{name: changed})


CALLS = [
    _call("none", FormulaError, ("needs a bound", "truncated(y, lb=0)"), "truncated(y) ~ x"),
    _call("both none", FormulaError, ("needs a bound",), "truncated(y, lb=None) ~ x"),
    _call("another name", FormulaError, ("no argument 'lower'", "truncated(y, lb, ub)"), "truncated(y, lower=0) ~ x"),
    _call("columns of constrained", FormulaError, ("one number", "truncated(y, lb=low)"), "constrained(y, lb=low) ~ x"),
    _call("two forms of bounds", FormulaError, ("constrained() and truncated() say the same",),
          "constrained(truncated(y, lb=-9), ub=9) ~ x"),
    _call("twice", FormulaError, ("truncated() stands once",), "truncated(truncated(y, lb=-9), ub=9) ~ x"),
    _call("inside", FormulaError, ("truncated() stands outside",), "censored(truncated(y, lb=-9), b) ~ x"),
    _call("as a term", FormulaError, ("truncated()", "left of '~'"), "y ~ truncated(x, lb=0)"),
    _call("missing", DataError, ("incomplete", "'low'"), "truncated(y, lb=low) ~ x", _with("low", 3, np.nan)),
    _call("infinite on the wrong side", DataError, ("lb=low", "row 3", "has -inf"), "truncated(y, lb=low) ~ x",
          _with("low", 3, np.inf)),
    _call("texts", DataError, ("'g'",), "truncated(y, lb=g) ~ x"),
    _call("no room", DataError, ("no room", "row 0"), "truncated(y, lb=high, ub=low) ~ x"),
    _call("a response below", DataError, ("beyond their bounds", "row 2", "censored"), "truncated(y, lb=low) ~ x",
          _with("low", 2, 99.0)),
    _call("censored at its bound", DataError, ("beyond their bounds",),
          "truncated(censored(y, np.where(b > 0, 'right', 'none')), ub=99) ~ x",
          data(y=np.where(frame()["b"] > 0, 99.0, 0.5))),
    _call("a categorical response", DataError, ("'g' is categorical",), "truncated(g, lb=0) ~ x"),
    *[
        _call(f"not in {family}", FamilyError, (f"'{family}' does not know bounds", "gamma, gaussian"),
              f"truncated({name}, lb=0.001, ub=0.999) ~ x".replace("unit", "unit") if name == "unit"
              else f"truncated({name}, lb=-3, ub=30) ~ x", family=family)
        for family, name in (("hurdle_poisson", "k"), ("hurdle_lognormal", "pos"), ("vonmises", "unit"), ("elf", "y"))
    ],
    _call("automatic priors of the likelihood", PriorError, ("automatic_priors='mle'", "lower bound"),
          "truncated(y, lb=-9) ~ x", automatic_priors="mle"),
    _call("errors of zero", DataError, ("'se' are above zero", "row 4"), "se(y, se) ~ x", _with("se", 4, 0.0)),
    _call("negative errors", DataError, ("'se' are not negative",), "se(y, se, sigma=True) ~ x",
          _with("se", 4, -1.0)),
    _call("sigma by a number", FormulaError, ("sigma of se() is True or False",), "se(y, se, sigma=2) ~ x"),
    _call("errors and a prior of sigma", PriorError, ("'sigma'", "sigma=True"), "se(y, se) ~ x",
          priors={"sigma": 1.0}),
    _call("errors in gamma", FamilyError, ("'gamma' does not know", "gaussian, t"), "se(pos, se) ~ x", family="gamma"),
    _call("no errors", FormulaError, ("se(y, s, sigma=False)",), "se(y) ~ x"),
    _call("exposures of zero", DataError, ("'days' are above zero", "row 5"), "rate(k, days) ~ x",
          _with("days", 5, 0.0), family="poisson"),
    _call("exposures in zero_inflated_poisson", FamilyError, ("offset(log(exposure))", "negativebinomial, poisson"),
          "rate(k, days) ~ x", family="zero_inflated_poisson"),
    _call("fractions with exposures", DataError, ("'poisson'", "counts"), "rate(pos, days) ~ x", family="poisson"),
]  # fmt: skip
