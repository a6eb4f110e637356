"""Numbers that are positive and sum to one, by isometric log-ratios.

log x is V u up to a constant. V's columns are orthonormal and sum to zero: i + 1 equal entries, their balance, zeros.

Source: Egozcue et al. (2003), Mathematical Geology 35.
"""

from __future__ import annotations

import math

import numpy as np

from nutslite._numba import kernel


@kernel
def simplex_constrain(u, out):
    """Positive numbers that sum to one, by the isometric log-ratio.

    Parameters
    ----------
    u : ndarray, shape (k - 1,)
    out : ndarray, shape (k,)
        Overwritten.

    Returns
    -------
    float
        The log-Jacobian, from u to the first k - 1 elements.
    """
    k = out.shape[0]
    later = 0.0
    highest = -math.inf
    for i in range(k - 1, -1, -1):
        out[i] = later
        if i > 0:
            weight = u[i - 1] / np.sqrt(i * (i + 1.0))
            out[i] -= i * weight
            later += weight
        highest = max(highest, out[i])
    total = 0.0
    sum_of_logs = 0.0
    for i in range(k):
        sum_of_logs += out[i] - highest
        out[i] = np.exp(out[i] - highest)
        total += out[i]
    for i in range(k):
        out[i] /= total
    return sum_of_logs - k * np.log(total) + 0.5 * np.log(float(k))


@kernel
def simplex_pull_back(x, adjoint, gradient):
    """Add the derivative with respect to u, log-Jacobian included.

    Parameters
    ----------
    x : ndarray, shape (k,)
        What `simplex_constrain` made of u.
    adjoint : ndarray, shape (k,)
        Derivative of the log density with respect to x, all k elements taken as variables of their own.
    gradient : ndarray, shape (k - 1,)
        Added to.
    """
    k = x.shape[0]
    mean = 0.0
    for i in range(k):
        mean += x[i] * adjoint[i]
    before = 0.0
    for i in range(1, k):
        before += x[i - 1] * (adjoint[i - 1] - mean - k)
        gradient[i - 1] += (before - i * x[i] * (adjoint[i] - mean - k)) / np.sqrt(i * (i + 1.0))


@kernel
def simplex_unconstrain(x, out):
    """Inverse of `simplex_constrain`; `out` (k - 1,) is overwritten."""
    before = 0.0
    for i in range(1, x.shape[0]):
        before += np.log(x[i - 1])
        out[i - 1] = (before - i * np.log(x[i])) / np.sqrt(i * (i + 1.0))
