"""Dask DataFrames: partitions stay where they are, and workers of a cluster do the passes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from nutslite.engines.sources.source import Found, Work, in_slices

RETRIES = 3
"""How often a partition is worked on again where that fails; one whose worker dies is by itself given to another."""


class DaskSource:
    """A Dask DataFrame.

    Passes run on the distributed client that is current, or else as Dask is configured. What a pass returns of a
    partition is small, so that nothing but these results comes to this process.
    """

    def __init__(self, frame: Any) -> None:
        self.frame = frame
        self.title = f"a Dask DataFrame of {frame.npartitions:,} partitions"
        self.columns = tuple(frame.columns)

    def count(self) -> int:
        """See `Source`; a pass over the data where Dask does not know it."""
        return len(self.frame)

    def head(self, rows: int) -> pd.DataFrame:
        """See `Source`; of as many partitions as it takes."""
        found: pd.DataFrame = self.frame.head(rows, npartitions=-1)
        return found

    def map(self, work: Work[Found], columns: Sequence[str], cores: int) -> Iterator[Found]:
        """See `Source`; `cores` are those of the cluster."""
        import dask

        parts = self.frame[list(columns)].to_delayed()
        tasks = [dask.delayed(in_slices, pure=False)(work, place, part) for place, part in enumerate(parts)]
        for found in dask.compute(*tasks, **_retrying()):
            yield from found

    def different_rows(self, columns: Sequence[str], count: str, most: int) -> None:
        """None: partitions are merged as blocks are."""
        return


def _retrying() -> dict[str, Any]:
    """Options of `dask.compute` on a cluster; schedulers of one process know none."""
    from dask.base import get_scheduler

    scheduler = get_scheduler()
    return {"retries": RETRIES} if hasattr(getattr(scheduler, "__self__", None), "scheduler_info") else {}
