"""``truncated(y, lb, ub)`` and ``constrained(y, lb, ub)``: responses that are seen between bounds only.

Both have one likelihood, the density divided by the probability of what lies between the bounds. Bambi has two names,
for data of which others were left out, and for a response that cannot be elsewhere; of the latter the bounds are
numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nutslite.exceptions import DataError, FormulaError
from nutslite.formula.forms.form import Call, FloatArray, Form, Known

LOWER, UPPER = "lower bound", "upper bound"
_SIDES = {LOWER: ("lb", -np.inf), UPPER: ("ub", np.inf)}


def _say(call: Call) -> Known:
    given = {name: _bound(call, *side) for name, side in _SIDES.items()}
    if all(value is None for value in given.values()):
        raise FormulaError(f"{call.name}() needs a bound: {call.name}({call.response}, lb=0), with lb=, ub= or both.")
    return Known(
        companions={
            name: np.full(call.evaluator.rows, _SIDES[name][1]) if value is None else value
            for name, value in given.items()
        }
    )


def _say_numbers(call: Call) -> Known:
    for argument in call.expressions:
        if isinstance(value := call.value(argument), np.ndarray) or not isinstance(value, int | float | None):
            raise FormulaError(
                f"{argument} of constrained() is one number, the end of what '{call.response}' can be. Bounds that "
                f"differ by row are those of truncated({call.response}, {argument}={call.text(argument)})."
            )
    return _say(call)


def _bound(call: Call, argument: str, none: float) -> FloatArray | None:
    """One bound of every row; None where the formula has none."""
    if argument not in call.expressions or call.value(argument) is None:
        return None
    values, text = call.numbers(argument, finite=False), call.text(argument)
    wrong = np.isnan(values) | (values == -none)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"{argument}={text} of {call.name}() is {values[row]:g} in {np.count_nonzero(wrong)} rows, first in row "
            f"{row} of those used. A row without this bound has {none:g}."
        )
    return values


def _form(name: str, say: Any) -> Form:
    return Form(
        names=(name,),
        signatures=("y, lb=None, ub=None",),
        say=say,
        companions=(LOWER, UPPER),
        categories=f"'{{name}}' is categorical; what {name}() bounds are numbers.",
        around=True,
    )


TRUNCATED, CONSTRAINED = _form("truncated", _say), _form("constrained", _say_numbers)
