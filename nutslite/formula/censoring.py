"""``censored(y, status)`` and ``censored(lower, upper, status)``: taken apart, and what it says of every row."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import DataError, did_you_mean
from nutslite.formula.columns.categories import Categories
from nutslite.formula.columns.data import matrix_of
from nutslite.formula.columns.level_names import level_name
from nutslite.formula.evaluation import functions
from nutslite.formula.evaluation.evaluation import Evaluator
from nutslite.formula.language.expression import Expression
from nutslite.formula.records import STATUSES, Censoring, FloatArray

_NUMBERS = {-1.0: "left", 0.0: "none", 1.0: "right", 2.0: "interval"}
_WRITTEN = "censored(y, status), or censored(lower, upper, status) where there are intervals"
_INTERVAL = STATUSES.index("interval")
_LISTED = "'none', 'left', 'right' or 'interval' (0, -1, 1 or 2)"


def read_censored(expression: Expression, call: ast.Call) -> tuple[Expression, Expression, Expression | None]:
    """The response, its status, and the upper ends of intervals where there are any.

    Raises
    ------
    FormulaError
        For other arguments than these.
    """
    if call.keywords or len(call.args) not in (2, 3):
        raise expression.error(f"{functions.CENSORED}() takes its arguments by position: {_WRITTEN}.")
    parts = [expression.part(argument) for argument in call.args]
    for part in parts:
        if isinstance(part.tree, ast.Call) and getattr(part.tree.func, "id", None) == functions.WEIGHTED:
            raise expression.error("weighted() stands outside: weighted(censored(y, status), w).")
    return parts[0], parts[-1], parts[1] if len(parts) == 3 else None


def learn_censoring(
    status: Expression, upper: Expression | None, evaluator: Evaluator, response: FloatArray, name: str
) -> Censoring:
    """What is known of each response, given what stands for it, shape (n,).

    Raises
    ------
    DataError
        For another status, and for an interval without an upper end above its lower one.
    """
    statuses = _statuses(status, evaluator)
    if upper is None:
        interval = statuses == _INTERVAL
        if interval.any():
            raise DataError(
                f"'{status.name}' says 'interval' in {np.count_nonzero(interval)} rows, first in row "
                f"{np.argmax(interval)} of those used: write {functions.CENSORED}({name}, upper, {status.name}), with "
                "the column of the upper ends."
            )
        return Censoring(statuses)
    ends = np.array(matrix_of(evaluator.evaluate(upper), evaluator.rows, upper.name)[0], dtype=float)
    return censoring_of(statuses, response, ends, name, upper.name)


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


def _statuses(status: Expression, evaluator: Evaluator) -> NDArray[np.int64]:
    """Places in `STATUSES` of a column of texts or numbers."""
    value, name = evaluator.evaluate(status), status.name
    if isinstance(value, Categories):
        found = value.without_unused()
    elif isinstance(value, np.ndarray) and value.ndim == 1 and value.size == evaluator.rows:
        found = evaluator.categories(value, status.tree, name)
    else:
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
