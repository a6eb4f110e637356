"""How much successive draws depend on each other, roughly: for methods that may draw again with more between them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

BATCHES = 8  # of each chain
TAIL = 0.05  # share of the draws
SLOW = 4.0  # draws: with a longer autocorrelation time, draws are made again ...
FEWEST_DRAWS = 200  # ... where a chain has enough for it to be known


def is_slow(draws: FloatArray) -> bool:
    """Whether draws (chains, n, dimension) should be made again."""
    return draws.shape[1] >= FEWEST_DRAWS and autocorrelation_time(draws) > SLOW


def autocorrelation_time(draws: FloatArray) -> float:
    """That of the slowest coordinate of draws (chains, n, dimension), by means of batches; rough, in draws.

    Of values, of ranks, and of being in either tail, where chains are slowest and the report looks, too.
    """
    n, dimension = draws.shape[1:]
    size = n // BATCHES
    ranks = np.argsort(np.argsort(draws.reshape(-1, dimension), axis=0), axis=0).reshape(draws.shape)
    tail = TAIL * draws.shape[0] * n
    seen = [draws, ranks, ranks < tail, ranks >= draws.shape[0] * n - tail]
    longest = 0.0
    for numbers in (np.asarray(some, dtype=float) for some in seen):
        batches = numbers[:, : BATCHES * size].reshape(draws.shape[0] * BATCHES, size, -1).mean(axis=1)
        variance = np.maximum(numbers.reshape(-1, dimension).var(axis=0), 1e-300)
        longest = max(longest, float(np.max(size * batches.var(axis=0, ddof=1) / variance)))
    return longest
