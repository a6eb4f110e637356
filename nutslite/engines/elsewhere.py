"""`Elsewhere`: where a model's rows are, what stands for them, and passes over the rows themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import pandas as pd

from nutslite.engines.first_pass import Reading
from nutslite.engines.sources.source import Source
from nutslite.formula.design import Design

Found = TypeVar("Found")


@dataclass(frozen=True, eq=False)
class Elsewhere:
    """Data that are not in memory.

    Attributes
    ----------
    source : Source
    data : object
        As the user gave it.
    reading : Reading
    n_rows, n_dropped : int
        Rows in use, and incomplete rows left out.
    summary : Design
        A few rows with the means, variances and covariances of all: default priors are made of them.
    streams : bool
        Whether every density reads the rows; otherwise the model's design stands for them exactly.
    sample : Design or None
        Rows drawn at random with weights that sum to all of them, where densities read the rows: a search for the mode
        begins with these.
    sentences : tuple of str
        What was done with the data, for a plan.
    """

    source: Source
    data: Any
    reading: Reading
    n_rows: int
    n_dropped: int
    summary: Design
    streams: bool
    sample: Design | None
    sentences: tuple[str, ...]

    def over(self, work: Callable[[Design], Found], cores: int) -> Iterator[Found]:
        """What `work` returns of the design of each block, in order: one pass over the data."""
        means = {name: predictor.means for name, predictor in self.summary.predictors.items()}
        on_block = OnBlock(self.summary, self.reading, means, work)
        found = self.source.map(on_block, self.reading.columns, cores)
        return (one for one in found if one is not None)


@dataclass(frozen=True)
class OnBlock:
    """Work on the design of a block in place of its rows; where none is complete, there is none."""

    learned: Design
    reading: Reading
    means: dict[str, Any]
    work: Callable[[Design], Any]

    def __call__(self, place: tuple[int, int], frame: pd.DataFrame) -> Any:
        """See `source.Work`."""
        frame, _ = self.reading.complete(frame)
        return self.work(self.design(frame)) if len(frame) else None

    def design(self, frame: pd.DataFrame) -> Design:
        """Of complete rows, centred at the means of all."""
        design = self.learned.evaluate(frame, response=True)
        predictors = {name: replace(own, means=self.means[name]) for name, own in design.predictors.items()}
        return replace(design, predictors=predictors)
