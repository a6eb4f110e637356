"""Measures of observations that are drawn from the forecast: what `expected` columns are made of."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.scores.kinds.draws import Draws
from nutslite.scores.kinds.prediction import Prediction
from nutslite.scores.kinds.probabilities import Probabilities
from nutslite.scores.kinds.vectors import Vectors
from nutslite.scores.reports.answers import Answers, Asked, CountTable
from nutslite.scores.reports.measure import Measure
from nutslite.scores.reports.omnibus import Omnibus, omnibus_of
from nutslite.scores.sampling_error.expected import simulated, summary_of

FloatArray = NDArray[np.float64]
CodeArray = NDArray[np.int64]

MOST_TABLED = 20_000_000  # simulated counts that are held at a time


class Simulation:
    """Measures of observations drawn from the forecast: of all rows, and of parts of them."""

    def __init__(self, measures: list[Measure], weights: FloatArray, parts: dict[Any, CodeArray]) -> None:
        self.measures = [measure for measure in measures if not measure.of_forecast]
        self.weights, self.parts = weights, parts
        self.whole: FloatArray | None = None
        self.by: FloatArray | None = None

    def run(self, asked: Asked, simulations: int, rng: np.random.Generator) -> None:
        """Fill `whole` (simulations, measures), `by` (simulations, measures, parts)."""
        whole, by = [], []
        for answers in _simulated_answers(asked, simulations, rng):
            whole.append([measure.value(answers, self.weights) for measure in self.measures])
            by.append([_parts_of(measure, answers, self.weights, self.parts) for measure in self.measures])
        self.whole, self.by = np.array(whole), np.array(by)

    def omnibus(self, names: Mapping[str, bool], estimates: Mapping[str, float]) -> Omnibus | None:
        """Measures of these names, as they were observed, beside the simulated ones; None without simulations.

        By name whether both sides of what is expected are faults.
        """
        if self.whole is None:
            return None
        places = [place for place, measure in enumerate(self.measures) if measure.name in names]
        found = [self.measures[place].name for place in places]
        observed = np.array([estimates[name] for name in found])
        return omnibus_of(found, [names[name] for name in found], observed, self.whole[:, places])

    def of(self, measure: Measure, n: int, confidence: float, part: int | None = None) -> tuple[float, ...]:
        """Expected value and range of a measure, of all rows or of one part; nan where they are unknown."""
        values = self.whole if part is None else self.by
        if values is None or measure.of_forecast:
            return _binomial_range(measure.nominal, n, confidence) if measure.nominal is not None else (math.nan,) * 3
        column = values[:, self.measures.index(measure)]
        return tuple(float(each) for each in summary_of(column if part is None else column[:, part], confidence))


def _simulated_answers(asked: Asked, simulations: int, rng: np.random.Generator) -> Iterator[Answers]:
    """What the forecast answers to observations drawn from it."""
    kind = asked.prediction.kind
    if kind.whole and not isinstance(kind, Draws | Probabilities | Vectors) and kind.n * simulations <= MOST_TABLED:
        pairs = list(simulated(asked.prediction, simulations, rng))
        current = asked if pairs[0][0] is asked.prediction else _quietly(pairs[0][0], asked)
        table = CountTable(current, np.stack([y for _, y in pairs]))
        yield from (table.answers(place, rng) for place in range(simulations))
        return
    current = asked
    for prediction, y in simulated(asked.prediction, simulations, rng):
        if prediction is not current.prediction:
            current = _quietly(prediction, asked)
        yield Answers(current, y, rng, exact=False)


def _quietly(prediction: Prediction, asked: Asked) -> Asked:
    """A simulated prediction, whose few draws have been warned about."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Asked(prediction, asked.levels, asked.groups)


def _parts_of(measure: Measure, answers: Answers, weights: FloatArray, parts: dict[Any, CodeArray]) -> list[float]:
    if measure.rows is None:
        return [math.nan] * len(parts)
    values = weights * measure.rows(answers)
    means = [float(values[rows].sum() / max(weights[rows].sum(), 1e-300)) for rows in parts.values()]
    return [math.sqrt(mean) for mean in means] if measure.root else means


def _binomial_range(p: float, n: int, confidence: float) -> tuple[float, float, float]:
    """Of a share of n independent rows."""
    from scipy.special import bdtr

    counts = bdtr(np.arange(n + 1), n, p)
    tail = 0.5 * (1.0 - confidence)
    return p, float(np.argmax(counts > tail)) / n, float(np.argmax(counts >= 1.0 - tail)) / n
