"""``rate(y, exposure)``: counts of an exposure that differs by row: a time, an area, a population."""

from __future__ import annotations

import numpy as np

from nutslite.exceptions import DataError
from nutslite.formula.forms.form import Call, Form, Known

EXPOSURE = "exposure"


def _say(call: Call) -> Known:
    exposures, text = call.numbers("exposure"), call.text("exposure")
    wrong = exposures <= 0
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"The exposures '{text}' are above zero; row {row} of those used has {exposures[row]:g}. In rate(y, "
            "exposure), the mean of y is the exposure times the rate that terms are about."
        )
    return Known(companions={EXPOSURE: exposures})


FORM = Form(
    names=("rate",),
    signatures=("y, exposure",),
    say=_say,
    companions=(EXPOSURE,),
    categories="The counts '{name}' are categorical, and must be whole numbers.",
)
