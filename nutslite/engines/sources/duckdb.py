"""DuckDB relations: a table, a query, files that DuckDB reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from nutslite.engines.sources.source import Found, Work, rows_per_block
from nutslite.engines.sources.threads import mapped
from nutslite.formula.columns.tables import frame_of_table


class DuckDBSource:
    """A relation, whose query runs again in every pass; one thread takes its rows, others work on them."""

    title = "a DuckDB relation"

    def __init__(self, relation: Any) -> None:
        self.relation = relation
        self.columns = tuple(relation.columns)

    def count(self) -> int:
        """See `Source`."""
        return int(self.relation.aggregate("count(*)").fetchall()[0][0])

    def head(self, rows: int) -> pd.DataFrame:
        """See `Source`."""
        return next(iter(self._frames(self.relation.limit(rows), rows)), self.relation.limit(0).df())

    def map(self, work: Work[Found], columns: Sequence[str], cores: int) -> Iterator[Found]:
        """See `Source`."""
        chosen = self.relation.project(", ".join(_quoted(name) for name in columns))
        frames = self._frames(chosen, rows_per_block(len(columns)))
        yield from mapped(work, (((i, 0), frame) for i, frame in enumerate(frames)), cores)

    def different_rows(self, columns: Sequence[str], count: str, most: int) -> pd.DataFrame | None:
        """By GROUP BY on the engine."""
        named = ", ".join(_quoted(name) for name in columns)
        grouped = self.relation.aggregate(f"{named}, count(*) AS {_quoted(count)}", named).limit(most + 1)
        frames = list(self._frames(grouped, most + 1))
        found = pd.concat(frames, ignore_index=True) if frames else None
        return None if found is None or len(found) > most else found

    def _frames(self, relation: Any, rows: int) -> Iterator[pd.DataFrame]:
        import pyarrow

        make = getattr(relation, "to_arrow_reader", None) or relation.fetch_record_batch
        for batch in make(rows):
            if batch.num_rows:
                yield frame_of_table(pyarrow.Table.from_batches([batch]))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
