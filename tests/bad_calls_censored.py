"""Censored responses that do not say what they have to, and what cannot be done with them."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from bad_calls import BadCall, frame, model

from nutslite.exceptions import DataError, FamilyError, FormulaError, NutsliteWarning, PriorError

ROWS = 24
STATUS = np.array(["none", "left", "right", "interval"] * (ROWS // 4))
SEEN = np.where(STATUS == "interval", "none", STATUS)


def data(**columns: Any) -> Any:
    """`frame()` with a status and upper ends; `columns` replace or add columns."""
    rows = frame(status=STATUS, seen=SEEN)
    return rows.assign(upper=rows["y"] + 1.0).assign(**columns)


def _call(what: str, error: Any, words: tuple[str, ...], formula: str, rows: Any = None, **settings: Any) -> BadCall:
    made = partial(model, formula, data() if rows is None else rows, **settings)
    return BadCall(f"censored: {what}", made, error, words)


def _upper(row: int, value: float) -> Any:
    ends = data()["upper"].to_numpy().copy()
    ends[row] = value
    return data(upper=ends)


LISTED = ("'none', 'left', 'right' or 'interval'",)
CALLS = [
    _call("one argument", FormulaError, ("censored(y, status)",), "censored(y) ~ x"),
    _call("four arguments", FormulaError, ("censored(lower, upper, status)",), "censored(y, y, y, seen) ~ x"),
    _call("by name", FormulaError, ("by position", "censored(y, status)"), "censored(y, status=seen) ~ x"),
    _call("as a term", FormulaError, ("censored()", "left of '~'"), "y ~ censored(x, seen)"),
    _call("weights inside", FormulaError, ("weighted(censored(y, status), weights)",),
          "censored(weighted(y, n), seen) ~ x"),
    _call("trials inside", FormulaError, ("p()", "stands alone"), "censored(p(hits, n), seen) ~ x"),
    _call("of brms", FormulaError, ("censored(y, status)",), "y | cens(seen) ~ x"),
    _call("cens as a function", FormulaError, ("cens()", "censored(y, status)"), "cens(y, seen) ~ x"),
    _call("of R", FormulaError, ("Surv()", "censored(time, status)"), "Surv(pos, b) ~ x"),
    _call("another word", DataError, ("'status'", "'rigth'", "Did you mean 'right'"), "censored(y, status) ~ x",
          data(status=["rigth"] * ROWS)),
    _call("another number", DataError, ("'n' holds", *LISTED), "censored(y, n) ~ x", data(n=[7] * ROWS)),
    _call("yes or no", DataError, ("'t' is True or False", "np.where(t, 'right', 'none')"), "censored(y, t) ~ x",
          data(t=[True, False] * 12)),
    _call("one status for all", DataError, ("not a column", "a status in every row"), "censored(y, 'right') ~ x"),
    _call("intervals without ends", DataError, ("'interval' in 6 rows", "censored(y, upper, status)"),
          "censored(y, status) ~ x"),
    _call("an end below", DataError, ("'upper' is not above 'y'", "row 3"), "censored(y, upper, status) ~ x",
          _upper(3, -99.0)),
    _call("an end at the start", DataError, ("is not above", "6 of the rows"), "censored(y, y, status) ~ x"),
    _call("an end missing", DataError, ("'upper' has no finite number", "row 7"), "censored(y, upper, status) ~ x",
          _upper(7, np.nan)),
    _call("a status missing", DataError, ("incomplete", "'seen'"), "censored(y, seen) ~ x",
          data(seen=[None, *SEEN[1:]])),
    _call("the status second", DataError, ("'upper' holds", "the last argument"), "censored(y, status, upper) ~ x"),
    _call("categories", DataError, ("'g'", "categorical"), "censored(g, seen) ~ x"),
    _call("a negative count", DataError, ("'poisson'", "counts"), "censored(k, seen) ~ x",
          data(k=[-1.0, *frame()["k"][1:]]), family="poisson"),
    _call("a fraction as an end", DataError, ("'half'", "counts"), "censored(k, half, status) ~ x",
          data(half=frame()["k"] + 0.5), family="poisson"),
    _call("an interval from zero", DataError, ("'weibull'", "above zero"), "censored(zero, pos, status) ~ x",
          data(zero=np.where(STATUS == "interval", 0.0, frame()["pos"])), family="weibull"),
    *[
        _call(f"not in {family}", FamilyError, (f"'{family}'", "exponential, gamma, gaussian", "weibull"),
              f"censored({name}, seen) ~ x", family=family)
        for family, name in (("hurdle_gamma", "pos"), ("zero_inflated_poisson", "k"), ("bernoulli", "b"), ("elf", "y"))
    ],
    _call("nothing seen", NutsliteWarning, ("No response", "all are censored"), "censored(y, s) ~ x",
          data(s=["right"] * ROWS)),
    _call("automatic priors of the likelihood", PriorError, ("automatic_priors='mle'", "censored"),
          "censored(y, seen) ~ x", automatic_priors="mle"),
]  # fmt: skip
