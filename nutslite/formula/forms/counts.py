"""``counts(a, b, c)``: how many of some trials came out as a, how many as b, how many as c."""

from __future__ import annotations

import numpy as np

from nutslite.exceptions import DataError
from nutslite.formula.forms.form import Call, Form, Known


def _say(call: Call) -> Known:
    trials = np.zeros(call.evaluator.rows)
    for argument in call.expressions:
        counts = call.numbers(argument)
        bad = (counts < 0.0) | (counts != np.floor(counts))
        if bad.any():
            row = int(np.argmax(bad))
            raise DataError(
                f"The counts '{call.text(argument)}' must be whole numbers from 0 on; row {row} of those used has "
                f"{counts[row]:g}. Shares that add up to one are shares(...)."
            )
        trials += counts
    return Known(companions={"trials": trials})


FORM = Form(
    names=("counts", "c"),
    signatures=("*columns",),
    say=_say,
    companions=("trials",),
    categories="The counts '{name}' are categorical, and must be whole numbers.",
    kind="counts",
    columns=True,
)
