"""Draws of independent elements given that they increase: of the prior of thresholds.

Sorted draws are something else, unless all elements have one distribution.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

MOST_REJECTIONS = 30  # rounds of draws that are kept where they increase
SWEEPS = 20  # of Gibbs sampling, times the square of the number of elements


def increasing_draws(draw: Callable[[int, NDArray[np.intp]], FloatArray], size: int, elements: int) -> FloatArray:
    """Vectors that increase, shape (size, elements).

    Whole vectors are drawn until they increase, which is exact. What is left after some rounds, where this is rare,
    starts from sorted draws and replaces one element after the other by a new draw, where it keeps the order.

    Parameters
    ----------
    draw : callable
        ``draw(element, rows)``: new draws of one element, shape (len(rows),), for the given rows of the result.
    """
    out = np.empty((size, elements))
    rest = np.arange(size)
    for _ in range(MOST_REJECTIONS):
        tried = np.column_stack([draw(element, rest) for element in range(elements)])
        fits = (np.diff(tried, axis=1) > 0.0).all(axis=1)
        out[rest[fits]] = tried[fits]
        rest = rest[~fits]
        if not rest.size:
            return out
    current = np.sort(np.column_stack([draw(element, rest) for element in range(elements)]), axis=1)
    for _ in range(SWEEPS * elements**2):
        for element in range(elements):
            new = draw(element, rest)
            above = new > current[:, element - 1] if element > 0 else True
            below = new < current[:, element + 1] if element + 1 < elements else True
            current[:, element] = np.where(above & below, new, current[:, element])
    out[rest] = current
    return out
