"""Equal rows merged: rows with the same design and the same response count once, with the sum of their weights.

The log likelihood is a weighted sum over rows, so merging is exact for every family. It pays where designs repeat: a
yes/no answer and a few categories leave a handful of different rows, whatever their number.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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
    rows = _row_keys(model)
    if not _hashes_repeat(rows):
        return None
    _, first, place = np.unique(rows, return_index=True, return_inverse=True)
    weights = np.zeros(n)
    weights[first] = np.bincount(place.reshape(-1), weights=model.weights if model.weights.size else None)
    return with_paying_codes(rows_of(model._replace(weights=weights), first))


def _row_keys(model: ModelData) -> NDArray[np.void]:
    """One opaque key per row: all its numbers as bytes. Adding zero makes -0.0 and 0.0 equal."""
    numbers = np.concatenate([model.y, model.matrix, model.offsets, model.z]).T + 0.0
    levels = np.vstack([model.levels, segment_by_row(model)]).astype(np.int32)
    parts = [np.ascontiguousarray(numbers).view(np.uint8), np.ascontiguousarray(levels.T).view(np.uint8)]
    together = np.ascontiguousarray(np.concatenate(parts, axis=1))
    return together.view(np.dtype((np.void, together.shape[1]))).reshape(-1)


def _hashes_repeat(rows: NDArray[np.void]) -> bool:
    """Whether many rows are equal, by 64-bit hashes: quicker than sorting whole rows that all differ."""
    width = rows.dtype.itemsize
    numbers = rows.view(np.uint8).reshape(-1, width).astype(np.uint64)
    factors = np.random.default_rng(0).integers(1, 2**63, size=width, dtype=np.uint64) | np.uint64(1)
    hashes = numbers @ factors
    return bool(np.unique(hashes).size <= LARGEST_SHARE * hashes.size)
