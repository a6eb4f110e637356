"""``weighted(y, w)``: the log likelihood of each row is multiplied by a weight."""

from __future__ import annotations

import numpy as np

from nutslite.exceptions import DataError, FormulaError
from nutslite.formula.forms.form import Call, Form, Known


def _say(call: Call) -> Known:
    text = call.text("weights")
    if isinstance(call.value("weights"), int | float):
        raise FormulaError(f"The weights '{text}' are one number; name a column.")
    weights = call.numbers("weights")
    if (weights < 0).any():
        raise DataError(f"The weights '{text}' are negative in {int(np.count_nonzero(weights < 0))} rows.")
    if not weights.any():
        raise DataError(f"The weights '{text}' are all zero.")
    return Known(weights=weights)


FORM = Form(names=("weighted",), signatures=("y, weights",), say=_say, around=True)
