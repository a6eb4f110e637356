"""The second pass: moments of all rows, those of each combination of groups, and a sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nutslite.engines.first_pass import Reading
from nutslite.engines.moments import Line, Moments
from nutslite.engines.numbers import numbers_of, with_numbers
from nutslite.engines.sources.source import Source
from nutslite.exceptions import DataError
from nutslite.families.record.censoring import check_response
from nutslite.families.record.family import Family
from nutslite.families.record.variants import for_response
from nutslite.formula.design import Design
from nutslite.formula.rows import rows_of_design

FloatArray = NDArray[np.float64]
Cell = tuple[int, ...]

FEWEST_ROWS = 64  # that stand for all: with a handful the sampler would take the model for one of few rows
MOST_ROWS = 1_000_000  # that stand for all combinations of groups
SEED = 16  # of the sample


@dataclass(frozen=True)
class Wanted:
    """What a second pass is to look for.

    Attributes
    ----------
    response : bool
        Whether the response is among the numbers whose moments are wanted.
    cells : bool
        Whether weighted moments for each combination of groups are wanted; the response is then among the numbers.
    share : float
        Of the rows that are to be drawn.
    """

    response: bool
    cells: bool = False
    share: float = 0.0


@dataclass(frozen=True)
class SecondPass:
    """What a second pass found.

    Attributes
    ----------
    dropped : int
        Incomplete rows.
    all : Moments
        Of all rows, without their weights.
    cells : mapping of tuple of int to Moments
        By a level of each grouping factor, with the rows' weights.
    line : Line or None
        What was taken off the response, if that is among the numbers.
    sample : DataFrame
    """

    dropped: int
    all: Moments
    cells: Mapping[Cell, Moments]
    line: Line | None
    sample: pd.DataFrame

    def equivalent(self, summary: Design) -> Design:
        """Few rows with weights that have the same Gaussian likelihood as all, centred at the same means.

        Raises
        ------
        DataError
            Where combinations of groups are too many.
        """
        fewest = max(1, -(-FEWEST_ROWS // len(self.cells)))
        found = [moments.equivalent_rows(fewest) for moments in self.cells.values() if moments.weight > 0.0]
        sizes = [numbers.shape[1] for numbers, _ in found]
        if sum(sizes) > MOST_ROWS:
            raise DataError(
                f"The grouping factors have {len(found):,} combinations in the data, and the formula has "
                f"{len(self.all.mean):,} columns: {sum(sizes):,} rows would have to stand for them. Data on an engine "
                "serve few levels: leave a factor out, or fit the model to a part that fits into memory."
            )
        numbers = np.concatenate([numbers for numbers, _ in found], axis=1)
        numbers = numbers if self.line is None else self.line.on(numbers)
        index = np.repeat(np.array(list(self.cells), dtype=np.int32).reshape(len(found), -1), sizes, axis=0)
        factors = {
            name: replace(factor, index=np.ascontiguousarray(index[:, place]))
            for place, (name, factor) in enumerate(summary.factors.items())
        }
        design = with_numbers(summary, numbers, True)
        weights = np.repeat([weight for _, weight in found], sizes)
        rows = pd.RangeIndex(len(weights))
        return replace(design, factors=factors, weights=weights, n_rows=len(weights), rows=rows)


def summary_of(learned: Design, moments: Moments, line: Line | None, response: bool) -> Design:
    """The rows that a design was learned from, with numbers that have the moments of all rows.

    They are repeated where they are fewer than that takes. `line` was taken off the response before, `response` says
    whether that gets such numbers, too.
    """
    numbers, _ = moments.equivalent_rows(max(learned.n_rows, 2 * len(moments.mean) + 2))
    numbers = numbers if line is None else line.on(numbers)
    rows = np.resize(np.arange(learned.n_rows), numbers.shape[1])
    return with_numbers(rows_of_design(learned, rows), numbers, response)


def second_pass(
    source: Source, reading: Reading, learned: Design, head: pd.DataFrame, family: Family, wanted: Wanted, cores: int
) -> SecondPass:
    """Look at all rows once, and check all responses.

    Parameters
    ----------
    learned : Design
        Of rows that have all levels.
    head : DataFrame
        The first complete rows.

    Raises
    ------
    DataError, FamilyError
        For incomplete rows, and for responses that the family cannot have.
    """
    response = wanted.response or wanted.cells
    line = Line.through(numbers_of(learned.evaluate(head, response=True), True)) if response else None
    look = _Look(learned, reading, family, wanted, line)
    dropped, total, samples = 0, None, []
    cells: dict[Cell, Moments] = {}
    for found in source.map(look, reading.columns, cores):
        dropped += found.dropped
        samples.append(found.sample)
        if found.all is not None:
            total = found.all if total is None else total + found.all
        for cell, moments in found.cells.items():
            cells[cell] = cells[cell] + moments if cell in cells else moments
    if total is None:
        raise DataError("No row of the data is complete.")
    kept = [sample for sample in samples if len(sample)]
    sample = pd.concat(kept, ignore_index=True) if kept else head.iloc[:0]
    return SecondPass(dropped, total, dict(sorted(cells.items())), line, sample)


@dataclass(frozen=True)
class _Block:
    """What was found in one block."""

    dropped: int
    all: Moments | None
    cells: Mapping[Cell, Moments]
    sample: pd.DataFrame


@dataclass(frozen=True)
class _Look:
    """The second pass over one block."""

    learned: Design
    reading: Reading
    family: Family
    wanted: Wanted
    line: Line | None

    def __call__(self, place: tuple[int, int], frame: pd.DataFrame) -> _Block:
        frame, dropped = self.reading.complete(frame)
        if frame.empty:
            return _Block(dropped, None, {}, frame)
        design = self.learned.evaluate(frame, response=True)
        check_response(for_response(self.family, design.response), design.response)
        numbers = numbers_of(design, self.line is not None)
        numbers = numbers if self.line is None else self.line.off(numbers)
        chosen = np.random.default_rng([SEED, *place]).random(len(frame)) < self.wanted.share
        cells = _cells(design, numbers) if self.wanted.cells else {}
        return _Block(dropped, Moments.of(numbers), cells, frame[chosen])


def _cells(design: Design, numbers: FloatArray) -> dict[Cell, Moments]:
    """Weighted moments by combination of groups."""
    weights = design.weights
    if not design.factors:
        return {(): Moments.of(numbers, weights)}
    index = np.array([factor.index for factor in design.factors.values()])
    sizes = tuple(len(factor.levels) for factor in design.factors.values())
    code = np.ravel_multi_index(tuple(index), sizes)
    order = np.argsort(code, kind="stable")
    starts = np.flatnonzero(np.diff(code[order], prepend=-1))
    found = {}
    for start, stop in zip(starts, [*starts[1:], len(order)], strict=True):
        rows = order[start:stop]
        cell = tuple(int(level) for level in index[:, rows[0]])
        found[cell] = Moments.of(numbers[:, rows], None if weights is None else weights[rows])
    return found
