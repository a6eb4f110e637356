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
    total = draws.shape[0] * n
    seen = np.empty((4, dimension, total))
    seen[0] = draws.reshape(total, dimension).T
    order = np.argsort(seen[0], axis=1)
    np.put_along_axis(seen[1], order, np.arange(total, dtype=float)[None, :], axis=1)
    np.less(seen[1], TAIL * total, out=seen[2], casting="unsafe")
    np.greater_equal(seen[1], total - TAIL * total, out=seen[3], casting="unsafe")
    batches = seen.reshape(4, dimension, draws.shape[0], n)[..., : BATCHES * size]
    means = batches.reshape(4, dimension, draws.shape[0] * BATCHES, size).mean(axis=3)
    share = np.ceil(TAIL * total) / total  # of draws in a tail
    variance = np.empty((4, dimension))
    variance[0] = np.maximum(seen[0].var(axis=1), 1e-300)
    variance[1:] = np.array([(total**2 - 1.0) / 12.0, share * (1.0 - share), share * (1.0 - share)])[:, None]
    return float(np.max(size * means.var(axis=2, ddof=1) / variance))
