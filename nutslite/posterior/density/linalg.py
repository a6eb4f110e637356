"""Small dense linear algebra for kernels: no allocation, no exceptions; only lower triangles are read and written.

A matrix that is not positive definite shows as a nan on the diagonal of its factor, and so in the log density.
"""

from __future__ import annotations

import math

import numpy as np

from nutslite._numba import inner


@inner
def cholesky_in_place(a, n):
    """Overwrite the lower triangle of ``a[:n, :n]`` with its Cholesky factor; return the log determinant of `a`."""
    log_determinant = 0.0
    for i in range(n):
        for j in range(i):
            total = a[i, j]
            for c in range(j):
                total -= a[i, c] * a[j, c]
            a[i, j] = total / a[j, j]
        total = a[i, i]
        for c in range(i):
            total -= a[i, c] * a[i, c]
        pivot = math.sqrt(total) if total > 0.0 else math.nan
        a[i, i] = pivot
        log_determinant += 2.0 * np.log(pivot)
    return log_determinant


@inner
def invert_lower(factor, n, out):
    """Overwrite the lower triangle of ``out[:n, :n]`` with the inverse of a lower-triangular factor."""
    for j in range(n):
        out[j, j] = 1.0 / factor[j, j]
        for i in range(j + 1, n):
            total = 0.0
            for c in range(j, i):
                total -= factor[i, c] * out[c, j]
            out[i, j] = total / factor[i, i]


@inner
def forward_solve(factor, n, b):
    """Overwrite ``b[:n]`` with the solution of ``factor x = b``."""
    for i in range(n):
        total = b[i]
        for c in range(i):
            total -= factor[i, c] * b[c]
        b[i] = total / factor[i, i]


@inner
def backward_solve(factor, n, b):
    """Overwrite ``b[:n]`` with the solution of ``factor' x = b``."""
    for i in range(n - 1, -1, -1):
        total = b[i]
        for c in range(i + 1, n):
            total -= factor[c, i] * b[c]
        b[i] = total / factor[i, i]
