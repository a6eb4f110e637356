"""Elements of packed vectors, for all draws at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def taken(numbers: FloatArray, index: NDArray[np.int64]) -> FloatArray:
    """Elements of the last axis; a view of those that follow one another: draws of many effects are not kept twice."""
    first, size = int(index.flat[0]) if index.size else 0, index.size
    if index.ndim == 1 and size > 1 and np.array_equal(index, np.arange(first, first + size)):
        return numbers[..., first : first + size]
    return numbers[..., index]
