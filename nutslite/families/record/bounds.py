"""The bounds of ``truncated(y, lb, ub)``: which of them a family's responses feel, and where they lie for kernels.

A bound beyond the end of what the family's responses can be is none: zero below a waiting time, the number of trials
above successes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import DataError
from nutslite.formula.forms.truncated import LOWER, UPPER
from nutslite.formula.records import STATUSES, Response

if TYPE_CHECKING:
    from nutslite.families.record.family import Family

FloatArray = NDArray[np.float64]

_NOT_NEGATIVE = ("positive", "nonnegative", "unit", "count", "trials")
_LEFT, _RIGHT, _INTERVAL = (STATUSES.index(status) for status in ("left", "right", "interval"))


@dataclass(frozen=True)
class Bounds:
    """Bounds of every row, shape (n,) each.

    Attributes
    ----------
    lower, upper : ndarray
        The smallest and the largest response that could be seen; -inf and inf where nothing is in the way.
    """

    lower: FloatArray
    upper: FloatArray

    @property
    def has_lower(self) -> NDArray[np.bool_]:
        """Which rows have a lower bound."""
        return self.lower > -np.inf

    @property
    def has_upper(self) -> NDArray[np.bool_]:
        """Which rows have an upper bound."""
        return self.upper < np.inf

    @property
    def places(self) -> NDArray[np.int64]:
        """Place in `STATUSES` of what is known of a response that can be seen: at least one bound, at most the other.

        0 for rows without bounds.
        """
        both = np.where(self.has_lower, _RIGHT, 0), np.where(self.has_upper, _LEFT, 0)
        return np.where(self.has_lower & self.has_upper, _INTERVAL, both[0] + both[1]).astype(np.int64)

    def ends(self, discrete: bool) -> tuple[FloatArray, FloatArray]:
        """The bounds as kernels take them: an interval of whole numbers is above its lower end.

        Where there is one bound it stands for both; rows without bounds have some number.
        """
        below = np.where(self.has_lower, self.lower - (discrete & self.has_upper), self.upper)
        above = np.where(self.has_upper, self.upper, self.lower)
        some = self.has_lower | self.has_upper
        filler = np.max(below[some]) if some.any() else 1.0
        return np.where(some, below, filler), np.where(some, above, filler)

    def check(self, response: Response, discrete: bool) -> None:
        """Refuse bounds that leave no room, and responses that could not have been seen.

        Raises
        ------
        DataError
        """
        name, censoring, y = response.name, response.censoring, response.values[0]
        empty = self.lower > self.upper if discrete else self.lower >= self.upper
        if empty.any():
            row = int(np.argmax(empty))
            raise DataError(
                f"'{name}': the bounds leave no room in {np.count_nonzero(empty)} rows, first in row {row} of those "
                f"used (from {self.lower[row]:g} to {self.upper[row]:g})."
            )
        status = np.zeros(y.shape, dtype=np.int64) if censoring is None else censoring.status
        high = y if censoring is None or censoring.upper is None else np.where(status == _INTERVAL, censoring.upper, y)
        wrong = (y < self.lower) | (high > self.upper)
        if not discrete:  # nothing is left beyond it
            wrong |= ((status == _LEFT) & (y <= self.lower)) | ((status == _RIGHT) & (y >= self.upper))
        if wrong.any():
            row = int(np.argmax(wrong))
            raise DataError(
                f"'{name}': {np.count_nonzero(wrong)} responses are beyond their bounds, first in row {row} of those "
                f"used ({y[row]:g}, bounds from {self.lower[row]:g} to {self.upper[row]:g}). Nothing is seen there: "
                "leave these rows out, or correct the bounds. Responses that are known to be beyond a limit are "
                "censored(...)."
            )


def bounds_of(family: Family, response: Response) -> Bounds | None:
    """The bounds of a response that its family feels; None where it has no bounds."""
    if LOWER not in response.companions:
        return None
    rows = response.beside
    return felt(family, rows[LOWER], rows[UPPER], rows.get("trials"))


def felt(family: Family, lower: FloatArray, upper: FloatArray, trials: FloatArray | None = None) -> Bounds:
    """Bounds without those that are beyond all responses of the family; of whole numbers the last inside."""
    lower, upper = np.asarray(lower, dtype=float), np.asarray(upper, dtype=float)
    if family.discrete:
        lower, upper = np.ceil(lower), np.floor(upper)
    if family.response_support in _NOT_NEGATIVE:
        lower = np.where(lower <= 0.0, -np.inf, lower)
    if family.response_support == "unit":
        upper = np.where(upper >= 1.0, np.inf, upper)
    if trials is not None:
        upper = np.where(upper >= trials, np.inf, upper)
    return Bounds(lower, upper)
