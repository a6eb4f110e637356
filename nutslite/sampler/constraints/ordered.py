"""Vectors whose elements increase, from a first number and the logarithms of the steps.

Source: Stan Reference Manual, "Ordered vector".
"""

from __future__ import annotations

import numpy as np

from nutslite._numba import kernel


@kernel
def ordered_constrain(u, out):
    """``x[0] = u[0]``, then ``x[i] = x[i - 1] + exp(u[i])``.

    Parameters
    ----------
    u : ndarray, shape (k,)
    out : ndarray, shape (k,)
        Overwritten with x.

    Returns
    -------
    float
        The log-Jacobian.
    """
    total = 0.0 * u[0]
    at = u[0]
    out[0] = at
    for i in range(1, u.shape[0]):
        at += np.exp(u[i])
        out[i] = at
        total += u[i]
    return total


@kernel
def ordered_pull_back(u, adjoint, gradient):
    """Add the derivative with respect to u, log-Jacobian included.

    Parameters
    ----------
    u : ndarray, shape (k,)
    adjoint : ndarray, shape (k,)
        Derivative of the log density with respect to x.
    gradient : ndarray, shape (k,)
        Added to.
    """
    later = 0.0
    for i in range(u.shape[0] - 1, 0, -1):
        later += adjoint[i]
        gradient[i] += later * np.exp(u[i]) + 1.0
    gradient[0] += later + adjoint[0]


@kernel
def ordered_unconstrain(x, out):
    """Inverse of `ordered_constrain`; `out` (k,) is overwritten."""
    out[0] = x[0]
    for i in range(1, x.shape[0]):
        out[i] = np.log(x[i] - x[i - 1])
