"""Values of a Gaussian process at given places, from standard normals: f = sigma L z with K = L L'.

K are the correlations of the places, of x^2 = sum over d of ((x_d - x'_d) / l_d)^2 (Rasmussen and Williams 2006,
section 4.2):

    squared exponential   exp(-x^2 / 2)
    exponential           exp(-x)
    Matern 3/2            (1 + sqrt(3) x) exp(-sqrt(3) x)
    Matern 5/2            (1 + sqrt(5) x + 5 x^2 / 3) exp(-sqrt(5) x)

and `JITTER` more on the diagonal, without which close places have no factor in doubles. The way back through the factor
is that of Murray (2016), arXiv:1602.07527, equation 10. A matrix that has no factor gives nan, and so no density.
"""

from __future__ import annotations

import numpy as np

from nutslite._numba import inner, reduction

JITTER = 1e-10

EXP_QUAD, EXPONENTIAL, MATERN32, MATERN52 = range(4)
"""Codes of covariances, as a node has them among its fixed numbers."""

_SQRT_3, _SQRT_5 = np.sqrt(3.0), np.sqrt(5.0)


@inner
def _correlation(code, square):
    """The correlation, and its derivative by x^2 (times x, of the exponential one, which has none at zero)."""
    if code == EXP_QUAD:
        value = np.exp(-0.5 * square)
        return value, -0.5 * value
    x = np.sqrt(square)
    if code == EXPONENTIAL:
        value = np.exp(-x)
        return value, -0.5 * value / x if x > 0.0 else 0.0
    if code == MATERN32:
        value = np.exp(-_SQRT_3 * x)
        return (1.0 + _SQRT_3 * x) * value, -1.5 * value
    value = np.exp(-_SQRT_5 * x)
    return (1.0 + _SQRT_5 * x + 5.0 / 3.0 * square) * value, -5.0 / 6.0 * (1.0 + _SQRT_5 * x) * value


@inner
def _square(values, inputs, dimensions, n, i, j):
    total = 0.0
    for d in range(dimensions):
        first = 2 + dimensions + n + d
        x = values[inputs[first + i * dimensions]] - values[inputs[first + j * dimensions]]
        x /= values[inputs[1 + d]]
        total += x * x
    return total


@reduction
def _dot(a, b, n):
    total = 0.0
    for i in range(n):
        total += a[i] * b[i]
    return total


@inner
def _factor(values, inputs, dimensions, n, out):
    """Overwrite the lower triangle of `out` with L."""
    code = int(values[inputs[1 + dimensions + n]])
    for i in range(n):
        for j in range(i):
            out[i, j] = _correlation(code, _square(values, inputs, dimensions, n, i, j))[0]
        out[i, i] = 1.0 + JITTER
    for i in range(n):
        for j in range(i):
            out[i, j] = (out[i, j] - _dot(out[i], out[j], j)) / out[j, j]
        square = out[i, i] - _dot(out[i], out[i], i)
        out[i, i] = np.sqrt(square) if square > 0.0 else np.nan


@inner
def _inverse(factor, n, out):
    """Overwrite `out`, which is zero, with the inverse of a lower triangle, row by row."""
    for i in range(n):
        for c in range(i):
            share = factor[i, c]
            for j in range(c + 1):
                out[i, j] -= share * out[c, j]
        for j in range(i):
            out[i, j] /= factor[i, i]
        out[i, i] = 1.0 / factor[i, i]


@inner
def fill_process(values, inputs, n_inputs, out, n_out):
    """Overwrite the outputs; nothing is added to the log density.

    `inputs` are sigma, D length scales, z, then fixed numbers: the code of the covariance, D coordinates of each place.
    """
    dimensions = (n_inputs - 2 - n_out) // (n_out + 1)
    factor = np.empty((n_out, n_out))
    _factor(values, inputs, dimensions, n_out, factor)
    z = 1 + dimensions
    for i in range(n_out):
        total = 0.0
        for j in range(i + 1):
            total += factor[i, j] * values[inputs[z + j]]
        values[out + i] = values[inputs[0]] * total
    return 0.0


@inner
def pull_back_process(values, adjoint, inputs, n_inputs, out, n_out):
    """Derivatives by sigma, length scales and z; none by places."""
    n = n_out
    dimensions = (n_inputs - 2 - n) // (n + 1)
    z = 1 + dimensions
    factor = np.empty((n, n))
    _factor(values, inputs, dimensions, n, factor)
    sigma = values[inputs[0]]
    for i in range(n):
        adjoint[inputs[0]] += adjoint[out + i] * values[out + i] / sigma
    # with Lbar_ij = sigma fbar_i z_j for j <= i, the lower triangle of L' Lbar, its diagonal halved
    half = np.zeros((n, n))
    for i in range(n):
        by_z = 0.0
        for k in range(i, n):
            by_z += factor[k, i] * adjoint[out + k]
        by_z *= sigma
        adjoint[inputs[z + i]] += by_z
        for j in range(i + 1):
            half[i, j] = by_z * values[inputs[z + j]] * (0.5 if i == j else 1.0)
    inverse = np.zeros((n, n))
    _inverse(factor, n, inverse)
    # Kbar = L^-T half L^-1, made symmetric
    right = np.zeros((n, n))
    for i in range(n):
        for k in range(i + 1):
            h = half[i, k]
            for j in range(k + 1):
                right[i, j] += h * inverse[k, j]
    both = np.zeros((n, n))
    for k in range(n):
        for i in range(k + 1):
            h = inverse[k, i]
            for j in range(k + 1):
                both[i, j] += h * right[k, j]
    code = int(values[inputs[1 + dimensions + n]])
    for i in range(n):
        for j in range(i):
            slope = _correlation(code, _square(values, inputs, dimensions, n, i, j))[1]
            weight = -2.0 * slope * (both[i, j] + both[j, i])
            for d in range(dimensions):
                first = 2 + dimensions + n + d
                length = values[inputs[1 + d]]
                x = values[inputs[first + i * dimensions]] - values[inputs[first + j * dimensions]]
                adjoint[inputs[1 + d]] += weight * x * x / (length * length * length)
