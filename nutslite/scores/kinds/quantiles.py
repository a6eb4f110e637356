"""Predictions by quantiles of some levels, and by one interval."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import DataError
from nutslite.scores.kinds.kind import NOT_CLASSES, NOT_MIXED, CannotSayError, Kind
from nutslite.scores.numerics.checks import levels_of, numbers, probability
from nutslite.scores.pointwise.quantile import crosses

FloatArray = NDArray[np.float64]

SAME = 1e-9

_NO_DENSITY = {
    "cdf": "does not say what lies between and beyond the quantiles.",
    "cdf_below": "does not say what lies between and beyond the quantiles.",
    "log_density": "has no density, so no log score: take the pinball loss or the weighted interval score.",
    "mean": "has no mean: take the median, quantile(0.5).",
    "sd": "has no standard deviation: take the width of an interval.",
    "sample": "cannot be drawn from: nothing is known between and beyond the quantiles.",
    "crps": "gives no exact CRPS: take scores.wis, or scores.crps_from_quantiles, which leaves the tails out.",
    "scaled_crps": "gives no CRPS: take scores.wis.",
    **NOT_CLASSES,
    **NOT_MIXED,
}


class Quantiles(Kind):
    """Quantiles q of shape (n, K) at levels (K,), sorted by level, as they were given otherwise."""

    name: ClassVar[str] = "a prediction by quantiles"
    refused: ClassVar[dict[str, str]] = _NO_DENSITY

    def __init__(self, q: Any, levels: Any) -> None:
        levels, given = levels_of(levels), numbers("q", q)
        if given.ndim == 1 and levels.size == 1:
            given = given[:, None]
        if given.ndim != 2 or given.shape[1] != levels.size:
            hint = " Give q.T." if given.ndim == 2 and given.shape[0] == levels.size else ""
            raise DataError(
                f"q has shape {given.shape} and there are {levels.size} levels: one row for each observation, one "
                f"column "
                f"for each level.{hint}"
            )
        order = np.argsort(levels)
        self.levels, self.q = levels[order], given[:, order]
        self.n = given.shape[0]
        self.crossing = crosses(self.q, self.levels)

    def quantile(self, levels: FloatArray) -> FloatArray:
        """Those that were given."""
        places = [int(np.argmin(np.abs(self.levels - level))) for level in levels]
        for place, level in zip(places, levels, strict=True):
            if abs(self.levels[place] - level) > SAME:
                known = ", ".join(f"{each:g}" for each in self.levels)
                raise CannotSayError(f"This prediction has quantiles of levels {known}; {level:g} is not among them.")
        return self.q[:, places]


class Interval(Kind):
    """Lower and upper ends (n,) of a central interval of probability `prob`."""

    name: ClassVar[str] = "a prediction by an interval"
    refused: ClassVar[dict[str, str]] = {
        **_NO_DENSITY,
        "mean": "has no mean.",
        "crps": "gives no CRPS: take scores.interval_score.",
        "scaled_crps": "gives no CRPS: take scores.interval_score.",
    }

    def __init__(self, lower: Any, upper: Any, prob: Any) -> None:
        self.prob = probability("prob", prob)
        self.lower, self.upper = numbers("lower", lower), numbers("upper", upper)
        if self.lower.ndim != 1 or self.lower.shape != self.upper.shape:
            raise DataError(
                f"lower has shape {self.lower.shape}, upper {self.upper.shape}: each has one number a row, shape (n,)."
            )
        wrong = np.flatnonzero(self.lower > self.upper)
        if wrong.size:
            raise DataError(
                f"lower is above upper in row {wrong[0]} ({self.lower[wrong[0]]:g} and {self.upper[wrong[0]]:g}; "
                f"{wrong.size} of {self.lower.size} rows). Are they exchanged?"
            )
        self.n = self.lower.size
        self.levels = np.array([0.5 - 0.5 * self.prob, 0.5 + 0.5 * self.prob])

    def quantile(self, levels: FloatArray) -> FloatArray:
        """The ends."""
        ends = []
        for level in levels:
            place = int(np.argmin(np.abs(self.levels - level)))
            if abs(self.levels[place] - level) > SAME:
                raise CannotSayError(
                    f"This prediction has one interval, of probability {self.prob:g}: quantiles of levels "
                    f"{self.levels[0]:g} and {self.levels[1]:g}, not {level:g}."
                )
            ends.append((self.lower, self.upper)[place])
        return np.stack(ends, axis=1)
