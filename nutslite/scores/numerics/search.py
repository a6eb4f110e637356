"""Quantiles found by halving intervals, and scores of counts near a single value by sums."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

ROUNDING = 4.0 * np.finfo(float).eps
SMALLEST = 1e-300


def whole_quantile(
    q: FloatArray, cdf: Callable[[FloatArray], FloatArray], mean: FloatArray, sd: FloatArray
) -> FloatArray:
    """The smallest whole number from 0 on whose cdf is no less than q; arrays of one shape.

    Cantelli's inequality says between which numbers it lies: ``mean - sd sqrt((1-q)/q)`` and ``mean + sd
    sqrt(q/(1-q))``.
    """
    enough = q * (1.0 - ROUNDING)
    low = np.maximum(np.floor(mean - sd * np.sqrt((1.0 - q) / q)) - 2.0, -1.0)  # too small
    high = np.ceil(mean + sd * np.sqrt(q / (1.0 - q))) + 2.0  # large enough
    while np.any(high - low > 1.0):
        middle = np.floor(0.5 * (low + high))
        found = cdf(middle) >= enough
        stuck = (middle <= low) | (middle >= high)  # neighbours, or beyond the whole numbers that float64 has
        high = np.where(found | stuck, np.where(stuck, high, middle), high)
        low = np.where(stuck, high, np.where(found, low, middle))
    return high


def positive_quantile(
    q: FloatArray, cdf: Callable[[FloatArray], FloatArray], mean: FloatArray, sd: FloatArray
) -> FloatArray:
    """The positive number whose cdf is q, to rounding; arrays of one shape."""
    low = np.maximum(mean - sd * np.sqrt((1.0 - q) / q), SMALLEST)
    high = mean + sd * np.sqrt(q / (1.0 - q))
    for _ in range(80):
        middle = np.where(high > 4.0 * low, np.sqrt(low) * np.sqrt(high), 0.5 * (low + high))
        below = cdf(middle) < q
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return 0.5 * (low + high)


def crps_by_sum(y: FloatArray, survival: Callable[[FloatArray], FloatArray], last: int) -> FloatArray:
    """CRPS of counts that are hardly ever above `last`, ``int (F(x) - 1{x >= y})^2 dx``, without cancellation.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Any real numbers.
    survival : callable
        ``P(X > k)`` for k of shape (last + 1, 1).

    Returns
    -------
    ndarray, shape (n,)
    """
    k = np.arange(last + 1.0)[:, None]
    above = survival(k)
    before = np.clip(y - k, 0.0, 1.0)  # the share of the step from k to k + 1 that lies before y
    total = np.sum((1.0 - above) ** 2 * before + above**2 * (1.0 - before), axis=0)
    return total + np.maximum(-y, 0.0) + np.maximum(y - (last + 1.0), 0.0)
