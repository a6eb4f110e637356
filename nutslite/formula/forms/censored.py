"""``censored(y, status)`` and ``censored(lower, upper, status)``: taken apart, and what it says of every row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import DataError, did_you_mean
from nutslite.formula.columns.level_names import level_name
from nutslite.formula.forms.form import STATUSES, Call, Censoring, FloatArray, Form, Known

_NUMBERS = {-1.0: "left", 0.0: "none", 1.0: "right", 2.0: "interval"}
_WRITTEN = "censored(y, status), or censored(lower, upper, status) where there are intervals"
_INTERVAL = STATUSES.index("interval")
_LISTED = "'none', 'left', 'right' or 'interval' (0, -1, 1 or 2)"


def _say(call: Call) -> Known:
    statuses, name, starts = _statuses(call), call.response, call.y
    assert starts is not None  # a form without companions is only asked where the response is there
    if "upper" in call.expressions:
        ends = call.numbers("upper", finite=False)
        return Known(censoring=censoring_of(statuses, starts, ends, name, call.text("upper")))
    interval = statuses == _INTERVAL
    if interval.any():
        status = call.text("status")
        raise DataError(
            f"'{status}' says 'interval' in {np.count_nonzero(interval)} rows, first in row {np.argmax(interval)} of "
            f"those used: write {call.name}({name}, upper, {status}), with the column of the upper ends."
        )
    return Known(censoring=Censoring(statuses))


def censoring_of(
    statuses: NDArray[np.int64], response: FloatArray, ends: FloatArray, name: str, upper: str
) -> Censoring:
    """What is known of each response, given places in `STATUSES` and upper `ends`, of which intervals alone matter.

    Raises
    ------
    DataError
        For an interval without an upper end above its lower one.
    """
    interval = statuses == _INTERVAL
    if not interval.any():
        return Censoring(statuses)
    _check_ends(ends, response, interval, name, upper)
    return Censoring(statuses, np.where(interval, ends, response), upper)


def _statuses(call: Call) -> NDArray[np.int64]:
    """Places in `STATUSES` of a column of texts or numbers."""
    found, name = call.categories("status"), call.text("status")
    if found is None:
        raise DataError(f"The status '{name}' is not a column: {_WRITTEN}, with a status in every row.")
    codes = np.array([place_of(level, name) for level in found.levels], dtype=np.int64)
    return codes[found.codes]


def place_of(level: Any, name: str) -> int:
    """The place in `STATUSES` of one status, in a word or a number.

    Raises
    ------
    DataError
        For anything else; `name` says whose status it is.
    """
    if isinstance(level, bool | np.bool_):
        raise DataError(
            f"The status '{name}' is True or False, which may say that a row is censored, or that it is not: write "
            f"np.where({name}, 'right', 'none'), or the other way round; a status is {_LISTED}."
        )
    text = _NUMBERS.get(float(level)) if isinstance(level, int | float | np.number) else str(level)
    if text not in STATUSES:
        hint = did_you_mean(str(level), STATUSES)
        raise DataError(
            f"The status '{name}' holds '{level_name(level)}'; it is {_LISTED}, and the last argument.{hint}"
        )
    return STATUSES.index(text)


def _check_ends(ends: FloatArray, starts: FloatArray, interval: NDArray[np.bool_], name: str, upper: str) -> None:
    for wrong, what in (
        (~np.isfinite(ends), f"'{upper}' has no finite number"),
        (ends <= starts, f"'{upper}' is not above '{name}'"),
    ):
        bad = wrong & interval
        if bad.any():
            row = int(np.argmax(bad))
            raise DataError(
                f"{what} in {np.count_nonzero(bad)} of the rows that are intervals, first in row {row} of those used "
                f"({starts[row]:g}, {ends[row]:g}): an interval is above its lower end and up to its upper end. Where "
                "one end is unknown the status is 'left' or 'right'."
            )


FORM = Form(
    names=("censored",),
    signatures=("y, status", "lower, upper, status"),
    say=_say,
    categories="'{name}' is categorical; what censored() is about are numbers.",
    gaps=("upper",),
    unseen=True,
)
