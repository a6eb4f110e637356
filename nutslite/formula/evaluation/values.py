"""The values that meet while an expression is worked out: conversions and checks for `evaluation.py`."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from nutslite.exceptions import DataError, FormulaError
from nutslite.formula.columns.categories import Categories
from nutslite.formula.columns.level_names import level_name
from nutslite.formula.evaluation.signatures import SIGNATURES
from nutslite.formula.language.expression import canonical_name

_EXACT = 2.0**53  # whole numbers up to here are exact in float64


def is_data(value: Any) -> bool:
    """Whether a value has rows, unlike constants and contrasts."""
    return isinstance(value, np.ndarray | Categories)


def not_categorical(value: Any, node: ast.AST) -> Any:
    """`value` as an argument of a numeric function; texts are for np.where alone."""
    if isinstance(value, Categories):
        raise DataError(f"'{canonical_name(node)}' is categorical, and this needs numbers.")  # type: ignore[arg-type]
    return value


def as_argument(value: Any, node: ast.AST) -> Any:
    """`value` as an argument of a NumPy function.

    Booleans (np.exp of them would be float16) and unsigned numbers (which wrap around below 0) are float64.
    """
    not_categorical(value, node)
    if isinstance(value, bool | np.bool_):
        return float(value)
    return value.astype(np.float64) if isinstance(value, np.ndarray) and value.dtype.kind in "bu" else value


def as_number(value: Any, node: ast.AST) -> Any:
    """`value` as float64, for arithmetic."""
    not_categorical(value, node)
    if not isinstance(value, np.ndarray | np.generic | bool | int | float):
        raise DataError(f"'{canonical_name(node)}' is not a number.")  # type: ignore[arg-type]
    if np.asarray(value).dtype.kind not in "biuf":
        raise DataError(f"'{canonical_name(node)}' is not numeric.")  # type: ignore[arg-type]
    if isinstance(value, np.ndarray):
        return value.astype(np.float64, copy=False)
    return np.float64(value)


def as_integers(result: Any) -> Any:
    """Whole numbers that float64 holds exactly, as integers; anything larger stays float64."""
    if np.all(np.abs(result) < _EXACT):
        return result.astype(np.int64) if isinstance(result, np.ndarray) else int(result)
    return result


def with_all_digits(function: Callable[..., Any], values: list[Any], result: Any) -> Any:
    """``function(*values)`` of whole numbers, as integers; `result` is the same in float64.

    Where float64 does not hold all of them, it is worked out again in Python's integers, so that ids keep their digits.
    """
    large = [np.abs(np.asarray(item, dtype=np.float64)) >= _EXACT for item in (*values, result)]
    if not any(item.any() for item in large) or not np.isfinite(result).all():
        return as_integers(result)
    exact = function(*[np.asarray(item).astype(object) for item in values])
    if not isinstance(exact, np.ndarray):
        return exact
    for kind in (np.int64, np.uint64):
        if np.iinfo(kind).min <= exact.min() and exact.max() <= np.iinfo(kind).max:
            return exact.astype(kind)
    return result


def as_truth(value: Any) -> Any:
    """`value` unless it is not Boolean."""
    if isinstance(value, bool | np.bool_) or (isinstance(value, np.ndarray) and value.dtype == np.bool_):
        return value
    raise DataError("and, or, not, & and | take comparisons or Boolean columns; put comparisons in parentheses.")


def combine(function: Callable[[Any, Any], Any], values: list[Any]) -> Any:
    """Boolean values, folded by ``np.logical_and`` or ``np.logical_or``."""
    result = as_truth(values[0])
    for value in values[1:]:
        result = function(result, as_truth(value))
    return result


def bind(name: str, arguments: list[Any], keywords: dict[str, Any]) -> list[Any]:
    """Arguments of a function of a column, in the order of its signature; defaults where they are not given."""
    bound = SIGNATURES[name].bind(*arguments, **keywords)
    bound.apply_defaults()
    if not is_data(bound.arguments["x"]):
        raise FormulaError(f"{name}() takes a column: {name}(x).")
    if isinstance(bound.arguments["x"], np.ndarray) and bound.arguments["x"].ndim != 1:
        raise FormulaError(f"{name}() takes one column, and this has {bound.arguments['x'].shape[1]}.")
    return list(bound.arguments.values())


def check_contrast(contrast: Any, what: str) -> None:
    """Refuse what cannot code a categorical; a matrix of the user's own is checked against the levels later.

    Raises
    ------
    FormulaError
        Naming the contrasts that there are.
    """
    if contrast is None or hasattr(contrast, "code_without_intercept"):
        return
    if not isinstance(contrast, str | dict) and np.ndim(contrast) == 2 and np.asarray(contrast).dtype.kind in "biuf":
        return
    reference = f"; write Treatment({contrast!r}) for a reference level" if isinstance(contrast, str | int) else ""
    given = f", not {contrast!r}" if isinstance(contrast, str | int | float | list) else ""
    raise FormulaError(
        f"'{what}': the contrast is Treatment, Sum, Helmert, Poly, Diff or a matrix with a row per level{given}"
        f"{reference}."
    )


def with_levels(found: Categories, levels: Any, what: str) -> Categories:
    """`found` in the order of levels that the user spelled out.

    Raises
    ------
    FormulaError
        Where `levels`, which is a list, holds one twice, or something that is no level.
    DataError
        Where the data hold others.
    """
    levels = tuple(levels.tolist() if hasattr(levels, "tolist") else levels)  # of any library's arrays
    if any(pd.api.types.is_list_like(level) or pd.isna(level) for level in levels):
        raise FormulaError(f"'{what}': levels= lists single values, none of them missing.")
    names = [level_name(level) for level in levels]
    twice = [level for position, level in enumerate(levels) if names[position] in names[:position]]
    if twice:
        raise FormulaError(f"'{what}': levels= has {twice[0]!r} twice.")
    recoded = found.recoded(levels, what)
    if recoded.unseen:
        raise DataError(
            f"{what}: the data hold the level '{level_name(recoded.unseen[0])}', which levels= does not list."
        )
    return recoded
