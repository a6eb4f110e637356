"""What every record of a part must be: named, with functions where functions belong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nutslite.exceptions import SettingError, SettingTypeError


def check_part(part: Any, **functions: Callable[..., Any] | None) -> None:
    """Raise unless a part has a name and these are functions.

    Raises
    ------
    SettingError
        The message names the record and what is wrong in it.
    """
    record = type(part).__name__
    if not isinstance(part.name, str) or not part.name:
        raise SettingTypeError(f"{record} needs a name, a text, not {part.name!r}.")
    for what, function in functions.items():
        if not callable(function):
            raise SettingTypeError(f"{record} '{part.name}': {what} must be a function, not {function!r}.")


def check_numbers(part: Any, what: str, values: Any) -> None:
    """Raise unless `values` is a tuple of finite numbers."""
    record = type(part).__name__
    fits = isinstance(values, tuple) and all(isinstance(value, int | float | np.number) for value in values)
    if not fits:
        raise SettingTypeError(f"{record} '{part.name}': {what} must be a tuple of numbers, not {values!r}.")
    if not all(np.isfinite(values)):
        raise SettingError(f"{record} '{part.name}': {what} must be finite; they are {values!r}.")


def check_count(part: Any, what: str, value: Any, least: int) -> None:
    """Raise unless `value` is an integer of at least `least`."""
    wanted = f"{type(part).__name__} '{part.name}': {what} must be an integer of at least {least}, not {value!r}."
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise SettingTypeError(wanted)
    if value < least:
        raise SettingError(wanted)
