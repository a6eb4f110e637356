"""Draws rank-normalised, for many quantities at once.

Everything works on arrays of shape ``(quantities, chains, draws)``.

Source: Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021), Rank-normalization, folding, and localization, Bayesian
Analysis 16(2), arXiv:1903.08008, section 4; the offset 3/8 is from Blom (1958).
"""

from __future__ import annotations

import functools
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def normal_scores(draws: FloatArray) -> FloatArray:
    """Replace every draw by the normal quantile of its rank among all draws of its quantity.

    Equal draws share their average rank.

    Parameters
    ----------
    draws : ndarray, shape (quantities, chains, draws)

    Returns
    -------
    ndarray of the same shape
    """
    flat = draws.reshape(draws.shape[0], -1)
    order = np.argsort(flat, axis=1)
    ordered = np.take_along_axis(flat, order, axis=1)
    scores = np.empty(flat.shape)
    np.put_along_axis(scores, order, _score_table(flat.shape[1])[_doubled_ranks(ordered)], axis=1)
    return scores.reshape(draws.shape)


def _doubled_ranks(ordered: FloatArray) -> NDArray[np.int64]:
    """Twice the 1-based average rank of each element of sorted rows: an integer even where ranks are halves."""
    size = ordered.shape[1]
    position = np.arange(size)
    equal = ordered[:, 1:] == ordered[:, :-1]
    if not equal.any():
        return np.broadcast_to(2 * (position + 1), ordered.shape)
    first = np.zeros(ordered.shape, dtype=np.int64)
    first[:, 1:] = np.where(equal, 0, position[1:])
    first = np.maximum.accumulate(first, axis=1)
    last = np.full(ordered.shape, size - 1, dtype=np.int64)
    last[:, :-1] = np.where(equal, size - 1, position[:-1])
    last = np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]
    return first + last + 2


@functools.lru_cache(maxsize=8)
def _score_table(size: int) -> FloatArray:
    """Normal quantile of ``(rank - 3/8) / (size + 1/4)``, indexed by twice the rank."""
    quantile = NormalDist().inv_cdf
    table = np.zeros(2 * size + 1)
    for doubled in range(2, size + 1):  # the lower half; the upper half mirrors it, the middle is 0
        table[doubled] = quantile((doubled / 2 - 0.375) / (size + 0.25))
    table[size + 2 :] = -table[size:1:-1]
    table.setflags(write=False)
    return table
