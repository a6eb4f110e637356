"""A table of draws: their mean, spread and interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nutslite.exceptions import ArgumentError, check_flags
from nutslite.results.diagnostics import diagnostics

FloatArray = NDArray[np.float64]

PROB = 0.94
NUMBERS = ("estimate", "sd", "p_above", "p_inside", "evidence_ratio")
"""Columns of tables beside the ends of intervals."""


@dataclass(frozen=True)
class Intervals:
    """Which intervals tables have.

    Attributes
    ----------
    probs : tuple of float
    hdi : bool
        Of highest density, or with equal tails.
    """

    probs: tuple[float, ...] = (PROB,)
    hdi: bool = True

    def names(self) -> list[tuple[str, str]]:
        """Names of the columns of each interval's ends; of one interval its probability goes without saying."""
        if len(self.probs) == 1:
            return [("lower", "upper")]
        return [(f"lower_{100 * prob:g}%", f"upper_{100 * prob:g}%") for prob in self.probs]

    def columns(self, draws: FloatArray) -> dict[str, FloatArray]:
        """Columns of a table for draws (samples, numbers): ``estimate``, ``sd``, and ends of intervals."""
        with np.errstate(invalid="ignore", over="ignore"):  # infinite draws have no spread
            found = {"estimate": draws.mean(axis=0), "sd": draws.std(axis=0, ddof=1 if len(draws) > 1 else 0)}
        interval = diagnostics.hdi if self.hdi else diagnostics.eti
        for (low, high), prob in zip(self.names(), self.probs, strict=True):
            ends = interval(draws[None], prob)
            found[low], found[high] = ends[..., 0], ends[..., 1]
        return found

    @property
    def attributes(self) -> dict[str, Any]:
        """What the columns do not say: ``prob`` and ``interval``."""
        prob = self.probs[0] if len(self.probs) == 1 else list(self.probs)
        return {"prob": prob, "interval": "hdi" if self.hdi else "eti"}


def intervals_of(prob: Any, use_hdi: Any) -> Intervals:
    """The intervals that arguments ask for.

    Raises
    ------
    ArgumentError
    """
    check_flags(use_hdi=use_hdi)
    if prob is None:
        return Intervals(hdi=use_hdi)
    given = list(prob) if isinstance(prob, Sequence | np.ndarray) and not isinstance(prob, str) else [prob]
    for one in given:
        if isinstance(one, bool | str) or not isinstance(one, int | float | np.number) or not 0.0 < one < 1.0:
            raise ArgumentError(f"prob is a probability between 0 and 1, or a list of them, not {prob!r}.")
    if not given:
        raise ArgumentError("prob is an empty list; it is a probability between 0 and 1, or a list of them.")
    return Intervals(tuple(sorted(float(one) for one in given)), use_hdi)


def table_of(labels: pd.DataFrame, columns: dict[str, FloatArray], intervals: Intervals) -> pd.DataFrame:
    """Labels and numbers side by side."""
    numbers = pd.DataFrame(columns, index=labels.index)
    table = pd.concat([labels.drop(columns=list(columns), errors="ignore"), numbers], axis=1)
    table.attrs.update(intervals.attributes)
    return table
