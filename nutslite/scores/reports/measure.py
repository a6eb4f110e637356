"""`Measure`: one line of a report, what it is computed from and which way is better."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nutslite.scores.reports.answers import Answers

FloatArray = NDArray[np.float64]
Rows = Callable[[Answers], FloatArray]
Number = Callable[[Answers, FloatArray], float]


@dataclass(frozen=True)
class Measure:
    """One line of a report.

    Attributes
    ----------
    name : str
    better : str
        ``"lower"``, ``"higher"``, or ``"near 0.9"``.
    rows : callable, optional
        One number a row, of which the mean, or by `root` its root, is the measure.
    number : callable, optional
        The measure of rows with weights that add up to one, where it is no mean.
    share : bool
        Rows are 0 or 1.
    root : bool
    nominal : float, optional
        The value under calibration, of a share that cannot be simulated.
    of_forecast : bool
        It depends on the forecast alone, so that no observation is better or worse than expected.
    bare : bool
        Without a standard error: it is one already.
    note : str
    """

    name: str
    better: str
    rows: Rows | None = None
    number: Number | None = None
    share: bool = False
    root: bool = False
    nominal: float | None = None
    of_forecast: bool = False
    bare: bool = False
    note: str = ""

    def value(self, answers: Answers, weights: FloatArray) -> float:
        """The measure of all rows; weights add up to one."""
        if self.rows is None:
            assert self.number is not None
            return self.number(answers, weights)
        mean = float(np.sum(weights * self.rows(answers)))
        return math.sqrt(mean) if self.root else mean
