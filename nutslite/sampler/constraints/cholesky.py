"""Cholesky factors of correlation matrices, from canonical partial correlations as inverse hyperbolic tangents.

Row by row, z = tanh(u) and L[i, j] = z_j * prod_{m < j} sqrt(1 - z_m^2), written with log(1 - z^2), which keeps all its
digits where z is 1 to working precision.

Source: Lewandowski, Kurowicka and Joe (2009), Journal of Multivariate Analysis 100.
"""

from __future__ import annotations

import math

import numpy as np

from nutslite._numba import inner, kernel

LOG_2 = math.log(2.0)


@inner
def _log_one_minus_tanh_squared(u):
    return 2.0 * (LOG_2 - abs(u) - np.log1p(np.exp(-2.0 * abs(u))))


@kernel
def cholesky_constrain(u, out):
    """Cholesky factor of a correlation matrix from canonical partial correlations ``tanh(u)``.

    Parameters
    ----------
    u : ndarray, shape (q * (q - 1) / 2,), row by row below the diagonal
    out : ndarray, shape (>= q, >= q)
        Its first q rows and columns are overwritten, with zeros above the diagonal.

    Returns
    -------
    float
        The log-Jacobian, from u to the entries below the diagonal.
    """
    value = 0.0
    position = 0
    q = 1
    while q * (q - 1) // 2 < u.shape[0]:
        q += 1
    for i in range(q):
        for j in range(i + 1, q):
            out[i, j] = 0.0
        log_rest = 0.0
        for j in range(i):
            log_share = _log_one_minus_tanh_squared(u[position])
            out[i, j] = np.tanh(u[position]) * np.exp(0.5 * log_rest)
            value += log_share + 0.5 * log_rest
            log_rest += log_share
            position += 1
        out[i, i] = np.exp(0.5 * log_rest)
    return value


@inner
def cholesky_pull_back(u, factor, adjoint, gradient):
    """Add the derivative with respect to `u`, log-Jacobian included.

    Parameters
    ----------
    u : ndarray, shape (q * (q - 1) / 2,)
    factor : ndarray, shape (q, q)
        What `cholesky_constrain` made of `u`.
    adjoint : ndarray, shape (q, q)
        Derivative of the log density with respect to the entries of the factor, the diagonal taken as variables of
        its own; entries above the diagonal are not read.
    gradient : ndarray, shape (q * (q - 1) / 2,)
        Added to.
    """
    for i in range(1, factor.shape[0]):
        start = i * (i - 1) // 2
        log_rest = 0.0
        for j in range(i):
            log_rest += _log_one_minus_tanh_squared(u[start + j])
        later = adjoint[i, i] * factor[i, i]  # sum of adjoint * entry over the entries after this one
        for j in range(i - 1, -1, -1):
            log_share = _log_one_minus_tanh_squared(u[start + j])
            log_rest -= log_share
            slope = np.exp(log_share + 0.5 * log_rest)  # d factor[i, j] / d u
            z = np.tanh(u[start + j])
            gradient[start + j] += adjoint[i, j] * slope - z * later - z * (i + 1 - j)
            later += adjoint[i, j] * factor[i, j]


@kernel
def cholesky_unconstrain(factor, out):
    """Inverse of `cholesky_constrain`; `out` (q * (q - 1) / 2,) is overwritten."""
    for i in range(1, factor.shape[0]):
        start = i * (i - 1) // 2
        rest = factor[i, i] ** 2  # sum of squares after this entry; sinh(u) = entry / sqrt(rest) keeps all digits
        for j in range(i - 1, -1, -1):
            out[start + j] = np.arcsinh(factor[i, j] / np.sqrt(rest))
            rest += factor[i, j] ** 2
