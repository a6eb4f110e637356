"""`Source`: a table that is read block by block, whatever holds it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

import pandas as pd

Found = TypeVar("Found")
Work = Callable[[tuple[int, int], pd.DataFrame], Found]
"""What a pass does with a block: its place in the table, and its rows."""

BLOCK_NUMBERS = 1 << 21  # of a block: 16 megabytes of float64
MOST_ROWS = 1 << 18
HEAD_ROWS = 2000


class Source(Protocol):
    """A table of any length.

    Attributes
    ----------
    title : str
        What it is, for sentences: ``"a Parquet dataset of 3 files"``.
    columns : tuple of str
    """

    title: str
    columns: tuple[str, ...]

    def count(self) -> int:
        """Number of rows."""
        ...

    def head(self, rows: int) -> pd.DataFrame:
        """The first rows, all columns."""
        ...

    def map(self, work: Work[Found], columns: Sequence[str], cores: int) -> Iterator[Found]:
        """What `work` returns for each block, in the order of the table; up to `cores` blocks at once.

        The frames that `work` is given have the columns in this order, and belong to it.
        """
        ...

    def different_rows(self, columns: Sequence[str], count: str, most: int) -> pd.DataFrame | None:
        """The different rows of these columns, where the engine groups; the column `count` has how often each occurs.

        None where it does not, or where there are more than `most`.
        """
        ...


def rows_per_block(columns: int) -> int:
    """How many rows a block has, so that it takes a few megabytes."""
    return max(1, min(MOST_ROWS, BLOCK_NUMBERS // max(1, columns)))


def in_slices(work: Work[Found], place: int, frame: pd.DataFrame) -> list[Found]:
    """What `work` returns for a part of a table that may be of any length, block by block."""
    size = rows_per_block(frame.shape[1])
    starts = range(0, len(frame), size)
    return [work((place, i), frame.iloc[start : start + size]) for i, start in enumerate(starts)]
