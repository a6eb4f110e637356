"""The first pass: rows that together have all levels, and the different rows where few of them differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nutslite.engines.sources.source import Source
from nutslite.exceptions import DataError
from nutslite.formula.columns.missing import complete_rows

COUNT = "__count__"
MOST_DIFFERENT = 1_000_000  # rows that stand for all: more are no less work than passes over the data
PROMISING = 0.2  # share of the first rows that differ, above which nobody counts repeats
MOST_COMBINATIONS = 200_000  # of levels
FEWEST = 10  # complete rows to learn from, where the first rows are all incomplete
GATHERED = 4  # times as many rows as are allowed may wait to be merged


@dataclass(frozen=True)
class FirstPass:
    """What the first pass found.

    Attributes
    ----------
    rows : DataFrame
        Complete rows that have every level, and every combination of levels, that occurs; the different ones, where
        `counts` says how often each occurs.
    counts : ndarray of float64, shape (len(rows),), or None
    dropped : int or None
        Incomplete rows, where all rows were looked at.
    """

    rows: pd.DataFrame
    counts: NDArray[np.float64] | None
    dropped: int | None


@dataclass(frozen=True)
class Reading:
    """Which columns a model reads, and how.

    Attributes
    ----------
    columns : tuple of str
    levels : tuple of str
        Those of them whose values are levels.
    dropna : bool
        Whether incomplete rows are left out.
    """

    columns: tuple[str, ...]
    levels: tuple[str, ...]
    dropna: bool

    def complete(self, frame: pd.DataFrame) -> tuple[pd.DataFrame, int]:
        """The complete rows, and how many are none.

        Raises
        ------
        DataError
            Where there are some and nobody allowed to leave them out.
        """
        missing = np.asarray(frame.isna().to_numpy().any(axis=1))
        if not missing.any():
            return frame, 0
        if not self.dropna:
            complete_rows(frame, False)
        return frame.iloc[np.flatnonzero(~missing)], int(np.count_nonzero(missing))


def first_pass(source: Source, reading: Reading, head: pd.DataFrame, cores: int) -> FirstPass:
    """Look for levels and repeats, in one pass; in none, where there are no levels and rows hardly repeat.

    Raises
    ------
    DataError
        For data without a complete row, incomplete rows unless they may be left out, too many combinations of levels.
    """
    if head.empty:
        raise DataError(f"The data, {source.title}, have no rows.")
    first, dropped = reading.complete(head)
    repeats = len(first) > 0 and (~first.duplicated()).mean() <= PROMISING
    if repeats and (grouped := source.different_rows(reading.columns, COUNT, MOST_DIFFERENT)) is not None:
        return _merged(reading, grouped)
    if not repeats and not reading.levels and len(first) >= min(FEWEST, len(head)):
        return FirstPass(first, None, None)
    columns = (reading.columns if repeats else ()), reading.levels
    gathered = [_Gathered(some, most) for some, most in zip(columns, (MOST_DIFFERENT, MOST_COMBINATIONS), strict=True)]
    dropped = 0
    later = first
    for found in source.map(_Tally(reading, repeats), reading.columns, cores):
        dropped += found.dropped
        if len(later) < FEWEST:
            later = pd.concat([later, found.some], ignore_index=True)
        for one, frame in zip(gathered, found.frames, strict=True):
            one.add(frame)
    different, combined = (one.frame() for one in gathered)
    if repeats and different is not None:
        counts = different.pop(COUNT).to_numpy(dtype=float)
        return FirstPass(_checked(different), counts, dropped)
    if combined is None:
        listed = ", ".join(f"'{name}'" for name in reading.levels)
        raise DataError(
            f"{listed} have more than {MOST_COMBINATIONS:,} combinations of levels in the data ({source.title}). Data "
            "on an engine serve few levels: merge levels, or fit the model to a part that fits into memory."
        )
    rows = pd.concat([combined.drop(columns=COUNT), later], ignore_index=True) if len(combined) else later
    return FirstPass(_checked(rows), None, dropped)


def _merged(reading: Reading, grouped: pd.DataFrame) -> FirstPass:
    """Of what an engine grouped."""
    counts = grouped.pop(COUNT).to_numpy(dtype=float)
    grouped = grouped.reset_index(drop=True)
    rows, _ = reading.complete(grouped)
    kept = counts[rows.index]
    order = rows.reset_index(drop=True).sort_values(list(rows.columns), kind="stable").index
    return FirstPass(_checked(rows.iloc[order]), kept[order], int(counts.sum() - kept.sum()))


def _checked(rows: pd.DataFrame) -> pd.DataFrame:
    if rows.empty:
        raise DataError("No row of the data is complete.")
    return rows.reset_index(drop=True)


@dataclass(frozen=True)
class _Block:
    """What was found in a block: its different rows, and its combinations of levels, each with its count; some rows."""

    dropped: int
    frames: tuple[pd.DataFrame, pd.DataFrame]
    some: pd.DataFrame


@dataclass(frozen=True)
class _Tally:
    """The first pass over one block."""

    reading: Reading
    repeats: bool

    def __call__(self, place: tuple[int, int], frame: pd.DataFrame) -> _Block:
        frame, dropped = self.reading.complete(frame[list(self.reading.columns)])
        nothing = frame.iloc[:0].assign(**{COUNT: 0})
        different = _counted(frame, list(frame.columns)) if self.repeats else nothing
        levels = list(self.reading.levels)
        combined = frame.drop_duplicates(levels).assign(**{COUNT: 1}) if levels else nothing
        return _Block(dropped, (different, combined), frame.iloc[:FEWEST])


class _Gathered:
    """Frames of blocks, merged by some columns whenever they are many; nothing more once too many differ."""

    def __init__(self, columns: Sequence[str], most: int) -> None:
        self.columns, self.most = list(columns), most
        self.frames: list[pd.DataFrame] = []
        self.too_many = False

    def add(self, frame: pd.DataFrame) -> None:
        """One block's."""
        if self.too_many or not self.columns:
            return
        self.frames.append(frame)
        if sum(map(len, self.frames)) > GATHERED * self.most:
            self._merge()

    def frame(self) -> pd.DataFrame | None:
        """All of them, merged; None where they were too many, an empty one where none were asked for."""
        if not self.columns:
            return pd.DataFrame()
        if not self.too_many:
            self._merge()
        return None if self.too_many else self.frames[0]

    def _merge(self) -> None:
        together = pd.concat(self.frames, ignore_index=True)
        whole = self.columns == [name for name in together.columns if name != COUNT]
        merged = _summed(together, self.columns) if whole else together.drop_duplicates(self.columns)
        self.too_many = len(merged) > self.most
        self.frames = [] if self.too_many else [merged.reset_index(drop=True)]


def _counted(frame: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """The different rows with how often each occurs, sorted."""
    return _summed(frame.assign(**{COUNT: 1}), columns)


def _summed(frame: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    return frame.groupby(columns, observed=True, sort=True)[COUNT].sum().reset_index()
