"""What the arguments of a formula's functions may be: checked by their names, before the functions see them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Number
from types import FunctionType
from typing import Any

import numpy as np
import pandas as pd

from nutslite.exceptions import FormulaError
from nutslite.formula.evaluation.values import is_data


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return _is_number(value) and bool(value == np.floor(value))


def _are_whole(value: Any) -> bool:
    return _is_whole(value) or (_are_numbers(value) and bool(np.all(np.asarray(value) == np.floor(value))))


def _are_texts(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list | tuple) and all(isinstance(item, str) for item in value))


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool | np.bool_)


def _is_level(value: Any) -> bool:
    """Texts, numbers, truths, and dates; nothing that has parts or can be called."""
    plain = isinstance(value, str | Number | np.generic) or (np.ndim(value) == 0 and hasattr(value, "isoformat"))
    return plain and not isinstance(value, type | FunctionType)


def _are_numbers(value: Any, dimensions: tuple[int, ...] = (1,)) -> bool:
    if isinstance(value, str | dict | set):
        return False
    try:
        array = np.asarray(value)
    except ValueError:  # lists of unequal lengths
        return False
    return array.ndim in dimensions and array.dtype.kind in "iuf" and bool(np.isfinite(array).all())


def _are_constraints(value: Any) -> bool:
    return value == "center" if isinstance(value, str) else _are_numbers(value, (1, 2))


def _is_list(value: Any) -> bool:
    return pd.api.types.is_list_like(value) and not isinstance(value, dict | set | frozenset)


_KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(("lower_bound", "upper_bound", "period"), ("a number", _is_number)),
    **dict.fromkeys(("c", "L"), ("a number, or a list of numbers", lambda value: _are_numbers(value, (0, 1, 2)))),
    **dict.fromkeys(("include_intercept", "intercept", "raw"), ("True or False", _is_truth)),
    **dict.fromkeys(("share_cov", "scale", "iso", "drop_first", "centered"), ("True or False", _is_truth)),
    **dict.fromkeys(("ref", "omit", "success", "reference"), ("one level, such as 'a'", _is_level)),
    "scores": ("a list of numbers, one per level", _are_numbers),
    "knots": ("a list of numbers", _are_numbers),
    "constraints": ("'center' or rows of numbers", _are_constraints),
    **dict.fromkeys(("df", "degree", "ddof", "decimals"), ("a whole number", _is_whole)),
    **dict.fromkeys(("k", "m"), ("a whole number, or a list of them", _are_whole)),
    "bs": ("a text, such as 'cr', or a list of them", _are_texts),
    "cov": ("a text, such as 'ExpQuad'", lambda value: isinstance(value, str)),
    "levels": ("a list, such as ['a', 'b']", _is_list),
}
"""Name of an argument -> what it is, in words, and whether a value is that; None stands for a default everywhere."""


def check_arguments(name: str, values: Mapping[str, Any], texts: Mapping[str, str]) -> None:
    """Refuse arguments that are not what they are for.

    Parameters
    ----------
    name : str
        Of the function.
    values, texts : mapping
        Name of each argument -> its value, and -> how the formula has it.

    Raises
    ------
    FormulaError
        Naming the argument as written.
    """
    for key, value in values.items():
        if key not in _KINDS or value is None:
            continue
        kind, fits = _KINDS[key]
        if not fits(value):
            raise FormulaError(f"{key} of {name}() is {kind}, not {texts.get(key, key)}.")


def check_rows(name: str, value: Any, text: str, rows: int, *, most: int = 1) -> None:
    """Refuse what is not a number per row, as the data of a numeric function.

    Parameters
    ----------
    name : str
        Of the function.
    value : object
    text : str
        How the formula has it.
    rows : int
        Of the data.
    most : int
        Most dimensions: 2 where several columns will do.

    Raises
    ------
    FormulaError
        Naming the argument as written.
    """
    numeric = is_data(value) and isinstance(value, np.ndarray) and value.dtype.kind in "biuf"
    if not numeric or not 1 <= value.ndim <= most or value.shape[0] != rows:
        wanted = "one numeric column" if most == 1 else "columns of numbers, with a value per row"
        raise FormulaError(f"{name}() takes {wanted}, not {text}.")
