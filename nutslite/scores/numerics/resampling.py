"""Draws with weights made draws without."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def resampled(weights: FloatArray | None, size: int, count: int) -> NDArray[np.int64]:
    """Which of `size` draws stand for all of them, in their order: evenly spaced in cumulated weight.

    Each is chosen about as often as its weight says, at most one time more or less (systematic resampling). Rows with
    weights that differ little choose about the same draws, so that what the rows of a draw share is kept.

    Parameters
    ----------
    weights : ndarray, shape (size, 1) or (size, n), or None
        They add up to one; None is equal ones.
    size, count : int

    Returns
    -------
    ndarray of int, shape (count,) without weights of each row, else (count, n)
    """
    if weights is None:
        return np.linspace(0, size - 1, count).round().astype(np.int64)
    marks = (np.arange(count) + 0.5) / count
    totals = np.cumsum(weights, axis=0)
    chosen = [np.searchsorted(total / total[-1], marks) for total in totals.T]
    found = np.minimum(np.stack(chosen, axis=1), size - 1)
    return found[:, 0] if weights.shape[1] == 1 else found
