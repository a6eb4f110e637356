"""Draws rank-normalised, for many quantities at once.

Everything works on arrays of shape ``(quantities, chains, draws)``.

Source: Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021), Rank-normalization, folding, and localization, Bayesian
Analysis 16(2), arXiv:1903.08008, section 4; the offset 3/8 is from Blom (1958).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
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
    return Ranked.of(draws).scores()


@dataclass(frozen=True)
class Ranked:
    """Draws in ascending order, and where they stood.

    Attributes
    ----------
    shape : tuple of int
        Of the draws: (quantities, chains, draws).
    order, ordered : ndarray, shape (quantities, chains * draws)
    """

    shape: tuple[int, ...]
    order: NDArray[np.int64]
    ordered: FloatArray

    @classmethod
    def of(cls, draws: FloatArray) -> Ranked:
        """Sort the draws of each quantity, shape (quantities, chains, draws)."""
        flat = np.ascontiguousarray(draws).reshape(draws.shape[0], -1)
        starts = np.arange(len(flat))[:, None] * flat.shape[1]  # of rows, in the array as one row
        order = _nearly_sorted(flat)
        order += starts
        ordered = flat.reshape(-1)[order]
        if not (ordered[:, 1:] >= ordered[:, :-1]).all():
            order = np.argsort(flat, axis=1) + starts
            ordered = flat.reshape(-1)[order]
        return cls(draws.shape, order, ordered)

    @property
    def median(self) -> FloatArray:
        """Shape (quantities,), of an even number of draws."""
        half = self.ordered.shape[1] // 2
        return np.asarray(self.ordered[:, half - 1 : half + 1].mean(axis=1))

    def scores(self, out: FloatArray | None = None) -> FloatArray:
        """The normal quantile of each draw's rank, in the draws' shape; equal draws share their average rank.

        `out`, of that shape and contiguous, is overwritten and returned.
        """
        rows, size = self.ordered.shape
        ordered = np.empty((rows, size))
        ordered[:] = _score_table(size)[2::2]
        flat = ordered.reshape(-1)
        as_next = np.zeros((rows, size), dtype=bool)
        np.equal(self.ordered[:, 1:], self.ordered[:, :-1], out=as_next[:, :-1])
        equal = np.flatnonzero(as_next)
        if equal.size:
            gaps = np.flatnonzero(np.diff(equal) > 1)
            first = equal[np.concatenate([[0], gaps + 1])]
            counts = equal[np.concatenate([gaps, [-1]])] + 2 - first
            doubled_ranks = 2 * (first % size) + counts + 1  # integers even where ranks are halves
            tied = np.repeat(first - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
            flat[tied] = np.repeat(_score_table(size)[doubled_ranks], counts)
        scores = np.empty(self.shape) if out is None else out
        scores.reshape(-1)[self.order.reshape(-1)] = flat
        return scores


def _nearly_sorted(flat: FloatArray) -> NDArray[np.int64]:
    """Places of the numbers of each row in ascending order, but for numbers that differ in their last digits alone.

    These digits make room for the places, so that whole numbers are sorted in place of pairs: in half the time.
    """
    last = (1 << (flat.shape[1] - 1).bit_length()) - 1
    keys = flat.view(np.int64) >> 63
    keys &= np.iinfo(np.int64).max  # numbers below zero are larger, as bits, the smaller they are
    keys ^= flat.view(np.int64)
    keys &= ~last
    keys |= np.arange(flat.shape[1])
    keys.sort(axis=1)
    keys &= last
    return keys


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
