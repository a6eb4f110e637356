"""`Measure`: one line of a report, what it is computed from and which way is better."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nutslite.scores.reports.answers import Answers
from nutslite.scores.reports.joint import group_weights

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
    groups : callable, optional
        One number a group (`Asked.groups`), of which the mean is the measure.
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
    groups: Rows | None = None
    share: bool = False
    root: bool = False
    nominal: float | None = None
    of_forecast: bool = False
    bare: bool = False
    note: str = ""

    def value(self, answers: Answers, weights: FloatArray) -> float:
        """The measure of all rows; weights add up to one."""
        if self.groups is not None:
            codes = answers.asked.groups
            assert codes is not None
            return float(np.sum(group_weights(weights, codes) * self.groups(answers)))
        if self.rows is None:
            assert self.number is not None
            return self.number(answers, weights)
        mean = float(np.sum(weights * self.rows(answers)))
        return math.sqrt(mean) if self.root else mean
