"""Equal rows merged: rows with the same design and the same response count once, with the sum of their weights.

The log likelihood is a weighted sum over rows, so merging is exact for every family. It pays where designs repeat: a
yes/no answer and a few categories leave a handful of different rows, whatever their number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.posterior.assembly.code_search import add_to_hashes
from nutslite.posterior.assembly.coded_columns import with_paying_codes
from nutslite.posterior.record.model_data import ModelData, rows_of, segment_by_row

FEWEST_ROWS = 500  # below it there is nothing to gain
LARGEST_SHARE = 0.7  # of rows that are left; with more, weights cost about what merging saves


def merge_equal_rows(model: ModelData) -> ModelData | None:
    """The same model on different rows only, with weights; None where too few rows are equal.

    A row that stands for three has the sum of their weights.
    """
    n = model.y.shape[1]
    if n < FEWEST_ROWS:
        return None
    if _count_different(model) > LARGEST_SHARE * n:
        return None
    _, first, place = np.unique(_row_hashes(model), return_index=True, return_inverse=True)
    if not _all_equal(model, first[place]):
        return None
    weights = np.zeros(n)
    weights[first] = np.bincount(place, weights=model.weights if model.weights.size else None)
    return with_paying_codes(rows_of(model._replace(weights=weights), np.sort(first)))


def _parts(model: ModelData) -> Iterator[NDArray[Any]]:
    """All that distinguishes rows, one array of shape (n,) after the other."""
    for part in (model.y, model.matrix, model.offsets, model.z, model.levels):
        yield from part
    if len(model.segments) > 1:
        yield segment_by_row(model)


def _row_hashes(model: ModelData) -> NDArray[np.uint64]:
    """A 64-bit hash of every row, made column by column: keys of whole rows would be a second copy of the data."""
    hashes = np.zeros(model.y.shape[1], dtype=np.uint64)
    for column in _parts(model):
        add_to_hashes(hashes, column)
    return hashes


def _count_different(model: ModelData) -> int:
    """How many hashes there are: quicker than to find which, where that is not needed."""
    ordered = _row_hashes(model)
    ordered.sort()
    return 1 + int(np.count_nonzero(ordered[1:] != ordered[:-1]))


def _all_equal(model: ModelData, twin: NDArray[np.intp]) -> bool:
    """Whether every row equals the row `twin` of the same hash: hashes of different rows may be equal."""
    return all(np.array_equal(column, column[twin], equal_nan=column.dtype.kind == "f") for column in _parts(model))
