"""Widths of automatic priors as users write them: ``"wide"``, ``0.3``, ``"0.1"``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from nutslite.exceptions import PriorError, did_you_mean

WIDE = 3.0**-0.5
NAMED = {"narrow": 0.2, "medium": 0.4, "wide": WIDE, "superwide": 0.8}
LARGEST = 1.0


@dataclass(frozen=True)
class Scale:
    """How wide an automatic prior is to be.

    Attributes
    ----------
    text : str
        As the user wrote it.
    value : float
        Positive. Under ``automatic_priors="mle"`` the standard deviation of the partial correlation.
    named : bool
        Whether it was given by name.
    """

    text: str
    value: float
    named: bool = False

    @property
    def factor(self) -> float:
        """What it multiplies the width of a default prior by: a number as it is, a name relative to ``"wide"``."""
        return self.value / WIDE if self.named else self.value

    @property
    def correlation(self) -> float:
        """Standard deviation of a partial correlation.

        Raises
        ------
        PriorError
            Above 1, which no correlation can have.
        """
        if self.value > LARGEST:
            raise PriorError(
                f"The scale {self.text} is too large: with automatic_priors='mle' a scale is the standard deviation "
                f"of a partial correlation, at most {LARGEST:g}. Named scales: {_names()}."
            )
        return self.value


def read_scale(value: Any) -> Scale | None:
    """The scale that `value` means, or None where it is neither a number nor text.

    Raises
    ------
    PriorError
        For an unknown name, or a number that is not positive and finite.

    >>> read_scale("superwide").value
    0.8
    >>> read_scale("0.1").value
    0.1
    """
    if isinstance(value, bool | np.bool_) or not isinstance(value, str | int | float | np.integer | np.floating):
        return None
    if isinstance(value, str) and value.strip().lower() in NAMED:
        return Scale(repr(value), NAMED[value.strip().lower()], named=True)
    try:
        number = float(value)
    except ValueError:
        raise PriorError(
            f"There is no scale {value!r}.{did_you_mean(str(value), NAMED)} Give one of {_names()}, or a positive "
            "number."
        ) from None
    if not 0.0 < number < math.inf:
        raise PriorError(f"The scale {value!r} must be a positive number, or one of {_names()}.")
    return Scale(repr(value), number)


def _names() -> str:
    return ", ".join(f"{name} ({value:.3g})" for name, value in NAMED.items())
