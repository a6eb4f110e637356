"""``se(y, s)``: responses are estimates with standard errors that are known, as in a meta-analysis."""

from __future__ import annotations

import numpy as np

from nutslite.exceptions import DataError, FormulaError
from nutslite.formula.forms.form import Call, Form, Known

ERROR, BESIDE = "standard error", "residual"


def _say(call: Call) -> Known:
    text = call.text("s")
    errors, beside = call.numbers("s"), call.value("sigma") if "sigma" in call.expressions else False
    if not isinstance(beside, bool):
        raise FormulaError(
            f"sigma of {call.name}() is True or False: whether sigma adds to the standard errors '{text}', or they are "
            "all that there is beside the effects."
        )
    wrong = errors < 0 if beside else errors <= 0
    if wrong.any():
        row, above = int(np.argmax(wrong)), "not negative" if beside else "above zero"
        raise DataError(
            f"The standard errors '{text}' are {above}; row {row} of those used has {errors[row]:g}. In se(y, s), s is "
            "the standard error of each estimate y."
        )
    return Known(companions={ERROR: errors, BESIDE: np.full(errors.shape, float(beside))})


FORM = Form(
    names=("se",),
    signatures=("y, s, sigma=False",),
    say=_say,
    companions=(ERROR, BESIDE),
    categories="The estimates '{name}' are categorical, and must be numbers.",
)
