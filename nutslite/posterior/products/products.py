"""Cross-products of long rows, weighted: what Newton steps and sufficient statistics are made of.

BLAS would do as well on an idle machine. On a busy one its threads wait for each other, for seconds where the product
takes milliseconds; these do not, because each has its own rows.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from nutslite._numba import kernel
from nutslite.posterior.density.predictor import dot
from nutslite.sampler.transition.compiling import uncounted

FloatArray = NDArray[np.float64]

BLOCK = 512  # rows whose columns stay in cache
PARTS = 2  # fixed, so that sums do not depend on how many processors there are
FEWEST_ROWS = 20_000  # for threads
ROWS_AT_ONCE = 1 << 16  # in NumPy
FEWEST_PRODUCTS = 2_000_000  # for compiled code: with fewer NumPy takes milliseconds, and has nothing to compile


def weighted_products(left: FloatArray, weights: FloatArray | None, right: FloatArray) -> FloatArray:
    """left diag(weights) right', for (p, n) and (q, n) rows that are contiguous; no weights are ones.

    The product of an array with itself is computed once for both triangles.
    """
    n = left.shape[1]
    if left.shape[0] * right.shape[0] * n < FEWEST_PRODUCTS:
        few = _few_products(left, weights, right)
        return _whole(few) if left is right else few
    w = np.empty(0) if weights is None else weights
    edges = [0, n] if n < FEWEST_ROWS else np.linspace(0, n, PARTS + 1).astype(int).tolist()
    outs = [np.zeros((left.shape[0], right.shape[0])) for _ in edges[1:]]
    tasks = list(zip(outs, edges[:-1], edges[1:], strict=True))
    if len(tasks) == 1:
        _add_products(left, w, right, 0, n, left is right, outs[0])
        return _whole(outs[0]) if left is right else outs[0]
    with ThreadPoolExecutor(len(tasks) - 1) as pool:
        others = [
            pool.submit(_add_products, left, w, right, first, last, left is right, out)
            for out, first, last in tasks[1:]
        ]
        _add_products(left, w, right, edges[0], edges[1], left is right, outs[0])
        for other in others:
            other.result()
    total = np.sum(outs, axis=0)
    return _whole(total) if left is right else total


def _few_products(left: FloatArray, weights: FloatArray | None, right: FloatArray) -> FloatArray:
    """The same in NumPy, some rows at a time: no weighted copy of all of them is made."""
    out = np.zeros((left.shape[0], right.shape[0]))
    for start in range(0, left.shape[1], ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        out += np.einsum(
            "in,jn->ij", left[:, rows] if weights is None else left[:, rows] * weights[rows], right[:, rows]
        )
    return out


def _whole(lower: FloatArray) -> FloatArray:
    """A symmetric matrix from its lower triangle."""
    whole: FloatArray = np.tril(lower) + np.tril(lower, -1).T
    return whole


@kernel
def _add_products(left, weights, right, first, last, symmetric, out):
    """Add the products over rows `first` to `last` to `out`."""
    scaled = np.empty(BLOCK)
    for start in range(first, last, BLOCK):
        _add_block(left, weights, right, start, min(BLOCK, last - start), symmetric, scaled, out)


@uncounted
def _add_block(left, weights, right, start, rows, symmetric, scaled, out):
    for i in range(left.shape[0]):
        column = left[i, start : start + rows]
        if weights.shape[0] > 0:
            weight = weights[start : start + rows]
            for k in range(rows):
                scaled[k] = column[k] * weight[k]
        else:
            for k in range(rows):
                scaled[k] = column[k]
        for j in range(i + 1 if symmetric else right.shape[0]):
            out[i, j] += dot(scaled, right[j, start : start + rows], rows)
