"""``p(y, n)``: y successes out of n trials."""

from __future__ import annotations

import numpy as np

from nutslite.exceptions import DataError
from nutslite.formula.forms.form import Call, FloatArray, Form, Known


def _say(call: Call) -> Known:
    trials = call.numbers("n")
    _check_whole(trials, f"The trials '{call.text('n')}'")
    if call.y is not None:
        _check_whole(call.y, f"The counts '{call.response}'")
        _check_trials(call.y, trials, call)
    return Known(companions={"trials": trials})


def _check_whole(values: FloatArray, what: str) -> None:
    bad = (values < 0) | (values != np.floor(values))
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(f"{what} must be whole numbers from 0 on; row {row} of those used has {values[row]:g}.")


def _check_trials(counts: FloatArray, trials: FloatArray, call: Call) -> None:
    above = counts > trials
    if above.any():
        row, count = int(np.argmax(above)), int(np.count_nonzero(above))
        raise DataError(
            f"'{call.response}' exceeds '{call.text('n')}' in {count} rows, first in row {row} of those used "
            f"({counts[row]:g} > {trials[row]:g}). In p(y, n), y counts the successes among n trials."
        )


FORM = Form(
    names=("p", "prop", "proportion"),
    signatures=("y, n",),
    say=_say,
    companions=("trials",),
    categories="The counts '{name}' are categorical, and must be whole numbers.",
    kind="proportion",
)
