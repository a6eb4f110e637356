"""Levels of quantiles, as users give them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from numbers import Real
from typing import Any

import numpy as np

from nutslite.exceptions import FamilyError, FamilyTypeError, error_about, shown


def one_level(level: Any) -> float:
    """The level of a quantile.

    Raises
    ------
    FamilyError
        Where it is no number between 0 and 1.
    """
    if not isinstance(level, Real) or isinstance(level, bool) or not 0.0 < float(level) < 1.0:
        raise error_about(level, Real, FamilyError, FamilyTypeError)(
            f"quantile is a number between 0 and 1, such as 0.9, not {shown(level)}."
        )
    return float(level)


def several_levels(name: str, levels: Any) -> tuple[float, ...]:
    """Two levels or more, increasing; `name` is the argument's.

    Raises
    ------
    FamilyError
        Where these are no levels, or one is there twice.
    """
    listed = isinstance(levels, Sequence | np.ndarray) and not isinstance(levels, str)
    if not listed and hasattr(levels, "to_list"):  # a column
        levels, listed = levels.to_list(), True
    if not listed or len(levels) < 1:
        raise error_about(levels, Sequence, FamilyError, FamilyTypeError)(
            f"{name} is a list of levels, such as [0.1, 0.5, 0.9], not {shown(levels)}."
        )
    found = sorted(one_level(level) for level in levels)
    twice = next((low for low, high in pairwise(found) if low == high), None)
    if twice is not None:
        raise FamilyError(f"{name} has the level {twice:g} twice: leave one out.")
    return tuple(found)
