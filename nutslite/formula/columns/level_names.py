"""What a level is called: the text by which users, formulas and results know it, whatever type holds it.

Levels of two data sets are the same where their names are, as in R. Names that differ and yet read alike ('1' and
'1.0') are nobody's intention: `positions_among` refuses them.
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Hashable, Sequence
from decimal import Decimal
from numbers import Number
from typing import Any

import numpy as np
import pandas as pd

from nutslite.exceptions import DataError

_DIGITS = 15  # that float64 always keeps, and that R names numbers by
_LONGEST = 10**30  # larger numbers are written with an exponent
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_MIDNIGHT = re.compile(r"(\d{4}-\d\d-\d\d)[ T]00:00(:00(\.0+)?)?", re.ASCII)


def level_name(level: Any) -> str:
    """A level as users see it: Decimals without zeros at the end, a date without midnight, bytes as their text.

    >>> [level_name(level) for level in (1, "1", Decimal("1.00"), 0.5, True, b"a")]
    ['1', '1', '1', '0.5', 'True', 'a']
    """
    if isinstance(level, Decimal):
        return _decimal_name(level)
    if isinstance(level, bytes):
        return level.decode("utf-8", "backslashreplace")
    if isinstance(level, datetime.datetime) and level.tzinfo is None and _is_midnight(level):
        return level.date().isoformat()
    return str(level)


def _decimal_name(value: Decimal) -> str:
    if not value.is_finite() or abs(value) >= _LONGEST:
        return str(value)
    text = format(value, "f") if value else "0"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _is_midnight(moment: datetime.datetime) -> bool:
    return moment.time() == datetime.time() and not getattr(moment, "nanosecond", 0)


def python_levels(levels: Any, what: str) -> tuple[Any, ...]:
    """Levels as Python objects: numbers that are all whole as ints, whatever type held them.

    Parameters
    ----------
    levels : ndarray or Index
        All different. Numbers of less than 64 bits count by their own shortest decimals: 0.1, not 0.10000000149.
    what : str
        Whose levels they are, for messages.

    Raises
    ------
    DataError
        For whole numbers that have lost digits on their way to floating point.
    """
    if pd.api.types.is_float_dtype(levels.dtype):
        levels = np.asarray(levels, dtype=getattr(levels.dtype, "numpy_dtype", levels.dtype))
        _refuse_lost_digits(levels, what)
        found = levels.tolist() if levels.dtype == np.float64 else [float(str(level)) for level in levels]
    else:
        found = [python_value(level) for level in levels.tolist()]
    if found and all(_is_whole(level) for level in found):
        return tuple(int(Decimal(str(level))) for level in found)
    return tuple(found)


def python_value(level: Any) -> Any:
    """A number of NumPy's as Python's, floating ones by their shortest decimals; anything else as it is."""
    if isinstance(level, np.floating):
        return float(str(level))
    return level.item() if isinstance(level, np.generic) else level


def _is_whole(level: Any) -> bool:
    number = isinstance(level, int | float | Decimal) and not isinstance(level, bool)
    return number and abs(level) < _LONGEST and level == int(level)


def _refuse_lost_digits(values: Any, what: str) -> None:
    """Raise for whole numbers so large that their type skips some: 2.0**53 may have been 2**53 + 1."""
    exact = 2.0 ** (np.finfo(values.dtype).nmant + 1)
    for value in values[np.isfinite(values) & (np.abs(values) >= exact)]:
        written = Decimal(str(value)).normalize()
        if len(written.as_tuple().digits) > np.finfo(values.dtype).precision:
            raise DataError(
                f"'{what}' holds whole numbers as large as {written:f} in floating point ({values.dtype}), which has "
                "lost their last digits: different levels may have become one. Keep such numbers as 'Int64' or as "
                "texts; pandas makes floating point of whole numbers beside a missing value."
            )


def positions_among(levels: Sequence[Any], known: Sequence[Any], what: str) -> list[int]:
    """The position of each of `levels` among the `known` ones, -1 for those that are not there.

    They are matched by name; values of one kind (numbers, Booleans included; intervals) that have other names are
    matched where they are equal.

    Raises
    ------
    DataError
        Where a level is not among the known ones, and reads like one of them.
    """
    places = {level_name(level): place for place, level in enumerate(known)}
    found = [places.get(level_name(level), -1) for level in levels]
    if -1 not in found or {*map(type, levels), *map(type, known)} == {int}:  # whose names are all that there is
        return found
    values = {_value(level): place for place, level in enumerate(known)}
    readings = {_reading(level): level for level in known}
    for place, level in enumerate(levels):
        if found[place] < 0:
            found[place] = values.get(_value(level), -1)
        if found[place] < 0 and _reading(level) in readings:
            _refuse_alike(level, readings[_reading(level)], what)
    return found


def _value(level: Any) -> tuple[type, Hashable]:
    return (Number if isinstance(level, Number) else type(level)), level


def _reading(level: Any) -> Hashable:
    """What a person reads: one thing for '1', ' 1' and '01', for 0.3 and 0.1 + 0.2, for 'true' and 'True'."""
    text = unicodedata.normalize("NFC", level_name(level)).strip()
    if _NUMBER.fullmatch(text):
        number = Decimal(text)
        return number if number == number.to_integral_value() else Decimal(f"{number:.{_DIGITS}g}")
    midnight = _MIDNIGHT.fullmatch(text)
    if midnight:
        return midnight.group(1)
    return text.casefold() if text.casefold() in ("true", "false") else text


def _refuse_alike(level: Any, known: Any, what: str) -> None:
    name, other = level_name(level), level_name(known)
    shown = [f"'{name}'", f"'{other}'"]
    if unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", other):
        shown = [ascii(name), ascii(other)]  # they look the same on a screen
    raise DataError(
        f"The level {shown[0]} of '{what}' reads like the level {shown[1]}, and is written differently. Write "
        f"{shown[1]} if that is meant; give it another name if not."
    )
