"""Perfect separation of data on an engine: looked for in a sample, and then, where that has it, in all rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from nutslite._parallel import available_cpus
from nutslite.engines.elsewhere import Elsewhere, OnBlock
from nutslite.families.record.family import Family
from nutslite.families.rows.separation import Separation, separation
from nutslite.formula.collinearity import column_names
from nutslite.formula.design import Design
from nutslite.model.record.concerns import Outcomes, outcomes, warn_of_one_outcome, warn_of_separating

MOST_PASSES = 8  # after which nothing is said
WORST = 200  # rows of a block on the wrong side that are looked at again
TOLERANCE = 1e-9  # of a combination's constant and slopes: on the wrong side


def warn_where_separated(elsewhere: Elsewhere, few: pd.DataFrame, family: Family, kept: list[int]) -> None:
    """Warn where some combination of columns tells the two outcomes apart in all rows.

    What separates all rows separates some. So a sample that nothing separates, as nearly all are, is an answer. Where
    something does, a pass looks for rows on its wrong side; these are looked at, too, and so on.

    Parameters
    ----------
    few : DataFrame
        Rows that have all levels.
    kept : list of int
        Columns that others do not span.
    """
    if family.response_support not in ("binary", "trials") or elsewhere.sample is None:
        return
    predictor = elsewhere.summary.predictors[family.parent.name]
    means = {name: own.means for name, own in elsewhere.summary.predictors.items()}
    with_levels = OnBlock(elsewhere.summary, elsewhere.reading, means, lambda design: design).design(few)
    some = _together(*(_outcomes(design, family, kept) for design in (elsewhere.sample, with_levels)))
    for _ in range(MOST_PASSES):
        alike = len(some.lowest) > 0 and bool(some.lowest.all() or some.highest.all())
        found = (
            Separation([], np.zeros(len(kept)), -1.0 if some.lowest.all() else 1.0)
            if alike
            else separation(some.matrix, predictor.intercept, some.lowest, some.highest)
        )
        if found is None:
            return
        wrong = [part for part in elsewhere.over(_Wrong(found, family, kept), available_cpus()) if len(part.lowest)]
        if not wrong and alike:
            warn_of_one_outcome(elsewhere.sample, some)
            return
        if not wrong:
            alone = found.columns if np.count_nonzero(found.slopes) > 1 else found.columns[:1]
            warn_of_separating(elsewhere.summary, [column_names(predictor)[kept[j]] for j in alone])
            return
        some = _together(some, *wrong)


def _outcomes(design: Design, family: Family, kept: list[int]) -> Outcomes:
    return outcomes(design, family, design.predictors[family.parent.name].matrix[kept])


def _together(*parts: Outcomes) -> Outcomes:
    matrices, lowest, highest = zip(*parts, strict=True)
    return Outcomes(np.concatenate(matrices, axis=1), np.concatenate(lowest), np.concatenate(highest))


@dataclass(frozen=True)
class _Wrong:
    """Rows of a block that are on the wrong side of a separation, the worst of them."""

    found: Separation
    family: Family
    kept: list[int]

    def __call__(self, design: Design) -> Outcomes:
        some = _outcomes(design, self.family, self.kept)
        by = self.found.wrong(*some)
        size = np.abs(self.found.slopes) @ np.abs(some.matrix) + abs(self.found.constant)
        rows = np.flatnonzero(by > TOLERANCE * size)
        rows = rows[np.argsort(-by[rows])[:WORST]]
        return Outcomes(some.matrix[:, rows], some.lowest[rows], some.highest[rows])
