"""What a report measures of predictions of several numbers a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from nutslite.scores.kinds.prediction import Prediction
from nutslite.scores.kinds.vectors import Vectors
from nutslite.scores.reports.answers import Answers
from nutslite.scores.reports.measure import Measure

FloatArray = NDArray[np.float64]


def of_vectors(prediction: Prediction, probabilities: Sequence[float]) -> list[Measure]:
    """Scores of whole rows, then intervals of their numbers one by one, averaged over these; errors last."""
    found = [
        Measure("energy", "lower", rows=lambda a: _kind(a).energy(a.y), note="CRPS of the numbers of a row at once")
    ]
    if prediction.can("log_density"):
        found.insert(0, Measure("nll", "lower", rows=lambda a: a.nll))
    for prob in probabilities:
        found += _intervals(prob)
    return [*found, Measure("rmse", "lower", rows=_squares, root=True, note="over all numbers of all rows")]


def _kind(a: Answers) -> Vectors:
    return cast(Vectors, a.asked.prediction.kind)


def _squares(a: Answers) -> FloatArray:
    return np.asarray(((a.y - _kind(a).mean()) ** 2).mean(axis=1))


def _intervals(prob: float) -> list[Measure]:
    def covered(a: Answers) -> FloatArray:
        low, high = _kind(a).interval_of_each(prob)
        return np.asarray(((low <= a.y) & (a.y <= high)).mean(axis=1))

    def width(a: Answers) -> FloatArray:
        low, high = _kind(a).interval_of_each(prob)
        return np.asarray((high - low).mean(axis=1))

    percent = f"{100.0 * prob:.6g}"
    note = "of each number of a row by itself"
    return [
        Measure(f"coverage_{percent}", f"near {prob:g}", rows=covered, note=note),
        Measure(f"width_{percent}", "lower", rows=width, of_forecast=True, note="where coverage is right"),
    ]
