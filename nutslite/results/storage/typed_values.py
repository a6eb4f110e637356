"""Single values of a column as JSON holds them, with their types: dates, periods, intervals, Decimals, bytes.

Numbers, texts, True and False stand for themselves; anything else is a dict of one entry, whose key says what it is.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pandas as pd

from nutslite._schema import NOTHING, Either, Later, Misfit, Number, Row, Tagged, Text
from nutslite.formula.columns.level_names import python_value

_WRITERS: tuple[tuple[type, str, Callable[[Any], Any]], ...] = (  # a class before the one that it is derived from
    (datetime.datetime, "timestamp", lambda value: _moment(pd.Timestamp(value))),
    (datetime.date, "date", lambda value: value.isoformat()),
    (datetime.time, "time", lambda value: value.isoformat()),
    (datetime.timedelta, "timedelta", lambda value: pd.Timedelta(value).isoformat()),
    (pd.Period, "period", lambda value: [value.ordinal, value.freqstr]),
    (pd.Interval, "interval", lambda value: [*map(to_typed, (value.left, value.right)), value.closed]),
    (Decimal, "decimal", str),
    (Fraction, "fraction", str),
    (bytes, "bytes", bytes.hex),
)
_READERS: dict[str, Callable[[Any], Any]] = {
    "timestamp": lambda value: _read_moment(*value),
    "date": datetime.date.fromisoformat,
    "time": datetime.time.fromisoformat,
    "timedelta": pd.Timedelta,
    "period": lambda value: pd.Period(ordinal=value[0], freq=value[1]),
    "interval": lambda value: pd.Interval(from_typed(value[0]), from_typed(value[1]), closed=value[2]),
    "decimal": Decimal,
    "fraction": Fraction,
    "bytes": bytes.fromhex,
}

ZONE = Text(longest=64, pattern=r"(?!dateutil)[A-Za-z0-9_+\-:]+(/[A-Za-z0-9_+\-]+){0,3}")
"""Zones by name or offset: pandas opens files for some other spellings."""

_MOMENT = Text(longest=40, pattern=r"[0-9T:.+\-]+")
_CLOSED = Text(among=("left", "right", "both", "neither"))


def _end() -> Either:
    return _END


TYPED = Tagged(
    {
        "timestamp": Row((_MOMENT, Either((NOTHING, ZONE), "a time zone or None"))),
        "date": _MOMENT,
        "time": _MOMENT,
        "timedelta": Text(longest=60, pattern=r"[PTDHMS0-9.+\-]+"),
        "period": Row((Number(-(2.0**62), 2.0**62, whole=True), Text(longest=20, pattern=r"[A-Za-z0-9\-]+"))),
        "interval": Row((Later(_end), Later(_end), _CLOSED)),
        "decimal": Text(pattern=r"[+\-]?[0-9]*\.?[0-9]*([Ee][+\-]?[0-9]{1,6})?"),
        "fraction": Text(pattern=r"-?[0-9]+(/[0-9]+)?"),
        "bytes": Text(longest=2**20, pattern=r"([0-9a-f]{2})*"),
    }
)
"""For `nutslite._schema.check`: a value that is a dict."""

_END = Either((Number(), Tagged({name: TYPED.kinds[name] for name in ("timestamp", "timedelta", "decimal")})), "an end")


def to_typed(value: Any) -> Any:
    """A value as JSON.

    >>> to_typed(pd.Interval(0, 1)), to_typed(Decimal("1.10"))
    ({'interval': [0, 1, 'right']}, {'decimal': '1.10'})

    Raises
    ------
    TypeError
        For a value of a type that is not known here.
    """
    value = python_value(value)
    if type(value) in (str, int, float, bool):
        return value
    for kind, name, write in _WRITERS:
        if isinstance(value, kind):
            return {name: write(value)}
    raise TypeError(type(value).__name__)


def from_typed(value: Any) -> Any:
    """The value that `to_typed` was given.

    Raises
    ------
    Misfit
        For what cannot be such a value: the 31st of February.
    """
    if not isinstance(value, dict):
        return value
    ((name, content),) = value.items()
    try:
        return _READERS[name](content)
    except Misfit:
        raise
    except Exception as error:  # each type has its own
        raise Misfit(f"'{str(content)[:100]}' is no {name}: {str(error)[:100]}") from None


def _moment(value: pd.Timestamp) -> list[str | None]:
    if value.tzinfo is None:
        return [value.isoformat(), None]
    return [value.tz_convert("UTC").tz_localize(None).isoformat(), str(value.tz)]


def _read_moment(text: str, zone: str | None) -> pd.Timestamp:
    moment = pd.Timestamp(text)
    return moment if zone is None else moment.tz_localize("UTC").tz_convert(zone)
