"""How many independent rows those of groups are worth, for bands that are exact of independent ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def independent_rows(below: FloatArray, expected: FloatArray, codes: NDArray[np.int64] | None) -> int:
    """The number of independent rows whose shares vary as those of these rows do: n over the design effect.

    The design effect is the variance of sums over groups, around what is expected of a calibrated forecast, over that
    of independent rows, both added up over all points (Rao and Scott 1981, JASA 76:221-230, section 3). It is not taken
    below 1: rows of a group that are apart on purpose are worth no more than independent ones.

    Parameters
    ----------
    below : ndarray, shape (n, K)
        1 where a row is at most each point, else 0.
    expected : ndarray, shape (K,)
        Its probability.
    codes : ndarray of int, shape (n,), or None
        Groups 0, ..., G - 1; None where rows are independent.

    Returns
    -------
    int
        From 1 to n; n where there is one group, which says nothing of others.
    """
    n = below.shape[0]
    if codes is None or int(codes.max()) < 1:
        return n
    order = np.argsort(codes, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(codes))[:-1]])
    sums = np.add.reduceat(below[order] - expected, starts, axis=0)
    independent = n * float(np.sum(expected * (1.0 - expected)))
    effect = float(np.sum(sums**2)) / independent
    return max(1, int(n / max(1.0, effect)))
