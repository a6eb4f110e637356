"""``shares(a, b, c)``: parts of a whole, which add up to one in every row."""

from __future__ import annotations

import numpy as np

from nutslite.exceptions import DataError
from nutslite.formula.forms.form import Call, Form, Known

ADDS_UP = 1e-6  # how far the shares of a row may be from adding up to one


def _say(call: Call) -> Known:
    shares = np.stack([call.numbers(argument) for argument in call.expressions])
    names = [call.text(argument) for argument in call.expressions]
    for name, values in zip(names, shares, strict=True):
        if (values < 0.0).any():
            row = int(np.argmax(values < 0.0))
            raise DataError(f"The share '{name}' is negative in row {row} of those used: {values[row]:g}.")
    off = np.abs(shares.sum(axis=0) - 1.0) > ADDS_UP
    if off.any():
        row = int(np.argmax(off))
        raise DataError(
            f"The shares {', '.join(names)} must add up to one in every row; {int(off.sum())} do not, the first is row "
            f"{row} of those used, whose sum is {shares[:, row].sum():.6g}. Divide them by their sum, or write "
            "counts(...) of whole numbers."
        )
    return Known()


FORM = Form(
    names=("shares",),
    signatures=("*columns",),
    say=_say,
    categories="The shares '{name}' are categorical, and must be numbers.",
    kind="shares",
    columns=True,
)
