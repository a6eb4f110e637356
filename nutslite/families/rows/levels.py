"""Levels of quantiles, as users give them."""

from __future__ import annotations

from numbers import Real
from typing import Any

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
