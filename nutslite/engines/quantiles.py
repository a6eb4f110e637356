"""Exact order statistics of a column in passes: bins are counted, then the values of a few bins are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.engines.way import Way, together

FloatArray = NDArray[np.float64]

BINS = 1 << 14  # of an interval
FEW = 1 << 20  # values that are looked at one by one
ROUNDS = 4  # of counting, after which equal values must be what makes a bin full


@dataclass(frozen=True)
class Different:
    """Different values, sorted, with how often each occurs."""

    values: FloatArray
    counts: NDArray[np.int64]

    def __add__(self, other: Different) -> Different:
        values, place = np.unique(np.concatenate([self.values, other.values]), return_inverse=True)
        counts = np.bincount(place, np.concatenate([self.counts, other.counts]), len(values))
        return Different(values, counts.astype(np.int64))


@dataclass(frozen=True)
class Counting:
    """Counts of the bins between edges, of values from the first edge to the last, which is the last bin's."""

    edges: FloatArray

    def __call__(self, x: FloatArray, arguments: dict[str, Any]) -> NDArray[np.int64]:
        """Of one block; values below, in each bin, above."""
        place = np.searchsorted(self.edges, x, side="right")
        place[x == self.edges[-1]] = len(self.edges) - 1
        return np.bincount(place, minlength=len(self.edges) + 1)


@dataclass(frozen=True)
class Listing:
    """The different values from `low` to `high`."""

    low: float
    high: float

    def __call__(self, x: FloatArray, arguments: dict[str, Any]) -> Different:
        """Of one block."""
        return Different(*np.unique(x[(x >= self.low) & (x <= self.high)], return_counts=True))


def quantiles(low: float, high: float, rows: int, probabilities: Sequence[float]) -> Way:
    """Quantiles as NumPy's (``"linear"``) of values from `low` to `high`."""
    places = [probability * (rows - 1) for probability in probabilities]
    pairs = yield from together([_neighbours(low, high, rows, int(place)) for place in places])
    return [one + (place % 1.0) * (other - one) for place, (one, other) in zip(places, pairs, strict=True)]


def _neighbours(low: float, high: float, rows: int, rank: int) -> Way:
    """The values of a rank, from 0 on, and of the next one."""
    last = min(rank + 1, rows - 1)
    below, inside = 0, rows
    for _ in range(ROUNDS):
        edges = np.unique(np.linspace(low, high, BINS + 1))
        if inside <= FEW or len(edges) < 3:
            break
        counts = yield Counting(edges)
        upto = np.cumsum(counts)
        first, final = (int(np.searchsorted(upto, one, side="right")) for one in (rank, last))
        below, inside = int(upto[first - 1]), int(upto[final] - upto[first - 1])
        low, high = float(edges[first - 1]), float(edges[final])
    listed: Different = yield Listing(low, high)
    upto = below + np.cumsum(listed.counts)
    one, next_one = (float(listed.values[np.searchsorted(upto, each, side="right")]) for each in (rank, last))
    return one, next_one
