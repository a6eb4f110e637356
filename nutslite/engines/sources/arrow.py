"""Parquet files, and datasets of pyarrow in whatever format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Event
from typing import Any

import pandas as pd

from nutslite.engines.sources.source import Found, Work, rows_per_block
from nutslite.engines.sources.threads import mapped
from nutslite.exceptions import DataError
from nutslite.formula.columns.tables import frame_of_table

READ_AHEAD = {"batch_readahead": 1, "fragment_readahead": 1, "use_threads": False}
"""What pyarrow may hold beside the block that is worked on: by default it reads sixteen blocks of four files ahead."""


class ArrowSource:
    """A pyarrow Dataset, read row group by row group where its files have them."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        files = getattr(dataset, "files", None)
        self.title = f"a dataset of {len(files):,} file{'s' if len(files) != 1 else ''}" if files else "a dataset"
        self.columns = tuple(dataset.schema.names)

    def count(self) -> int:
        """From the files' metadata, where they have them."""
        return int(self.dataset.count_rows())

    def head(self, rows: int) -> pd.DataFrame:
        """See `Source`."""
        import pyarrow

        taken: list[Any] = []
        for piece in self._pieces():  # not Dataset.head, which reads sixteen blocks ahead
            for batch in self._batches(piece, list(self.columns), rows):
                taken.append(batch)
                if sum(one.num_rows for one in taken) >= rows:
                    break
            if sum(one.num_rows for one in taken) >= rows:
                break
        table = pyarrow.Table.from_batches(taken, schema=self.dataset.schema).slice(0, rows)
        return frame_of_table(table)

    def map(self, work: Work[Found], columns: Sequence[str], cores: int) -> Iterator[Found]:
        """See `Source`; threads read and work at once, a row group each."""
        ended = Event()
        tasks = ((work, place, piece, list(columns), ended) for place, piece in enumerate(self._pieces()))
        for found in mapped(self._over, tasks, cores, ended):
            yield from found

    def different_rows(self, columns: Sequence[str], count: str, most: int) -> None:
        """None: pyarrow groups in memory."""
        return

    def _pieces(self) -> Iterator[Any]:
        """Row groups, or fragments; of a filtered dataset, which gives no fragments away, the whole."""
        try:
            fragments = self.dataset.get_fragments()
        except ValueError:
            yield self.dataset
            return
        for fragment in fragments:
            if hasattr(fragment, "split_by_row_group"):
                yield from fragment.split_by_row_group()
            else:
                yield fragment

    def _batches(self, piece: Any, columns: list[str], rows: int) -> Iterator[Any]:
        """Blocks of a piece, of so many rows."""
        options: dict[str, Any] = {} if piece is self.dataset else {"schema": self.dataset.schema}
        if getattr(getattr(self.dataset, "format", None), "default_extname", "") == "parquet":
            from pyarrow.dataset import ParquetFragmentScanOptions

            # By default whole row groups are fetched before their first row is handed out.
            options["fragment_scan_options"] = ParquetFragmentScanOptions(use_buffered_stream=True, pre_buffer=False)
        batches: Iterator[Any] = piece.to_batches(columns=columns, batch_size=rows, **READ_AHEAD, **options)
        return batches

    def _over(self, work: Work[Found], place: int, piece: Any, columns: list[str], ended: Event) -> list[Found]:
        """Of a piece, block by block, as long as anybody wants that."""
        import pyarrow

        try:
            return [
                work((place, i), frame_of_table(pyarrow.Table.from_batches([batch])))
                for i, batch in enumerate(self._batches(piece, columns, rows_per_block(len(columns))))
                if batch.num_rows and not ended.is_set()
            ]
        except (pyarrow.ArrowException, OSError) as error:
            raise DataError(f"Reading {self.title} failed: {error}.") from error
