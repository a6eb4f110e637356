"""Tables of a report: estimates with their errors, of all rows and of parts of them, and scores of single rows."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import random_generator
from nutslite.scores.reports.answers import Answers
from nutslite.scores.reports.joint import group_weights
from nutslite.scores.reports.measure import Measure
from nutslite.scores.reports.simulation import Simulation
from nutslite.scores.sampling_error.standard_errors import (
    Estimate,
    bootstrapped,
    mean_with_error,
    root_mean_with_error,
    share_with_error,
    t_quantile,
)

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
CodeArray = NDArray[np.int64]

REPLICATES = 200  # bootstrap, of numbers that are no means
COLUMNS = ("estimate", "se", "low", "high", "expected", "expected_low", "expected_high", "better", "n", "note")


def table_of(
    measures: list[Measure],
    answers: Answers,
    w: FloatArray,
    codes: CodeArray | None,
    weighted: bool,
    confidence: float,
    seed: Any,
    simulation: Simulation,
) -> pd.DataFrame:
    """One line a measure: estimate and error, what is expected and its range."""
    import pandas as pd

    lines = {}
    for measure in measures:
        if measure.groups is not None:
            shares = group_weights(w, answers.asked.groups) if weighted and answers.asked.groups is not None else None
            found = mean_with_error(measure.groups(answers), None, shares, confidence)
        elif measure.rows is not None:
            found = _estimated(measure, measure.rows(answers), codes, w if weighted else None, confidence)
        else:
            found = _resampled(measure, answers, w, codes, confidence, seed)
        expected = simulation.of(measure, found.n, confidence)
        lines[measure.name] = (*found[:4], *expected, measure.better, found.n, measure.note)
    table = pd.DataFrame.from_dict(lines, orient="index", columns=list(COLUMNS))
    table.index.name = "score"
    return table


def _estimated(
    measure: Measure, values: FloatArray, codes: CodeArray | None, weights: FloatArray | None, confidence: float
) -> Estimate:
    function = share_with_error if measure.share else root_mean_with_error if measure.root else mean_with_error
    return function(values, codes, weights, confidence)


def _resampled(
    measure: Measure, answers: Answers, w: FloatArray, codes: CodeArray | None, confidence: float, seed: Any
) -> Estimate:
    """By bootstrap: the interval is symmetric, because replicates of calibration errors are larger than the number."""
    estimate = measure.value(answers, w)
    if measure.bare:
        groups = w.size if codes is None else int(codes.max()) + 1
        return Estimate(estimate, math.nan, math.nan, math.nan, w.size, groups)
    again = copy.copy(answers)  # with the same transform
    again.exact = False

    def statistic(times: FloatArray) -> float:
        return measure.value(again, times * w / np.sum(times * w))

    rng = np.random.default_rng([*seeds(seed), 2])
    found = bootstrapped(statistic, w.size, codes, REPLICATES, confidence, rng)
    se = found.se if found.groups > 1 else math.nan
    reach = se * t_quantile(found.groups, confidence)
    low = estimate - reach if measure.better.startswith("near") else max(0.0, estimate - reach)
    return Estimate(estimate, se, low, estimate + reach, found.n, found.groups)


def table_by(
    measures: list[Measure],
    answers: Answers,
    w: FloatArray,
    codes: CodeArray | None,
    weighted: bool,
    confidence: float,
    parts: dict[Any, CodeArray],
    simulation: Simulation,
) -> pd.DataFrame | None:
    """The same for parts of the rows, of the measures that are means; None without parts."""
    import pandas as pd

    if not parts:
        return None
    lines, index = [], []
    for place, (label, rows) in enumerate(parts.items()):
        for measure in measures:
            if measure.rows is None:
                continue
            own_codes = None if codes is None else codes[rows]
            own_weights = w[rows] if weighted else None
            values = measure.rows(answers)[rows]
            found = _estimated(measure, values, own_codes, own_weights, confidence)
            expected = simulation.of(measure, found.n, confidence, place)
            lines.append((*found[:4], *expected, measure.better, found.n))
            index.append((label, measure.name))
    names = pd.MultiIndex.from_tuples(index, names=["by", "score"])
    return pd.DataFrame(lines, index=names, columns=list(COLUMNS[:-1]))


def pointwise_of(measures: list[Measure], answers: Answers, y: Any) -> pd.DataFrame:
    """What the measures are means of, one row an observation, with the labels of y."""
    import pandas as pd

    columns = {measure.name: measure.rows(answers) for measure in measures if measure.rows is not None}
    renamed = {"rmse": "squared_error", "bias": "error", "pit_mean": "pit"}
    left_out = [name for name in columns if name == "pit_spread"]
    found = {renamed.get(name, name): column for name, column in columns.items() if name not in left_out}
    return pd.DataFrame(found, index=getattr(y, "index", None) if hasattr(y, "iloc") else None)


def joint_of(measures: list[Measure], answers: Answers, labels: list[Any]) -> pd.DataFrame | None:
    """Scores of groups, one row a group; None where there are none."""
    import pandas as pd

    columns = {measure.name: measure.groups(answers) for measure in measures if measure.groups is not None}
    if not columns or answers.asked.groups is None:
        return None
    index = pd.Index(labels, name="group")
    return pd.DataFrame({"rows": np.bincount(answers.asked.groups), **columns}, index=index)


def seeds(seed: Any) -> list[int]:
    """A seed as integers; of a generator, numbers drawn from it."""
    if isinstance(seed, np.random.Generator):
        return [int(seed.integers(2**63))]
    random_generator(seed)
    return [int(each) for each in np.atleast_1d(np.asarray(0 if seed is None else seed))]
