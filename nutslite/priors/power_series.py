"""Truncated power series: the derivatives of a function at a point, carried along by arithmetic.

A series is an array of coefficients: ``series[k]`` is the k-th derivative at the point of expansion divided by k!.
Sums and multiples are NumPy's own. The recurrences are the classical ones of automatic differentiation (Griewank and
Walther, 2008, "Evaluating Derivatives", table 13.2), exact to the order of the truncation.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def variable(point: float, order: int) -> FloatArray:
    """The series of the variable itself at `point`, to `order`: shape (order + 1,).

    >>> variable(0.5, 2).tolist()
    [0.5, 1.0, 0.0]
    """
    out = constant(point, order)
    if order > 0:
        out[1] = 1.0
    return out


def constant(value: float, order: int) -> FloatArray:
    """The series of a number."""
    out = np.zeros(order + 1)
    out[0] = value
    return out


def multiply(u: FloatArray, v: FloatArray) -> FloatArray:
    """Product of two series of one length.

    >>> multiply(variable(3.0, 2), variable(3.0, 2)).tolist()  # x^2 at 3: 9 + 6 h + h^2
    [9.0, 6.0, 1.0]
    """
    return np.convolve(u, v)[: u.size]


def divide(u: FloatArray, v: FloatArray) -> FloatArray:
    """Quotient; ``v[0]`` must not be zero."""
    out = np.zeros_like(u)
    for k in range(u.size):
        out[k] = (u[k] - out[:k] @ v[1 : k + 1][::-1]) / v[0]
    return out


def log(u: FloatArray) -> FloatArray:
    """Natural logarithm; ``u[0]`` must be positive."""
    out = np.zeros_like(u)
    out[0] = math.log(u[0])
    for k in range(1, u.size):
        earlier = sum(j * out[j] * u[k - j] for j in range(1, k))
        out[k] = (u[k] - earlier / k) / u[0]
    return out


def sqrt(u: FloatArray) -> FloatArray:
    """Square root; ``u[0]`` must be positive."""
    out = np.zeros_like(u)
    out[0] = math.sqrt(u[0])
    for k in range(1, u.size):
        out[k] = (u[k] - out[1:k] @ out[1:k][::-1]) / (2.0 * out[0])
    return out
