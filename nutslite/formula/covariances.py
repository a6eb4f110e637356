"""Calls around a grouping factor that say how its levels vary together: ``gr(g, cov=K)``; a new one has a line here."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nutslite.exceptions import DataError, FormulaError, did_you_mean
from nutslite.formula.known_covariance import (
    MOST_LEVELS,
    KnownCovariance,
    ZeroSum,
    fault_of,
    known_covariance,
    zero_sum,
)
from nutslite.formula.language.algebra import Term
from nutslite.formula.language.expression import Expression


@dataclass(frozen=True)
class LevelsCall:
    """One such call.

    Attributes
    ----------
    what : str
        The factor, for messages.
    levels : tuple of str
        Names of its levels in the data, in the order of the results.
    arguments : mapping
        Argument -> value: a number, or what ``extra_namespace`` holds.
    texts : mapping
        Argument -> how the formula has it.
    """

    what: str
    levels: tuple[str, ...]
    arguments: Mapping[str, Any]
    texts: Mapping[str, str]


def _of_matrix(call: LevelsCall) -> KnownCovariance:
    """The user's own matrix, or that of effects that sum to zero."""
    if "zero_sum" in call.arguments:
        return zero_sum(call.what, call.levels)
    return known_covariance(call.arguments["cov"], call.texts["cov"], call.what, call.levels)


COVARIANCES: dict[str, Callable[[LevelsCall], KnownCovariance]] = {"gr": _of_matrix}
"""By the names of `groupings.GROUPINGS`."""


def covariance_of(term: Term, levels: tuple[str, ...], extra: Mapping[str, Any]) -> KnownCovariance | None:
    """The covariances of a grouping factor's levels; None where the formula says nothing of them.

    Raises
    ------
    FormulaError
        For a name that ``extra_namespace`` does not hold.
    DataError
        For what is no covariance of these levels.
    """
    if term.call is None or term.more or term.is_of_members:
        return None
    call: Any = term.call.tree
    arguments, texts = {}, {}
    for keyword in call.keywords:
        key, value = keyword.arg, keyword.value
        texts[key] = ast.unparse(value)
        if isinstance(value, ast.Name):
            if value.id not in extra:
                message = f"{key}={value.id}: hand it over as Model(..., extra_namespace={{'{value.id}': {value.id}}})."
                raise term.call.error(message + did_you_mean(value.id, extra), value)
            arguments[key] = extra[value.id]
        else:
            arguments[key] = ast.literal_eval(value)
    own = LevelsCall(term.factors[0].name, levels, arguments, texts)
    return _checked(COVARIANCES[call.func.id], own, term.call)


def _checked(make: Callable[[LevelsCall], KnownCovariance], call: LevelsCall, whole: Expression) -> KnownCovariance:
    """What a call makes, which must be covariances; errors of the call get carets."""
    if len(call.levels) > MOST_LEVELS:
        message = f"'{call.what}' has {len(call.levels)} levels; at most {MOST_LEVELS} may have known covariances."
        raise DataError(message)
    try:
        with np.errstate(all="ignore"):
            found = make(call)
    except FormulaError as error:
        raise whole.error(str(error)) from None
    if isinstance(found, ZeroSum):
        return found
    if fault := fault_of(found.matrix):
        raise whole.error(f"The matrix of '{whole.name}' {fault}")
    return found
