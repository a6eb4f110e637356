"""Levels of the eliminated factor in classes of equal Z'WZ: they cost as much as one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]


def equal_classes(gram: FloatArray, further: FloatArray) -> tuple[IndexArray, IndexArray]:
    """Representative level of every class of equal Z'WZ, and the class of every level.

    `further` numbers of levels, (levels, K), are equal in a class, too; of length 0 there are none.
    """
    if gram.shape[0] == 0:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    numbers = gram.reshape(gram.shape[0], -1)
    numbers = np.concatenate([numbers, further], axis=1) if further.size else numbers
    _, first, inverse = np.unique(numbers, axis=0, return_index=True, return_inverse=True)
    return first.astype(np.int64), inverse.reshape(-1).astype(np.int64)


def class_cross_products(level_cross: FloatArray, level_class: IndexArray, n_classes: int) -> FloatArray:
    """Sums over each class's levels of B_c' B_d (+ its transpose for c > d), flattened, pairs (c, d <= c) in order."""
    _, q, width = level_cross.shape
    if not n_classes:
        return np.empty((0, width * width))
    out = np.empty((n_classes, q * (q + 1) // 2, width * width))
    for k in range(n_classes):
        members = level_cross[level_class == k]
        pair = 0
        for c in range(q):
            for d in range(c + 1):
                product = members[:, c].T @ members[:, d]
                out[k, pair] = (product if c == d else product + product.T).reshape(-1)
                pair += 1
    return np.ascontiguousarray(out.reshape(-1, width * width))
