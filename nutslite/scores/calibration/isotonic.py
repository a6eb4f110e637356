"""Isotonic regression: the increasing step function next to values, by pooling neighbours that are out of order.

Ayer, Brunk, Ewing, Reid and Silverman (1955), Annals of Mathematical Statistics 26:641-647; for quantiles, where the
value of a pool is the quantile of all that is in it: Robertson and Wright (1980), Annals of Statistics 8:645-651.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nutslite._numba import kernel

FloatArray = NDArray[np.float64]


def pooled_means(values: FloatArray, weights: FloatArray) -> FloatArray:
    """The increasing sequence with the smallest weighted sum of squared distances to `values`, shape (K,).

    Values of weight 0 follow their neighbours.
    """
    out = np.empty(values.size)
    _pool_means(np.ascontiguousarray(values), np.ascontiguousarray(weights), out)
    return out


def pooled_quantiles(values: FloatArray, starts: NDArray[np.int64], level: float) -> FloatArray:
    """The increasing sequence with the smallest pinball loss: one value a block of `values`.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Sorted within each block.
    starts : ndarray of int, shape (K + 1,)
        Where blocks begin, and n.
    level : float

    Returns
    -------
    ndarray, shape (K,)
        Of each pool the smallest value that at least the share `level` of it does not exceed.
    """
    out = np.empty(starts.size - 1)
    _pool_quantiles(values.copy(), starts, level, np.empty(values.size), out)
    return out


@kernel
def _pool_means(values, weights, out):
    size = 0
    mean, weight = np.empty(values.size), np.empty(values.size)
    length = np.empty(values.size, dtype=np.int64)
    for i in range(values.size):
        mean[size], weight[size], length[size] = values[i], weights[i], 1
        size += 1
        while size > 1 and (mean[size - 2] >= mean[size - 1] or weight[size - 1] == 0.0 or weight[size - 2] == 0.0):
            a, b = size - 2, size - 1
            both = weight[a] + weight[b]
            if both > 0.0:
                mean[a] = (weight[a] * mean[a] + weight[b] * mean[b]) / both
            weight[a] = both
            length[a] += length[b]
            size -= 1
    place = 0
    for j in range(size):
        for _ in range(length[j]):
            out[place] = mean[j]
            place += 1


@kernel
def _pool_quantiles(values, starts, level, room, out):
    """Pools are stretches of `values`, sorted; two that are joined are merged through `room`."""
    n_blocks = starts.size - 1
    begin = np.empty(n_blocks + 1, dtype=np.int64)
    first = np.empty(n_blocks + 1, dtype=np.int64)
    quantile = np.empty(n_blocks)
    size = 0
    for i in range(n_blocks):
        begin[size], first[size] = starts[i], i
        quantile[size] = _lower_quantile(values, starts[i], starts[i + 1], level)
        size += 1
        while size > 1 and quantile[size - 2] >= quantile[size - 1]:
            a, middle, stop = begin[size - 2], begin[size - 1], starts[i + 1]
            _merge(values, a, middle, stop, room)
            quantile[size - 2] = _lower_quantile(values, a, stop, level)
            size -= 1
    first[size] = n_blocks
    for j in range(size):
        for i in range(first[j], first[j + 1]):
            out[i] = quantile[j]


@kernel
def _lower_quantile(values, start, stop, level):
    count = stop - start
    rank = math.ceil(level * count - 1e-9)
    return values[start + min(max(rank, 1), count) - 1]


@kernel
def _merge(values, start, middle, stop, room):
    left, right = start, middle
    for place in range(start, stop):
        if right >= stop or (left < middle and values[left] <= values[right]):
            room[place] = values[left]
            left += 1
        else:
            room[place] = values[right]
            right += 1
    for place in range(start, stop):
        values[place] = room[place]
